//! What the tests of sessions share: a node in virtual time, an engine that takes its time, an application that says what it is
//! told to, and clients that check what they are given.
//!
//! It stands on what the crate exports, so that the tests inside of the crate can use it as well.

#![allow(dead_code, unused_imports, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod application;
mod desk;
mod peer;
mod random;
mod slow;
mod view;
mod world;

pub(crate) use application::{Application, Told};
pub(crate) use desk::Desk;
pub(crate) use peer::{Heard, Peer, command, encode, replies};
pub(crate) use random::Random;
pub(crate) use slow::{Fault, Slow};
pub(crate) use view::{Seen, View};
pub(crate) use world::{BEGIN, SECRET, Stage, World, WorldParts, json, publish, token};
