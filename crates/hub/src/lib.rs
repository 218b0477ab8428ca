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
pub mod data;
pub mod deferred;
pub mod delta;
pub mod engine;
pub mod filter;
pub mod metrics;
mod node;
pub mod options;
pub mod presence;
pub mod protocol;
pub mod rules;
mod seat;
mod session;
mod span;
pub mod trace;
mod wire;

pub use channels::{Control, Hub, Local, Member, Order, TokenWhom, Whom, WorkerId};
pub use deferred::Deferred;
pub use node::{Detach, Keys, Node, NodeParts};
pub use seat::RawMembership;
pub use session::{Origin, Said, Session};
pub use span::Span;
