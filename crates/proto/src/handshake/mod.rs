//! The opening handshake (RFC 6455 §4), both sides.
//!
//! ```text
//!              ClientHandshake                           ServerHandshake
//!   WsUri ──► ClientRequest ── request_bytes() ────────► receive() ──► Request
//!                                                                        │ accept() or refuse()
//!   Response { agreed } ◄── receive() ◄── bytes of the 101 ─────── Accepted { agreed }
//!   ClientError           ◄──────────── bytes of a 4xx or 5xx ──── Refusal
//! ```
//!
//! **Feed what was read to `receive` until it completes or fails; what it did not use is frame data.** Neither side does I/O or
//! knows the time: the driver reads, writes, and gives up when its deadline has passed.
//!
//! * [`HeadScanner`] finds the end of a head and refuses what RFC 9112 forbids in one; it knows nothing of WebSocket and can
//!   stand before any HTTP server.
//! * [`Opening`] is what the rules of §4.2.1 leave of a request, wherever it came from: from bytes by [`ServerHandshake`], or
//!   from `http::request::Parts` by `http::check` (feature `http`).
//! * [`ExtendedHandshake`], and on the other side `http::check_connect`, are the same over HTTP/2 (RFC 8441).
//! * [`Rule`] is the table of everything that can be wrong, with the status and the section of each.

mod client;
mod extended;
mod field;
mod head;
mod host;
#[cfg(feature = "http")]
pub mod http;
mod key;
mod opening;
mod origin;
mod refusal;
mod rejection;
mod request;
mod server;
pub(crate) mod token;
mod uri;
mod violation;

pub use client::{ClientError, ClientHandshake, Response};
pub use extended::{ExtendedHandshake, PROTOCOL};
pub use field::FieldError;
pub use head::{HeadLimits, HeadScanner, Headers, RequestLine, Scan, StatusLine};
pub use key::{Accept, Key};
pub use opening::{Acceptance, Opening};
pub use origin::{OriginError, OriginPolicy};
pub use refusal::Refusal;
pub use rejection::Rejection;
pub use request::{ClientRequest, RequestError};
pub use server::{Accepted, Request, ServerHandshake, ServerPolicy};
pub use token::Extension;
pub use uri::{UriError, WsUri};
pub use violation::{Rule, Violation};

use crate::deflate::Params;

/// What the two ends have agreed on (§4.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// The subprotocol, one of those the client offered (§1.9); `None` if the server chose none.
    pub subprotocol: Option<String>,
    /// The parameters of permessage-deflate (RFC 7692); `None` if messages are not compressed.
    pub deflate: Option<Params>,
}

/// How far a handshake has come with the bytes received so far.
#[derive(Debug)]
pub enum Progress<T> {
    /// The head goes on: all of the input was taken, read more.
    Incomplete,
    /// The head is whole.
    Complete {
        /// What it says.
        value: T,
        /// How many bytes of the input belong to it. What follows is frame data (§4.1, §4.2.2), and the caller keeps it.
        used: usize,
    },
}
