//! A WebSocket engine without I/O: RFC 6455 and RFC 7692, both roles.

pub mod deflate;
mod entropy;
pub mod handshake;

pub use entropy::Entropy;
