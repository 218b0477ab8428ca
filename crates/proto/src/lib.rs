//! A WebSocket engine without I/O: RFC 6455 and RFC 7692, client and server.
//!
//! Bytes and the time go in, events and bytes come out; who reads the socket, keeps the clock and draws random numbers is the
//! caller. [`handshake`] opens a connection, [`Connection`] is what follows. `antiphon-socket` drives both on tokio.

#![warn(clippy::indexing_slicing)]

mod connection;
pub mod deflate;
mod entropy;
mod frame;
pub mod handshake;
mod utf8;
mod violation;

pub use connection::{
    Cause, CloseTimeout, Config, Connection, Delivery, End, Eof, Event, Input, KeepAliveConfig, Kind, Limits,
    Outbox, Prepared, Role, SendError, Side,
};
pub use entropy::Entropy;
pub use frame::close::{Close, CloseCode, InvalidClose};
pub use violation::Violation;
