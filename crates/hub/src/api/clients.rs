//! Orders to clients.

use bytes::Bytes;

use super::{Api, ApiError};
use crate::backend::SubscribeGrant;
use crate::channels::{Control, Order, TokenWhom, Whom};
use crate::protocol::{Disconnect, Position, Unsubscribed};

/// The longest reason of a disconnect, in bytes (RFC 6455 §5.5.1: a control frame has 125, and the code takes two).
const REASON: usize = 123;

impl Api<'_> {
    /// Subscribes clients to a channel: those of `whom` that are not there yet. With `since` each is given what was published
    /// after that.
    ///
    /// # Errors
    /// 102, 107.
    pub fn subscribe(
        &self,
        whom: Whom,
        channel: &str,
        grant: SubscribeGrant,
        since: Option<Position>,
    ) -> Result<(), ApiError> {
        super::channel(&self.node.rules(), channel)?;
        self.check_time(grant.expire_at)?;
        self.order(whom, Order::Subscribe { channel: channel.to_owned(), grant, since })
    }

    /// Unsubscribes clients from a channel; from all their channels, where `channel` is empty.
    ///
    /// # Errors
    /// 102, 107.
    pub fn unsubscribe(&self, whom: Whom, channel: &str) -> Result<(), ApiError> {
        if !channel.is_empty() {
            super::channel(&self.node.rules(), channel)?;
        }
        let reason = Unsubscribed::BY_SERVER;
        self.order(whom, Order::Unsubscribe { channel: channel.to_owned(), reason })
    }

    /// Ends the connections of clients.
    ///
    /// # Errors
    /// 107: the code is not among 3000 to 4999, or the reason too long.
    pub fn disconnect(&self, whom: Whom, disconnect: Disconnect) -> Result<(), ApiError> {
        let Disconnect { code, reason } = &disconnect;
        if !(3000..=4999).contains(code) {
            return Err(ApiError::bad_request(format!(
                "{code} is no code of a disconnect; take one from 4000 to 4999, after 4000 to 4499 clients come back"
            )));
        }
        if reason.len() > REASON {
            let length = reason.len();
            return Err(ApiError::bad_request(format!(
                "the reason of a disconnect has {length} bytes, and no more than {REASON} fit into a Close frame"
            )));
        }
        self.order(whom, Order::Disconnect(disconnect))
    }

    /// Lets connections last until `expire_at`, in seconds since 1970; 0 is for ever. `info` replaces what others see of them, where
    /// it is not empty. With `expired` they end instead.
    ///
    /// # Errors
    /// 107.
    pub fn refresh(&self, whom: Whom, expired: bool, expire_at: u64, info: Bytes) -> Result<(), ApiError> {
        self.order(whom, Order::Refresh { expired, expire_at, info })
    }

    /// Takes the token with the id `id` (`jti`) no more, and ends the connections that came with it. The revocation is kept until
    /// `expire_at`, in seconds since 1970; 0 is for ever.
    ///
    /// # Errors
    /// 106 where no more revocations can be kept, 107.
    pub fn revoke_token(&self, id: &str, expire_at: u64) -> Result<(), ApiError> {
        if id.is_empty() {
            return Err(ApiError::bad_request("a revocation needs the token's id (jti), and it is empty"));
        }
        let expire_at = self.lasting(expire_at)?;
        self.node.revocations.revoke_id(id, expire_at).map_err(ApiError::limit_exceeded)?;
        let whom = Whom { token: Some(TokenWhom::Id(id.to_owned())), ..Whom::default() };
        self.end_tokens(whom);
        Ok(())
    }

    /// Takes no more the tokens of a user that were issued at `issued_until` or before, in seconds since 1970, or do not say when;
    /// and ends the connections that came with them. Without `issued_until` it is now. The revocation is kept until `expire_at`; 0
    /// is for ever.
    ///
    /// # Errors
    /// 106 where no more revocations can be kept, 107.
    pub fn invalidate_user_tokens(
        &self,
        user: &str,
        issued_until: Option<u64>,
        expire_at: u64,
    ) -> Result<(), ApiError> {
        if user.is_empty() {
            return Err(ApiError::bad_request(
                "the user whose tokens are to be invalid is needed, and it is empty",
            ));
        }
        let expire_at = self.lasting(expire_at)?;
        let until = issued_until.unwrap_or_else(|| self.node.clock.unix());
        self.node.revocations.revoke_user(user, until, expire_at).map_err(ApiError::limit_exceeded)?;
        let token = Some(TokenWhom::IssuedUntil(until));
        self.end_tokens(Whom { user: Some(user.to_owned()), token, ..Whom::default() });
        Ok(())
    }

    fn end_tokens(&self, whom: Whom) {
        self.node.hub.control(Control { whom, order: Order::Disconnect(Disconnect::INVALID_TOKEN) });
    }

    /// When a revocation ends.
    fn lasting(&self, expire_at: u64) -> Result<u64, ApiError> {
        self.check_time(expire_at)?;
        Ok(if expire_at == 0 { u64::MAX } else { expire_at })
    }

    fn check_time(&self, expire_at: u64) -> Result<(), ApiError> {
        let now = self.node.clock.unix();
        if expire_at > 0 && expire_at <= now {
            return Err(ApiError::bad_request(format!(
                "expire_at is {expire_at}, which is not after {now}, the time now; it is in seconds since 1970"
            )));
        }
        Ok(())
    }

    fn order(&self, whom: Whom, order: Order) -> Result<(), ApiError> {
        if whom.user.is_none() && whom.client.is_none() {
            return Err(ApiError::bad_request(
                "neither a user nor a client is named; an empty user stands for all anonymous clients",
            ));
        }
        self.node.hub.control(Control { whom, order });
        Ok(())
    }
}
