//! WebSockets after their 101: one small task each.
//!
//! A task is a future written by hand. While idle it holds its WebSocket and its seat on the worker's roster, and no buffer.
//! All three kinds do the same in a turn: see whether the worker drains, do what is due, let the WebSocket take its turn, and
//! deliver what was published in it.

mod echo;
mod raw;
mod shared;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::stream::Stream;
use antiphon_hub::Origin;
use antiphon_hub::protocol::Encoding;
use antiphon_proto::handshake::Agreed;
use antiphon_proto::{CloseCode, Config, Connection, Kind};
use antiphon_socket::WebSocket;
use bytes::Bytes;

use crate::resident::{self, Carrier};
use crate::serve::{Pass, Worker};

pub(crate) use echo::Echo;
pub(crate) use raw::Raw;

/// A stream whose handshake is done: what each kind of socket begins with.
pub(crate) struct Opened {
    pub(crate) worker: Rc<Worker>,
    pub(crate) stream: Stream,
    /// What came behind the request.
    pub(crate) read: Bytes,
    pub(crate) agreed: Agreed,
    /// Counts among the connections that are open.
    pub(crate) pass: Pass,
}

impl Opened {
    fn into_socket(self, config: &Arc<Config>) -> (WebSocket<Stream>, Pass) {
        let connection = Connection::server(Arc::clone(config), self.agreed.deflate, Instant::now());
        (WebSocket::new(self.stream, connection, &self.read), self.pass)
    }
}

/// Starts the session of a client of the client protocol.
pub(crate) fn start_client(opened: Opened, origin: Origin) {
    let worker = Rc::clone(&opened.worker);
    let kind = match origin.encoding {
        Encoding::Json => Kind::Text,
        Encoding::Protobuf => Kind::Binary,
    };
    let (mut socket, pass) = opened.into_socket(&worker.settings().client);
    socket.pause_before_close();
    resident::start(&worker, Carrier::Socket(socket, kind), origin, pass, Bytes::new());
}

/// The longest reason of a Close frame, in bytes (RFC 6455 §5.5).
const REASON: usize = 123;

/// Begins to close, where that has not been done. The codes are such as can be sent; a reason from a hook may be too long.
pub(crate) fn close(connection: &mut Connection, code: CloseCode, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(REASON)];
    let begun = connection.close(Instant::now(), code, reason);
    debug_assert!(begun.is_ok(), "{code:?} {reason:?} cannot be sent");
}
