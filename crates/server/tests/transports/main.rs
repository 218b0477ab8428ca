//! The client protocol over every transport, and a session across all of them.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::needless_pass_by_value, reason = "what json! makes is given away where it is made")]

mod channel;
mod cors;
mod endings;
mod events;
#[path = "../support/h2.rs"]
mod h2_client;
mod http;
mod link;
mod rig;
mod statuses;
#[path = "../support/mod.rs"]
mod support;
mod takeover;
