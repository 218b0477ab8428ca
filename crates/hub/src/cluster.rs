//! The other nodes, as far as sessions need them.

use std::fmt;

use bytes::Bytes;

use crate::deferred::Deferred;
use crate::session::NotTaken;

/// The way to sessions on other nodes. A client's requests may come to any node; the one that holds its session is named in them.
pub trait Cluster: fmt::Debug + Send + Sync {
    /// Brings commands to a session of another node, by its id. They must come there in the order in which they were brought here, each
    /// once or not at all: the session numbers them, and a client that hears of a failure sends them again.
    fn forward(&self, node: &str, uplink: Uplink) -> Deferred<Result<(), Unheard>>;
}

/// Commands on their way to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// The secret of the session.
    pub session: String,
    /// A message of commands, in the encoding of the session; may be empty.
    pub commands: Bytes,
    /// The client goes for good.
    pub closes: bool,
}

/// Why commands were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unheard {
    /// There is no such session.
    Gone,
    /// There is, and it does not take them.
    NotTaken(NotTaken),
}

/// A node without others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Cluster for Alone {
    fn forward(&self, _: &str, _: Uplink) -> Deferred<Result<(), Unheard>> {
        Deferred::now(Err(Unheard::Gone))
    }
}
