//! A stream of HTTP/2 as a stream of bytes.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::chunk::{Chunk, Outgoing};
use super::fault::into_io;
use super::slots::Slot;

/// The most that one write takes: what one DATA frame carries (RFC 9113 §4.2).
const WRITE: usize = 16 * 1024;

/// One stream of an HTTP/2 connection, below a WebSocket.
///
/// * The server may send as much as the window allows, and gets window back only for what is read: a stream that nobody reads from
///   stalls its server, and no other stream.
/// * A flush is done when the bytes are in the connection's output.
/// * The server's END_STREAM is the end of what is read, its RST_STREAM an error of the kind `ConnectionReset`. Shutting down sends
///   END_STREAM; dropping the stream before both ends have ended sends RST_STREAM with CANCEL (RFC 8441 §5).
pub struct Http2Stream {
    sending: SendStream<Chunk>,
    receiving: RecvStream,
    /// Received, not read yet: its window has not been given back.
    kept: Bytes,
    outgoing: Arc<Outgoing>,
    /// Given back when both ends have ended.
    slot: Option<Slot>,
    eof: bool,
    shut_down: bool,
}

impl Http2Stream {
    pub(super) fn new(sending: SendStream<Chunk>, receiving: RecvStream, slot: Slot) -> Self {
        Self {
            sending,
            receiving,
            kept: Bytes::new(),
            outgoing: Arc::default(),
            slot: Some(slot),
            eof: false,
            shut_down: false,
        }
    }

    /// The number of the stream on its connection (RFC 9113 §5.1.1).
    pub fn id(&self) -> u32 {
        self.sending.stream_id().as_u32()
    }

    /// Fails if the stream has been reset, and wakes the task when it is.
    fn check_reset(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.sending.poll_reset(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(reason)) => Err(io::Error::new(
                io::ErrorKind::ConnectionReset,
                format!("the HTTP/2 stream was reset: {reason}"),
            )),
            Poll::Ready(Err(error)) => Err(into_io(error)),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: impl FnOnce() -> Bytes) -> Poll<io::Result<usize>> {
        if self.shut_down {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.check_reset(cx)?;
        ready!(self.outgoing.poll_room(cx));
        let bytes = bytes();
        let length = bytes.len();
        if length > 0 {
            self.sending.send_data(self.outgoing.chunk(bytes), false).map_err(into_io)?;
        }
        Poll::Ready(Ok(length))
    }

    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outgoing.poll_empty(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.check_reset(cx)?;
        // What was reset in between has been let go of.
        self.outgoing.poll_empty(cx).map(Ok)
    }

    fn end(&mut self) {
        if self.eof && self.shut_down {
            self.slot = None;
        }
    }
}

impl fmt::Debug for Http2Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Stream").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl AsyncRead for Http2Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.kept.is_empty() {
            if this.eof {
                return Poll::Ready(Ok(()));
            }
            match ready!(this.receiving.poll_data(cx)) {
                Some(data) => this.kept = data.map_err(into_io)?,
                // The end of the stream, or trailers, which say nothing to a WebSocket and come before it.
                None => {
                    this.eof = true;
                    this.end();
                }
            }
        }
        let length = this.kept.len().min(into.remaining());
        into.put_slice(&this.kept[..length]);
        this.kept.advance(length);
        if this.kept.is_empty() {
            // The buffer that it was a part of is free only now.
            this.kept = Bytes::new();
        }
        this.receiving.flow_control().release_capacity(length).map_err(into_io)?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Http2Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let bytes = bytes.get(..WRITE).unwrap_or(bytes);
        self.get_mut().poll_send(cx, || Bytes::copy_from_slice(bytes))
    }

    /// One frame for all chunks, as far as they fit in one.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        chunks: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, || {
            let length = chunks.iter().map(|chunk| chunk.len()).sum::<usize>().min(WRITE);
            let mut bytes = BytesMut::with_capacity(length);
            for chunk in chunks {
                let room = length - bytes.len();
                bytes.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
            }
            bytes.freeze()
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_sent(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.shut_down {
            this.shut_down = true;
            let sent = this.sending.send_data(this.outgoing.chunk(Bytes::new()), true);
            this.end();
            match sent {
                // A server that has said all, and has reset the stream then, is not waiting for an end (RFC 9113 §8.1).
                Err(_) if this.eof => return Poll::Ready(Ok(())),
                sent => sent.map_err(into_io)?,
            }
        }
        match ready!(this.poll_sent(cx)) {
            Err(_) if this.eof => Poll::Ready(Ok(())),
            sent => Poll::Ready(sent),
        }
    }
}
