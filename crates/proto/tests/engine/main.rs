//! The rules of RFC 6455 and RFC 7692 that a connection has to keep once it is open, by chapter.
//!
//! The names of tests begin with the rule's number in the project's checklist: C is framing, D closing, E compression.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic in its helpers too")]
#![allow(unreachable_pub, reason = "nothing in a test binary can be reached from outside")]

mod tested;
mod wire;

mod advisories;
mod closing;
mod compression;
mod control;
mod fragments;
mod framing;
mod golden;
mod heap;
mod keep_alive;
mod outgoing;
mod pair;
mod schedules;
mod splits;
mod text;
mod words;
