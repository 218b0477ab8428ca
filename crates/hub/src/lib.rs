//! Channels, history, presence and client sessions, without sockets.
//!
//! ```text
//!   transport ─► Session ─► Node ─► Engine ─► Hub ─► Local (one a worker) ─► Member: the transport again
//! ```
//!
//! The client protocol is Centrifugo's, in JSON and in Protobuf ([`protocol`]). A transport makes a [`Session`] for each client
//! and a [`Local`] for each worker; `docs/design/hub.md` in the repository says how a message passes.

pub mod api;
// The tests inside of the crate share helpers with those outside of it, which know it by its name.
#[cfg(test)]
extern crate self as antiphon_hub;

pub mod auth;
pub mod backend;
mod census;
mod channels;
pub mod clock;
mod cluster;
pub mod data;
pub mod deferred;
pub mod delta;
mod directory;
pub mod engine;
pub mod filter;
pub mod inspect;
pub mod metrics;
mod node;
pub mod options;
pub mod presence;
pub mod protocol;
mod replay;
pub mod rules;
mod seat;
mod session;
mod span;
pub mod trace;
mod wire;

pub use channels::{Activity, Control, Hub, Local, Member, Order, TokenWhom, Whom, WorkerId};
pub use cluster::{Alone, Cluster, Unheard, Uplink};
pub use deferred::Deferred;
pub use directory::Directory;
pub use node::{Detach, Keys, Node, NodeParts};
pub use replay::Replay;
pub use seat::RawMembership;
pub use session::{NotTaken, Origin, Said, Seed, Session, TakeOver, Tie, Transport};
pub use span::Span;
