//! The client over HTTP/2 (RFC 8441): against `h2`, against hyper with this library's `upgrade`, and against a peer that writes
//! what it likes. Numbers are those of the rules.

mod flow;
mod frames;
mod handshake;
mod limits;
mod negotiated;
mod peer;
mod settings;
