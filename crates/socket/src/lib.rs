//! WebSocket client and server on tokio.
//!
//! [`connect`](connect()) opens a socket to a URL, [`accept()`] one on a stream that has just been connected, and the module
//! `upgrade` (features `hyper` and `axum`) one from a request of an HTTP library. [`WebSocket`] is what all of them give. With the
//! feature `http2` a connection carries many of them (RFC 8441): `connect::Http2` at the client, and `upgrade` at the server.
#![cfg_attr(doctest, doc = include_str!("../../../README.md"))]
#![cfg_attr(doctest, doc = include_str!("../../../docs/src/rust.md"))]
#![cfg_attr(doctest, doc = include_str!("../../../docs/src/migrating-from-tungstenite.md"))]

mod accept;
pub mod connect;
mod entropy;
mod error;
mod message;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "hyper")]
pub mod upgrade;
mod websocket;

pub use accept::{AcceptError, Acceptor, accept};
pub use antiphon_proto as proto;
pub use connect::{ClientStream, ConnectError, Connector, client, connect};
pub use entropy::OsEntropy;
pub use error::Error;
pub use message::Message;
#[cfg(feature = "tls")]
pub use tls::{RootError, TlsOptions};
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
pub use websocket::{Flush, MessageReader, MessageWriter, Receiver, Sender, Turn, WebSocket};
