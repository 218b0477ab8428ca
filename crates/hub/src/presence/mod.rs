//! Who is in a channel.

pub mod memory;
#[cfg(any(test, feature = "testing"))]
pub mod suite;

use std::fmt;
use std::sync::Arc;

use crate::deferred::Deferred;
use crate::engine::EngineError;
use crate::protocol::ClientInfo;

/// How many are in a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PresenceStats {
    /// Connections.
    pub clients: usize,
    /// Users; all anonymous ones are one.
    pub users: usize,
}

/// Keeps track of who is in a channel. A connection is in a channel once, whatever is said of it how often; a user is in it as long
/// as one of the user's connections is.
pub trait Presence: Send + Sync + fmt::Debug {
    /// `info.client` is in `channel`. Said again, it replaces what was said before.
    fn add(&self, channel: &str, info: Arc<ClientInfo>) -> Deferred<Result<(), EngineError>>;

    /// The connection `client` is not in `channel` any more.
    fn remove(&self, channel: &str, client: &str) -> Deferred<Result<(), EngineError>>;

    /// Who is in `channel`, in no order.
    fn list(&self, channel: &str) -> Deferred<Result<Vec<Arc<ClientInfo>>, EngineError>>;

    /// How many are in `channel`, in constant time.
    fn stats(&self, channel: &str) -> Deferred<Result<PresenceStats, EngineError>>;
}
