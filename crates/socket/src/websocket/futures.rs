//! The socket as a `Stream` and a `Sink` of messages.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use antiphon_proto::CloseCode;
use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};

use super::WebSocket;
use crate::error::Error;
use crate::message::Message;

/// Ends after the closing handshake; after an error as well.
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.state.reported {
            return Poll::Ready(None);
        }
        let item = ready!(self.poll_recv(cx)).transpose();
        self.state.reported = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

/// Closing the sink sends a Close frame with 1000 and waits for it to be written; the peer's comes to the stream.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_room(cx).map(Ok)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        Self::start_send(&mut self, message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_flush_all(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // 1000 without a reason is always a valid Close.
        let _ = self.start_close(CloseCode::NORMAL, "");
        let written = ready!(self.poll_flush_all(cx));
        Poll::Ready(if self.end().is_some_and(|end| end.is_clean()) { Ok(()) } else { written })
    }
}
