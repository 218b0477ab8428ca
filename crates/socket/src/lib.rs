//! WebSocket client and server on tokio.

mod accept;
mod error;
mod message;
mod websocket;

pub use accept::{AcceptError, Acceptor, accept};
pub use antiphon_proto as proto;
pub use error::Error;
pub use message::Message;
pub use websocket::{Flush, MessageReader, MessageWriter, Receiver, Sender, Turn, WebSocket};
