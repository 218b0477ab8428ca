//! Receiving, sending and closing, a message at a time.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::task::{Context, Poll, ready};

use antiphon_proto::{CloseCode, Delivery, End, Event, InvalidClose, Kind, SendError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::{Turn, WebSocket};
use crate::error::Error;
use crate::message::Message;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The next message. `None` after the closing handshake, when the transport has been wound up as well.
    ///
    /// It drives the connection meanwhile: Pings and the peer's Close are answered, timers kept, and what waits is written.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped: a message that has not been returned comes with the next call.
    ///
    /// # Errors
    ///
    /// The connection ended otherwise than by the closing handshake.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// [`recv`](Self::recv) as a poll function.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        if self.connection.config().delivery == Delivery::Streamed {
            return self.poll_gather(cx);
        }
        // What the reader of an earlier message has left.
        self.incoming = None;
        let mut message = None;
        let turn = ready!(self.poll_turn(cx, &mut |_, event| {
            message = match event {
                Event::Text(text) => Some(Message::text(text)),
                Event::Binary(bytes) => Some(Message::binary(bytes)),
                _ => return ControlFlow::Continue(()),
            };
            ControlFlow::Break(())
        }));
        Poll::Ready(match turn {
            Turn::Paused => Ok(message),
            Turn::Done => self.ended().map(|()| None),
        })
    }

    /// Sends a message, and waits until it has been handed to the operating system.
    ///
    /// # Cancel safety
    ///
    /// When it is dropped, the message has been queued or not; if it has, whoever drives the connection writes it.
    ///
    /// # Errors
    ///
    /// The message cannot be sent, or the connection has ended.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        self.feed(message).await?;
        self.flush().await
    }

    /// Queues a message, as soon as there is room. Several make one write: [`flush`](Self::flush) after the last.
    ///
    /// # Errors
    ///
    /// The message cannot be sent, or the connection has ended.
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        poll_fn(|cx| self.poll_room(cx)).await;
        self.start_send(message.into())
    }

    /// Waits until all that was sent has been handed to the operating system. Timers are kept meanwhile, but no message is
    /// received.
    ///
    /// # Errors
    ///
    /// The connection has ended.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_flush_all(cx)).await
    }

    /// Sends a Ping. The Pong comes to whoever drives the connection.
    ///
    /// # Errors
    ///
    /// The payload is above 125 bytes, or the connection has ended.
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.connection.ping(Instant::now().into_std(), payload)?;
        self.flush().await
    }

    /// Closes the connection: sends a Close frame, waits for the peer's, and winds up the transport, all within
    /// [`Config::close`](antiphon_proto::Config::close). Messages that still come are dropped: to have them, call
    /// [`start_close`](Self::start_close) and [`recv`](Self::recv) until it answers `None`.
    ///
    /// # Errors
    ///
    /// A Close frame cannot say this.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<End, InvalidClose> {
        self.start_close(code, reason)?;
        poll_fn(|cx| self.poll_turn(cx, &mut |_, _| ControlFlow::Continue(())).map(|_| ())).await;
        Ok(self.connection.end().unwrap_or(End {
            sent: None,
            received: None,
            first: None,
            cause: antiphon_proto::Cause::Reset,
        }))
    }

    /// Queues a Close frame. Nothing can be sent from now on; [`recv`](Self::recv) goes on until the end.
    ///
    /// # Errors
    ///
    /// A Close frame cannot say this.
    pub fn start_close(&mut self, code: CloseCode, reason: &str) -> Result<(), InvalidClose> {
        self.connection.close(Instant::now().into_std(), code, reason)
    }

    /// Ready when there is room for a message.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.poll_write_in_time(cx) {
            Poll::Pending if self.is_congested() => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    pub(super) fn start_send(&mut self, message: Message) -> Result<(), Error> {
        let result = match message {
            Message::Text(text) => self.connection.send_text(&text),
            Message::Binary(bytes) => self.connection.send_bytes(Kind::Binary, bytes),
        };
        result.map_err(|error| self.explain(error))
    }

    pub(super) fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_write_in_time(cx));
        if self.failure.is_some() || self.is_cut_off() {
            return Poll::Ready(Err(self.explain(SendError::Closed)));
        }
        Poll::Ready(Ok(()))
    }

    /// Says why nothing can be sent, where that is known.
    pub(super) fn explain(&mut self, error: SendError) -> Error {
        match (error, self.ended()) {
            (SendError::Closed, Err(ended)) => ended,
            _ => Error::Send(error),
        }
    }

    /// How the connection ended: well, or with an error.
    pub(super) fn ended(&mut self) -> Result<(), Error> {
        match self.connection.end() {
            Some(end) if end.is_clean() => Ok(()),
            Some(end) => {
                let io = self.failure.as_mut().and_then(|failure| failure.error.take());
                Err(Error::Ended { end: Box::new(end), io })
            }
            None => Ok(()),
        }
    }
}
