//! The inspector's side of the server, from outside: who gets in, and what the API says.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod answers;
mod entry;
#[path = "../support/h2.rs"]
mod h2_client;
mod http2;
mod paging;
mod rig;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
