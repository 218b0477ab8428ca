//! A response without end: the downlink of HTTP streaming and of Server-Sent Events.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use antiphon_socket::Flush;
use hyper::StatusCode;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::task::unconstrained;

use super::head::{self, Reply};
use crate::stream::Stream;

/// How a message stands in a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A line each.
    Lines,
    /// As it is: it says its own length.
    Bare,
    /// `data:`, each line of a message in an event of its own.
    Events,
    /// As they are: they are events already.
    Ready,
}

impl Dialect {
    fn content_type(self) -> &'static str {
        match self {
            Self::Lines => "application/x-ndjson; charset=utf-8",
            Self::Bare => "application/octet-stream",
            Self::Events | Self::Ready => "text/event-stream; charset=utf-8",
        }
    }
}

/// So many bytes of a client that has nothing to say are read and dropped; then the connection ends.
const UNASKED: usize = 64 * 1024;

/// The response, being written. It is not chunked and ends with the connection (RFC 9112 §6.3): haproxy holds back what
/// comes in chunks, each time for 200 ms, in the hope of more.
#[derive(Debug)]
pub(crate) struct EventStream<S = Stream> {
    stream: S,
    dialect: Dialect,
    /// What the operating system has not taken yet.
    out: Vec<u8>,
    written: usize,
    /// The most bytes that may wait.
    limit: usize,
    is_finished: bool,
    unasked: usize,
}

/// More waits than may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl<S> EventStream<S> {
    /// Begins a response.
    pub(crate) fn new(stream: S, dialect: Dialect, mut reply: Reply, limit: usize) -> Self {
        let mut new = Self::unbegun(stream, dialect, limit);
        new.begin(&mut reply);
        if dialect == Dialect::Events {
            // Some hold the head back until something follows it.
            new.out.extend_from_slice(b":\n\n");
        }
        new
    }

    /// A response that begins later, or is refused.
    pub(super) fn unbegun(stream: S, dialect: Dialect, limit: usize) -> Self {
        Self { stream, dialect, out: Vec::new(), written: 0, limit, is_finished: false, unasked: 0 }
    }

    /// Writes the head.
    pub(super) fn begin(&mut self, reply: &mut Reply) {
        head::stream(&mut self.out, reply, self.dialect.content_type());
    }

    /// Writes a whole response instead: a sentence. Nothing can follow it.
    pub(super) fn refuse(&mut self, status: StatusCode, reply: &mut Reply, sentence: &str) {
        reply.keeps_alive = false;
        self.out = head::whole(status, reply, "text/plain; charset=utf-8", sentence.as_bytes());
        self.is_finished = true;
    }

    /// The same response on another form of its stream.
    pub(super) fn try_map_stream<T, E>(
        self,
        change: impl FnOnce(S) -> Result<T, E>,
    ) -> Result<EventStream<T>, E> {
        let Self { stream, dialect, out, written, limit, is_finished, unasked } = self;
        let stream = change(stream)?;
        Ok(EventStream { stream, dialect, out, written, limit, is_finished, unasked })
    }

    /// Adds a message.
    ///
    /// # Errors
    /// When too much waits already.
    pub(super) fn push(&mut self, message: &[u8]) -> Result<(), Full> {
        if self.is_finished {
            return Ok(());
        }
        if self.waiting() + message.len() > self.limit {
            return Err(Full);
        }
        match self.dialect {
            Dialect::Bare | Dialect::Ready => self.out.extend_from_slice(message),
            Dialect::Lines => self.add(&[message, b"\n"]),
            // Replies without numbers come several in a message, a line each.
            Dialect::Events => {
                message.split(|byte| *byte == b'\n').for_each(|line| self.add(&[b"data: ", line, b"\n\n"]));
            }
        }
        Ok(())
    }

    /// How many bytes wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.out.len() - self.written
    }

    /// Says that nothing follows.
    pub(super) fn finish(&mut self) {
        self.is_finished = true;
    }

    fn add(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.out.extend_from_slice(part));
    }
}

impl EventStream {
    /// Writes what waits, as far as the operating system takes it at once.
    pub(super) fn try_flush(&mut self) -> Flush {
        let write = unconstrained(poll_fn(|cx| self.poll_write(cx)));
        match pin!(write).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(_) => Flush::Complete,
            Poll::Pending => Flush::Blocked,
        }
    }

    /// Writes what waits, and notices when the client goes. Ready when the response is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let written = self.poll_write(cx);
        match written {
            Poll::Ready(false) => return Poll::Ready(()),
            Poll::Ready(true) if self.is_finished => {
                ready!(Pin::new(&mut self.stream).poll_shutdown(cx).map(drop));
                return Poll::Ready(());
            }
            _ => {}
        }
        loop {
            let mut scratch = [0; 512];
            let mut read = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() && self.unasked < UNASKED => {
                    self.unasked += read.filled().len();
                }
                _ => return Poll::Ready(()),
            }
        }
    }

    /// Ready when nothing waits any more; false when nothing can be written.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while self.written < self.out.len() {
            let rest = self.out.get(self.written..).unwrap_or_default();
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest)) {
                Ok(count) if count > 0 => self.written += count,
                _ => return Poll::Ready(false),
            }
        }
        if !self.out.is_empty() {
            let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx)).is_ok();
            (self.out, self.written) = (Vec::new(), 0);
            return Poll::Ready(flushed);
        }
        Poll::Ready(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl EventStream<()> {
        /// What waits to be written.
        pub(in crate::resident) fn take_written(&mut self) -> String {
            String::from_utf8(std::mem::take(&mut self.out)).unwrap()
        }
    }

    fn written(dialect: Dialect, act: impl FnOnce(&mut EventStream<()>)) -> String {
        let mut stream = EventStream::new((), dialect, Reply::default(), 1000);
        act(&mut stream);
        let text = String::from_utf8(stream.out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        // Without a length or chunks, its end is that of the connection.
        assert!(head.contains("\r\nconnection: close") && !head.contains("transfer-encoding"), "{head}");
        body.to_owned()
    }

    #[test]
    fn messages_stand_as_their_dialect_has_them() {
        let say = |stream: &mut EventStream<()>| {
            stream.push(b"{\"a\":1}").unwrap();
            stream.push(b"{}\n{}").unwrap();
            stream.finish();
            stream.push(b"late").unwrap();
        };
        assert_eq!(written(Dialect::Lines, say), "{\"a\":1}\n{}\n{}\n");
        assert_eq!(written(Dialect::Bare, say), "{\"a\":1}{}\n{}");
        assert_eq!(written(Dialect::Events, say), ":\n\ndata: {\"a\":1}\n\ndata: {}\n\ndata: {}\n\n");
    }

    #[test]
    fn no_more_waits_than_may() {
        let mut stream = EventStream::new((), Dialect::Bare, Reply::default(), 4);
        stream.written = stream.out.len();
        assert_eq!(stream.push(b"abcd"), Ok(()));
        assert_eq!(stream.push(b"e"), Err(Full));
    }
}
