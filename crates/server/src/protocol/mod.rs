//! The client protocol on the wire: Centrifugo's client protocol v2 in JSON.
//!
//! A message holds one or more objects, with a newline between two of them. A client sends *commands*
//! (`{"id":1,"subscribe":{"channel":"news"}}`), a server sends *replies* with the same `id`, *pushes* without one,
//! and `{}`, a ping, which the client answers with `{}`. Only this module knows the names of fields.

mod code;
mod command;
mod push;
mod reply;

pub(crate) use code::{Disconnect, ErrorCode};
pub(crate) use command::{Command, Connect, Request, decode};
pub(crate) use push::{ClientInfo, Data, push};
pub(crate) use reply::{Connected, Outcome, Reply, encode};

/// The subprotocol that stands for this encoding; a client that names none gets it too.
pub(crate) const SUBPROTOCOL: &str = "centrifuge-json";

/// A ping, and the answer to it.
pub(crate) const PING: &str = "{}";
