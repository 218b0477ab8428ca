//! What a client listens on at the time.

use std::io;
use std::ops::ControlFlow;
use std::task::{Context, Poll as Turn, ready};
use std::time::Instant;

use antiphon_proto::{CloseCode, Event, Kind, Prepared, SendError, Side};
use antiphon_socket::{self as socket, Flush, WebSocket};
use bytes::Bytes;

use super::events::Events;
use super::poll::{Outcome, Poll};
use super::stream::{EventStream, Full};
use crate::socket::close;
use crate::stream::{Parked, Stream};

/// So many bytes of commands are taken from one turn; the rest is read when they are done.
const TURN_BYTES: usize = 64 * 1024;

/// And so many messages: well below what may wait in a session.
const TURN_MESSAGES: usize = 128;

/// What a client listens on at the time.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most clients are on a socket, and each is spared an allocation"
)]
pub(crate) enum Carrier<S = Stream> {
    /// With the kind of its messages.
    Socket(WebSocket<S>, Kind),
    Stream(Box<EventStream<S>>),
    Events(Box<Events<S>>),
    Poll(Box<Poll<S>>),
}

/// What a turn of a carrier came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client said that it goes for good.
    Left,
    /// It can be used no more.
    Gone,
    /// A poll was answered: there will be another.
    Answered,
}

impl<S> Carrier<S> {
    fn try_map_stream<T>(self, change: impl FnOnce(S) -> io::Result<T>) -> io::Result<Carrier<T>> {
        Ok(match self {
            Self::Socket(socket, kind) => Carrier::Socket(socket.try_map_stream(change)?, kind),
            Self::Stream(stream) => Carrier::Stream(Box::new(stream.try_map_stream(change)?)),
            Self::Events(events) => Carrier::Events(Box::new(events.try_map_stream(change)?)),
            Self::Poll(poll) => Carrier::Poll(Box::new(poll.try_map_stream(change)?)),
        })
    }
}

impl Carrier<Parked> {
    /// Puts it into this worker's event loop.
    ///
    /// # Errors
    /// When the event loop does not take it.
    pub(super) fn resume(self) -> io::Result<Carrier> {
        self.try_map_stream(Parked::resume)
    }
}

impl Carrier {
    /// Takes it out of this worker's event loop.
    ///
    /// # Errors
    /// When the operating system does not let go of it.
    pub(super) fn park(self) -> io::Result<Carrier<Parked>> {
        self.try_map_stream(Stream::park)
    }

    /// Takes a frame that many share.
    pub(super) fn queue(&mut self, frame: &Prepared) -> Result<(), Full> {
        match self {
            Self::Socket(socket, _) => taken(socket.queue(frame)),
            Self::Stream(stream) => stream.push(frame.payload()),
            Self::Events(events) => events.hear(frame.payload()),
            Self::Poll(_) => Ok(()),
        }
    }

    /// Takes a message of this client's. `counts` says that a poll finds it where messages are kept.
    pub(super) fn say(&mut self, message: Bytes, counts: bool) -> Result<(), Full> {
        match self {
            Self::Socket(socket, kind) => taken(socket.connection_mut().send_bytes(*kind, message)),
            Self::Stream(stream) => stream.push(&message),
            Self::Events(events) => events.hear(&message),
            Self::Poll(_) if counts => Ok(()),
            Self::Poll(poll) => {
                poll.aside(message);
                Ok(())
            }
        }
    }

    /// Says that nothing follows. `code` and `reason` are a Close frame's; others have told the client in a message.
    pub(super) fn finish(&mut self, code: CloseCode, reason: &str) {
        match self {
            Self::Socket(socket, _) => close(socket.connection_mut(), code, reason),
            Self::Stream(stream) => stream.finish(),
            Self::Events(events) => events.finish(),
            Self::Poll(poll) if poll.is_waiting() => {
                poll.answer_with(std::iter::empty());
            }
            Self::Poll(_) => {}
        }
    }

    /// How many bytes wait to be written; `None` for a poll, which takes what there is when it is answered.
    pub(super) fn waiting(&mut self) -> Option<usize> {
        match self {
            Self::Socket(socket, _) => Some(socket.connection_mut().outbox().len()),
            Self::Stream(stream) => Some(stream.waiting()),
            Self::Events(events) => Some(events.stream_mut().waiting()),
            Self::Poll(_) => None,
        }
    }

    /// Writes what waits, as far as the operating system takes it at once.
    pub(super) fn try_flush(&mut self) -> Flush {
        match self {
            Self::Socket(socket, _) => socket.try_flush(),
            Self::Stream(stream) => stream.try_flush(),
            Self::Events(events) => events.stream_mut().try_flush(),
            // Its task gathers the answer.
            Self::Poll(_) => Flush::Blocked,
        }
    }

    /// Has its turn: writes what waits and, where `reads`, hands what comes to `receive`. Ready with nothing when that is to be
    /// worked on first.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        reads: bool,
        receive: &mut dyn FnMut(Bytes),
    ) -> Turn<Option<End>> {
        let socket = match self {
            Self::Socket(socket, _) => socket,
            Self::Stream(stream) => return stream.poll(cx).map(|()| Some(End::Gone)),
            Self::Events(events) => return events.stream_mut().poll(cx).map(|()| Some(End::Gone)),
            Self::Poll(poll) => {
                return poll.poll(cx).map(|outcome| match outcome {
                    Outcome::Answered => Some(End::Answered),
                    Outcome::Gone => Some(End::Gone),
                });
            }
        };
        if !reads {
            // Who waits for the backend sends no more meanwhile.
            ready!(socket.poll_written(cx));
            return Turn::Pending;
        }
        let (mut taken, mut count) = (0, 0);
        let turn = ready!(socket.poll_turn(cx, &mut |_, event| {
            let message = match event {
                Event::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
                Event::Binary(bytes) => Bytes::copy_from_slice(&bytes),
                _ => return ControlFlow::Continue(()),
            };
            taken += message.len();
            count += 1;
            receive(message);
            match taken < TURN_BYTES && count < TURN_MESSAGES {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        }));
        Turn::Ready(match turn {
            socket::Turn::Paused => None,
            socket::Turn::Done => Some(if has_left(socket) { End::Left } else { End::Gone }),
        })
    }

    /// When it has something to do though nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Poll(poll) if poll.is_waiting() => Some(poll.until),
            Self::Events(events) => Some(events.heartbeat),
            _ => None,
        }
    }

    /// Does what is due.
    pub(super) fn beat(&mut self, now: Instant) -> Result<(), Full> {
        match self {
            Self::Events(events) if events.heartbeat <= now => events.beat(now),
            _ => Ok(()),
        }
    }
}

/// Whether the peer closed in the ordinary way, of its own accord.
fn has_left(socket: &WebSocket<Stream>) -> bool {
    socket.end().is_some_and(|end| {
        let code = end.received.map(|close| close.code);
        end.first == Some(Side::Peer) && code == Some(CloseCode::NORMAL)
    })
}

fn taken(sent: Result<(), SendError>) -> Result<(), Full> {
    match sent {
        Err(SendError::OutboxFull { .. }) => Err(Full),
        // Where it cannot be sent because the connection is closing, nobody waits for it.
        _ => Ok(()),
    }
}
