//! Messages of unbounded size, as they come and go.

use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use antiphon_proto::{Event, Kind};
use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Turn, WebSocket};
use crate::error::Error;
use crate::message::Message;

/// What of a streamed message has come, but was not read yet.
#[derive(Debug)]
pub(super) struct Incoming {
    kind: Kind,
    bytes: Bytes,
    ended: bool,
    /// All of it so far, for one who wants it whole.
    gathered: Vec<u8>,
    /// A reader has been handed out for it.
    claimed: bool,
}

impl Incoming {
    fn new(kind: Kind, bytes: Bytes, ended: bool) -> Box<Self> {
        Box::new(Self { kind, bytes, ended, gathered: Vec::new(), claimed: false })
    }
}

/// One message, read as it arrives: an [`AsyncRead`] that ends with the message.
///
/// When it is dropped before its end, the rest of the message is skipped.
#[derive(Debug)]
pub struct MessageReader<'s, S> {
    socket: &'s mut WebSocket<S>,
    kind: Kind,
}

/// One message, sent as it is written: an [`AsyncWrite`]. Each write is a fragment; shutting it down ends the message.
///
/// A writer that is dropped without being shut down leaves the message open: nothing else can be sent but a Close.
#[derive(Debug)]
pub struct MessageWriter<'s, S> {
    socket: &'s mut WebSocket<S>,
    finished: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The next message, to be read as it arrives. `None` after the closing handshake.
    ///
    /// With [`Delivery::Streamed`](antiphon_proto::Delivery::Streamed) in the [`Config`](antiphon_proto::Config) memory stays constant, whatever the size;
    /// otherwise the message is assembled before.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    ///
    /// # Errors
    ///
    /// The connection ended otherwise than by the closing handshake.
    pub async fn reader(&mut self) -> Result<Option<MessageReader<'_, S>>, Error> {
        let kind = poll_fn(|cx| self.poll_begin(cx)).await?;
        Ok(kind.map(|kind| MessageReader { socket: self, kind }))
    }

    /// Begins a message whose end is not known yet.
    ///
    /// # Errors
    ///
    /// Another one is open, or the connection has ended.
    pub fn writer(&mut self, kind: Kind) -> Result<MessageWriter<'_, S>, Error> {
        let begun = self.connection.begin_message(kind, true);
        begun.map_err(|error| self.explain(error))?;
        Ok(MessageWriter { socket: self, finished: false })
    }

    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Kind>, Error>> {
        loop {
            if ready!(self.poll_skip(cx)) == Turn::Done {
                return Poll::Ready(self.ended().map(|()| None));
            }
            if let Some(incoming) = &mut self.incoming {
                incoming.claimed = true;
                if !incoming.gathered.is_empty() {
                    // A `recv` was dropped amid the message.
                    incoming.gathered.extend_from_slice(&incoming.bytes);
                    incoming.bytes = std::mem::take(&mut incoming.gathered).into();
                }
                return Poll::Ready(Ok(Some(incoming.kind)));
            }
            if ready!(self.poll_more(cx)) == Turn::Done {
                return Poll::Ready(self.ended().map(|()| None));
            }
        }
    }

    /// Throws away the rest of a message whose reader was dropped.
    fn poll_skip(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        while let Some(incoming) = self.incoming.as_mut().filter(|incoming| incoming.claimed) {
            incoming.bytes.clear();
            if incoming.ended {
                self.incoming = None;
            } else if ready!(self.poll_more(cx)) == Turn::Done {
                return Poll::Ready(Turn::Done);
            }
        }
        Poll::Ready(Turn::Paused)
    }

    /// Takes one event into what is there of the message.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        let mut incoming = self.incoming.take();
        let turn = self.poll_turn(cx, &mut |_, event| {
            match (event, &mut incoming) {
                (Event::Begin(kind), _) => incoming = Some(Incoming::new(kind, Bytes::new(), false)),
                (Event::Chunk(chunk), Some(incoming)) => incoming.bytes = Bytes::from(chunk.into_owned()),
                (Event::End, Some(incoming)) => incoming.ended = true,
                (Event::Text(text), _) => {
                    incoming = Some(Incoming::new(Kind::Text, Message::text(text).into_bytes(), true));
                }
                (Event::Binary(bytes), _) => {
                    incoming = Some(Incoming::new(Kind::Binary, Message::binary(bytes).into_bytes(), true));
                }
                _ => return ControlFlow::Continue(()),
            }
            ControlFlow::Break(())
        });
        self.incoming = incoming;
        turn
    }

    /// [`poll_recv`](Self::poll_recv) where messages are streamed: puts one together.
    pub(super) fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        if ready!(self.poll_skip(cx)) == Turn::Done {
            return Poll::Ready(self.ended().map(|()| None));
        }
        loop {
            if let Some(incoming) = self.incoming.as_mut() {
                let bytes = std::mem::take(&mut incoming.bytes);
                incoming.gathered.extend_from_slice(&bytes);
                if incoming.ended {
                    let gathered = std::mem::take(&mut incoming.gathered);
                    let kind = incoming.kind;
                    self.incoming = None;
                    return Poll::Ready(Ok(Some(match kind {
                        // It was checked as it came.
                        Kind::Text => Message::Text(String::from_utf8(gathered).unwrap_or_default()),
                        Kind::Binary => gathered.into(),
                    })));
                }
            }
            if ready!(self.poll_more(cx)) == Turn::Done {
                return Poll::Ready(self.ended().map(|()| None));
            }
        }
    }
}

impl<S> MessageReader<'_, S> {
    /// Whether the message is text or binary.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for MessageReader<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let Some(incoming) = &mut self.socket.incoming else { return Poll::Ready(Ok(())) };
            if incoming.bytes.has_remaining() {
                let count = incoming.bytes.len().min(into.remaining());
                into.put_slice(&incoming.bytes.split_to(count));
                return Poll::Ready(Ok(()));
            }
            if incoming.ended {
                self.socket.incoming = None;
                return Poll::Ready(Ok(()));
            }
            if ready!(self.socket.poll_more(cx)) == Turn::Done {
                // The message has no end: whatever the closing handshake says, this is not a whole one.
                let error = self.socket.ended().err().map(io::Error::from);
                return Poll::Ready(Err(error.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into())));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for MessageWriter<'_, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.socket.poll_room(cx));
        match self.socket.connection.push(bytes) {
            Ok(()) => Poll::Ready(Ok(bytes.len())),
            Err(error) => Poll::Ready(Err(self.socket.explain(error).into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_flush_all(cx).map_err(io::Error::from)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.finished {
            ready!(self.socket.poll_room(cx));
            let finished = self.socket.connection.finish();
            finished.map_err(|error| self.socket.explain(error))?;
            self.finished = true;
        }
        self.socket.poll_flush_all(cx).map_err(io::Error::from)
    }
}
