//! A WebSocket connection on tokio.

mod api;
pub(crate) mod buffers;
mod drive;
mod futures;
mod message_io;
mod split;

use std::fmt;
use std::io;
use std::pin::Pin;

use antiphon_proto::{Connection, End};
use tokio::time::Sleep;

pub use drive::{Flush, Turn};
use message_io::Incoming;
pub use message_io::{MessageReader, MessageWriter};
pub use split::{Receiver, Sender};

/// A WebSocket connection over `S`: a TCP or TLS stream, an HTTP upgrade, or any other stream of bytes.
///
/// **Whoever receives drives the connection**: [`recv`](Self::recv) reads, answers Pings and Close frames, keeps the timers and
/// writes what waits. A task that only sends lets none of this happen.
///
/// ```
/// # async fn chat(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// let mut socket = antiphon_socket::accept(stream).await?;
/// while let Some(message) = socket.recv().await? {
///     socket.send(message).await?;
/// }
/// println!("{}", socket.end().expect("it has ended"));
/// # Ok(())
/// # }
/// ```
///
/// Two tasks share one through [`split`](Self::split); messages of unbounded size pass through
/// [`reader`](Self::reader) and [`writer`](Self::writer). It is also a `Stream` and a `Sink` of [`Message`](crate::Message).
///
/// # For servers with many connections
///
/// An idle connection holds no buffer: what is read goes to one that all connections of the thread share.
/// [`poll_turn`](Self::poll_turn) handles all that one read brought, and writes the answers at once;
/// [`queue`](Self::queue) and [`try_flush`](Self::try_flush) write in the turn of another connection.
pub struct WebSocket<S> {
    stream: S,
    connection: Connection,
    stash: Stash,
    /// Armed at or before the connection's deadline: it is only moved when it fires too early.
    timer: Option<Pin<Box<Sleep>>>,
    state: State,
    /// The message that is being read as it comes, where messages are streamed.
    incoming: Option<Box<Incoming>>,
    /// That the transport failed.
    failure: Option<Box<Failure>>,
}

/// Input that has been read, but not handled yet: the handler of a turn stopped before the end of it.
#[derive(Default)]
struct Stash {
    bytes: Vec<u8>,
    start: usize,
    /// So many of the rest are unmasked already.
    plain: usize,
    /// The engine has more to tell, though it may have taken all bytes: the end of a streamed message, or more of what it
    /// inflates.
    unpolled: bool,
}

impl Stash {
    fn is_empty(&self) -> bool {
        self.start >= self.bytes.len() && !self.unpolled
    }
}

/// The transport failed. What had come before is still read; the engine hears of the failure when that is over.
struct Failure {
    /// What it said, until that has been told.
    error: Option<io::Error>,
    /// Nothing more is waited for after this.
    until: std::time::Instant,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// What was written has yet to be flushed by the stream.
    unflushed: bool,
    /// The stream did not take what was written last.
    blocked: bool,
    /// This end's side of the stream has been shut down.
    shut_down: bool,
    /// The peer's side of the stream has ended.
    eof: bool,
    /// The stream of messages has told its end.
    reported: bool,
    /// A turn pauses before the peer's Close.
    pauses: bool,
    /// The handler has been told of something in this turn.
    told: bool,
}

impl<S> WebSocket<S> {
    /// A socket on a stream whose opening handshake is done. `read` is what had been read beyond it.
    pub fn new(stream: S, connection: Connection, read: &[u8]) -> Self {
        let stash = Stash { bytes: read.to_vec(), ..Stash::default() };
        Self {
            stream,
            connection,
            stash,
            timer: None,
            state: State::default(),
            incoming: None,
            failure: None,
        }
    }

    /// The protocol engine.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The protocol engine, to queue several things before one flush.
    pub fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The same socket on another form of its stream: one that can be sent to another thread, say.
    ///
    /// # Errors
    /// What `change` fails with; then the socket is gone.
    pub fn try_map_stream<T, E>(self, change: impl FnOnce(S) -> Result<T, E>) -> Result<WebSocket<T>, E> {
        Ok(WebSocket {
            stream: change(self.stream)?,
            connection: self.connection,
            stash: self.stash,
            // It belongs to a runtime, and is made again when there is something to wait for.
            timer: None,
            state: self.state,
            incoming: self.incoming,
            failure: self.failure,
        })
    }

    /// How the connection ended, once it has.
    pub fn end(&self) -> Option<End> {
        self.connection.end()
    }
}

impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("connection", &self.connection).finish_non_exhaustive()
    }
}
