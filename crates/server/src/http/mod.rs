//! HTTP: one router for plain requests and upgrades alike.
//!
//! ```text
//!   bytes ─► head (strict, bounded, timed) ─► hyper ─► router ─► a page, a refusal,
//!                                                             or 101 ─► the bare stream ─► socket
//! ```
//!
//! The first head of a connection is scanned here before hyper sees it: what is wrong with it gets an answer that says so.
//! After a 101 hyper gives the stream back, and its buffers go.

mod asset;
mod front;
mod guard;
mod head;
mod name;
mod rewind;
mod router;
mod secure;
mod upgrade;

pub(crate) use front::serve;
pub(crate) use name::decode as percent_decode;
pub(crate) use secure::serve as serve_tls;
