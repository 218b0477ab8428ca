//! Orders of the server to its clients.

use bytes::Bytes;

use super::Whom;
use crate::backend::SubscribeGrant;
use crate::protocol::{Disconnect, Position, Unsubscribed};

/// An order, and whom it is for.
#[derive(Debug, Clone)]
pub struct Control {
    /// The clients it is for.
    pub whom: Whom,
    /// What they are to do.
    pub order: Order,
}

/// What a client is to do.
#[derive(Debug, Clone)]
pub enum Order {
    /// Be in a channel.
    Subscribe {
        /// Which.
        channel: String,
        /// With what.
        grant: SubscribeGrant,
        /// Recover what was published since then.
        since: Option<Position>,
    },
    /// Be no longer in a channel; in any, where it is empty.
    Unsubscribe {
        /// Which.
        channel: String,
        /// Why.
        reason: Unsubscribed,
    },
    /// Go.
    Disconnect(Disconnect),
    /// Stay until then.
    Refresh {
        /// Go instead.
        expired: bool,
        /// Until when, in seconds since 1970; 0 for ever.
        expire_at: u64,
        /// What others see of the connection from now on; as before where it is empty.
        info: Bytes,
    },
}
