//! Channels in memory: who is in them, and how a publication gets there.
//!
//! ```text
//!   publisher ─► Hub: the channel's shard, locked ─► the mailbox of every worker with members
//!                (here publications get their order)          │
//!                                                             ▼
//!                                       Fanout (one a worker): queue to every member, then flush each once
//! ```
//!
//! A publication is put in the mailboxes while its shard is locked, and each worker empties its own in order: so all
//! members of a channel see its publications in one order. Nothing is locked while sockets are written to.

mod fanout;
mod hub;
mod mailbox;
mod name;
mod publication;
#[cfg(test)]
mod tests;

pub(crate) use fanout::{Fanout, Member};
pub(crate) use hub::{Hub, WorkerId};
pub(crate) use name::parse_name;
pub(crate) use publication::{Encoding, Payload, Publication};
