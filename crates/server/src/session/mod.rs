//! One client's side of the client protocol, without a socket.
//!
//! ```text
//!   transport ── handle(command) ──► Session ──► Channels: subscribe, unsubscribe, publish
//!             ◄── Reply, Disconnect ──┘
//!   clock ────── handle_deadline ───► Ping, Disconnect
//! ```
//!
//! **The transport calls the session; the session never calls the transport.** What it returns is to be sent, and after a
//! [`Disconnect`] nothing more.

mod id;
mod pulse;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::value::RawValue;

use crate::config;
use crate::protocol::{
    ClientInfo, Command, Connect, Connected, Data, Disconnect, ErrorCode, Outcome, Reply, Request,
};

pub(crate) use id::client_id;
pub(crate) use pulse::Due;
use pulse::Pulse;

/// The largest `data` of a `connect` command that can become connection info, in bytes: every publication carries it.
const INFO_LIMIT: usize = 4096;

/// The channels, as one session sees them.
pub(crate) trait Channels {
    /// Begins to deliver the channel's publications. What it gives ends the subscription.
    fn subscribe(&mut self, channel: &str) -> usize;
    fn unsubscribe(&mut self, channel: &str, key: usize);
    fn publish(&mut self, channel: &str, data: Data<'_>, info: &Arc<ClientInfo>);
}

/// One client of the client protocol.
#[derive(Debug)]
pub(crate) struct Session {
    /// Who the client is. Before `connect` only its id is true.
    info: Arc<ClientInfo>,
    connected: bool,
    pulse: Pulse,
    /// Each channel with the key of its subscription.
    subscriptions: HashMap<Box<str>, usize>,
}

impl Session {
    /// A session that waits for its `connect`. `seed` is from the operating system's randomness: its first 16 bytes become
    /// the client's id, the others spread the pings.
    pub(crate) fn new(now: Instant, config: &config::client::Client, seed: [u8; 24]) -> Self {
        let [id @ .., a, b, c, d, e, f, g, h] = seed;
        let info = ClientInfo { user: String::new(), client: client_id(id), conn_info: None };
        Self {
            info: Arc::new(info),
            connected: false,
            pulse: Pulse::new(now, config, u64::from_ne_bytes([a, b, c, d, e, f, g, h])),
            subscriptions: HashMap::new(),
        }
    }

    /// The next moment at which [`handle_deadline`](Self::handle_deadline) has something to do.
    pub(crate) fn deadline(&self) -> Instant {
        self.pulse.deadline()
    }

    /// Takes one command.
    ///
    /// # Errors
    /// When the connection cannot go on, as after a command before `connect`.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        config: &config::Config,
        command: Command<'_>,
        channels: &mut impl Channels,
    ) -> Result<Option<Reply>, Disconnect> {
        let Command { id, request } = command;
        if !self.connected && !matches!(request, Some(Request::Connect(_))) {
            return Err(Disconnect::BadRequest);
        }
        match request {
            None if id == 0 => return self.pulse.handle_pong().map(|()| None),
            // An answer could not be told from a push.
            Some(Request::Send) => return Err(Disconnect::NotAvailable),
            _ if id == 0 => return Err(Disconnect::BadRequest),
            _ => {}
        }
        let outcome = match request {
            None => return Err(Disconnect::BadRequest),
            Some(Request::Connect(connect)) => self.connect(now, config, &connect)?,
            Some(Request::Subscribe { channel, token }) => {
                named(&channel)?;
                self.subscribe(config, &channel, &token, channels)
            }
            Some(Request::Unsubscribe { channel }) => {
                named(&channel)?;
                if let Some(key) = self.subscriptions.remove(&*channel) {
                    channels.unsubscribe(&channel, key);
                }
                Ok(Outcome::Unsubscribe)
            }
            Some(Request::Publish { channel, data }) => {
                named(&channel)?;
                self.publish(config, &channel, data, channels)
            }
            Some(Request::Rpc) => Err(ErrorCode::MethodNotFound),
            Some(Request::Unavailable | Request::Send) => Err(ErrorCode::NotAvailable),
        };
        Ok(Some(Reply { id, outcome }))
    }

    /// Does what is due at `now`.
    ///
    /// # Errors
    /// When the client has been silent for too long.
    pub(crate) fn handle_deadline(&mut self, now: Instant) -> Result<Due, Disconnect> {
        self.pulse.handle_deadline(now)
    }

    /// Ends every subscription.
    pub(crate) fn end(&mut self, channels: &mut impl Channels) {
        for (channel, key) in self.subscriptions.drain() {
            channels.unsubscribe(&channel, key);
        }
    }

    fn connect(
        &mut self,
        now: Instant,
        config: &config::Config,
        connect: &Connect<'_>,
    ) -> Result<Result<Outcome, ErrorCode>, Disconnect> {
        if self.connected {
            return Err(Disconnect::BadRequest);
        }
        // No key to check a token with is configured: none can be valid.
        if !connect.token.is_empty() {
            return Err(Disconnect::InvalidToken);
        }
        if !config.client.options.allow_anonymous_connect_without_token {
            return Err(Disconnect::BadRequest);
        }
        // Without a token nobody vouches for the client, so it may introduce itself.
        let about = connect.data.filter(|data| data.starts_with('{'));
        if about.is_some_and(|about| about.len() > INFO_LIMIT) {
            return Ok(Err(ErrorCode::LimitExceeded));
        }
        let conn_info = about.and_then(|about| RawValue::from_string(about.to_owned()).ok());
        let client = self.info.client.clone();
        self.info = Arc::new(ClientInfo { user: String::new(), client: client.clone(), conn_info });
        self.connected = true;
        self.pulse.start(now);
        Ok(Ok(Outcome::Connect(Connected {
            client,
            version: env!("CARGO_PKG_VERSION"),
            ping: config.client.options.ping_interval.0.as_secs(),
            pong: true,
        })))
    }

    fn subscribe(
        &mut self,
        config: &config::Config,
        channel: &str,
        token: &str,
        channels: &mut impl Channels,
    ) -> Result<Outcome, ErrorCode> {
        if channel.len() > config.channel.naming.max_length {
            return Err(ErrorCode::BadRequest);
        }
        if !token.is_empty() || !config.channel.without_namespace.allow_subscribe_for_client {
            return Err(ErrorCode::PermissionDenied);
        }
        if self.subscriptions.contains_key(channel) {
            return Err(ErrorCode::AlreadySubscribed);
        }
        if self.subscriptions.len() >= config.client.options.channel_limit {
            return Err(ErrorCode::LimitExceeded);
        }
        let key = channels.subscribe(channel);
        self.subscriptions.insert(channel.into(), key);
        Ok(Outcome::Subscribe)
    }

    fn publish(
        &self,
        config: &config::Config,
        channel: &str,
        data: Option<&str>,
        channels: &mut impl Channels,
    ) -> Result<Outcome, ErrorCode> {
        if channel.len() > config.channel.naming.max_length {
            return Err(ErrorCode::BadRequest);
        }
        if !config.channel.without_namespace.allow_publish_for_client {
            return Err(ErrorCode::PermissionDenied);
        }
        let data = data.ok_or(ErrorCode::BadRequest)?;
        channels.publish(channel, Data::Json(data), &self.info);
        Ok(Outcome::Publish)
    }
}

/// A command for a channel must name one.
fn named(channel: &str) -> Result<(), Disconnect> {
    if channel.is_empty() { Err(Disconnect::BadRequest) } else { Ok(()) }
}
