//! Channels, history, presence and client sessions, without sockets.
//!
//! The client protocol is Centrifugo's, in JSON and in Protobuf ([`protocol`]).

pub mod auth;
pub mod backend;
pub mod clock;
pub mod data;
pub mod deferred;
pub mod delta;
pub mod engine;
pub mod filter;
pub mod options;
pub mod presence;
pub mod protocol;
mod span;

pub use deferred::Deferred;
pub use span::Span;
