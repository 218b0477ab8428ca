//! WebSocket client and server on tokio.

mod accept;
pub mod connect;
mod entropy;
mod error;
mod message;
#[cfg(feature = "tls")]
mod tls;
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
