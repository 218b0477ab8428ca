//! The socket over streams that do as they are told, in virtual time, and over real TCP.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic in its helpers too")]
#![allow(unreachable_pub, reason = "nothing in a test binary can be reached from outside")]

mod accept;
mod cancel;
mod driving;
mod harness;
mod heap;
mod pressure;
mod sink;
mod split;
mod streaming;
mod turn;
