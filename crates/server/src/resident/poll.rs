//! A poll: a request that is answered when there is something to say.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll as Turn, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use hyper::StatusCode;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::head::{self, Reply};
use crate::stream::Stream;

/// So many bytes of messages go into one answer; the rest into the next.
const ANSWER_BYTES: usize = 256 * 1024;

/// So much of the next request is read while this one waits.
const AHEAD: usize = 16 * 1024;

/// A request that waits for its answer.
#[derive(Debug)]
pub(crate) struct Poll<S = Stream> {
    connection: Box<Connection<S>>,
    /// How many messages the client has had.
    pub(super) from: u64,
    /// What goes into the answer without being counted.
    asides: Vec<Bytes>,
    /// It is answered then, whatever there is.
    pub(super) until: Instant,
    state: State,
}

/// A connection between a request and its response. It serves no other request meanwhile.
#[derive(Debug)]
pub(crate) struct Connection<S = Stream> {
    pub(crate) stream: S,
    pub(crate) peer: IpAddr,
    /// What came behind the request.
    pub(crate) read: BytesMut,
    pub(crate) reply: Reply,
}

#[derive(Debug)]
enum State {
    Waiting,
    Answering { out: Vec<u8>, written: usize },
    Answered,
}

/// What a poll came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The answer has been given. The connection is free, where there is one and it can go on.
    Answered,
    /// The client has gone.
    Gone,
}

impl<S> Poll<S> {
    pub(crate) fn new(connection: Connection<S>, until: Instant) -> Self {
        Self { connection: Box::new(connection), from: 0, asides: Vec::new(), until, state: State::Waiting }
    }

    /// The same poll on another form of its connection.
    pub(super) fn try_map_stream<T, E>(self, change: impl FnOnce(S) -> Result<T, E>) -> Result<Poll<T>, E> {
        let Self { connection, from, asides, until, state } = self;
        let Connection { stream, peer, read, reply } = *connection;
        let connection = Box::new(Connection { stream: change(stream)?, peer, read, reply });
        Ok(Poll { connection, from, asides, until, state })
    }

    /// Adds what does not count.
    pub(super) fn aside(&mut self, message: Bytes) {
        self.asides.push(message);
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    /// Whether there is something to say besides what counts.
    pub(super) fn has_asides(&self) -> bool {
        !self.asides.is_empty()
    }

    /// Answers with what does not count and, behind it, with messages. It says how many of these there is room for.
    pub(super) fn answer_with<'m>(&mut self, messages: impl Iterator<Item = &'m Bytes>) -> u64 {
        let mut body = format!("{{\"seq\":{},\"replies\":[", self.from).into_bytes();
        let mut count = 0;
        let asides = std::mem::take(&mut self.asides);
        for message in &asides {
            add(&mut body, message);
        }
        for message in messages {
            if count > 0 && body.len() + message.len() > ANSWER_BYTES {
                break;
            }
            add(&mut body, message);
            count += 1;
        }
        body.extend_from_slice(b"]}\n");
        self.answer(StatusCode::OK, &body);
        count
    }

    /// Answers.
    pub(crate) fn answer(&mut self, status: StatusCode, body: &[u8]) {
        let out = head::whole(status, &mut self.connection.reply, "application/json", body);
        self.state = State::Answering { out, written: 0 };
    }
}

fn add(body: &mut Vec<u8>, message: &[u8]) {
    if !body.ends_with(b"[") {
        body.push(b',');
    }
    body.extend_from_slice(message);
}

impl Poll {
    /// Waits, and gives the answer once there is one.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Turn<Outcome> {
        let connection = &mut *self.connection;
        let stream = Pin::new(&mut connection.stream);
        match &mut self.state {
            State::Waiting => {
                ready!(poll_ahead(stream, &mut connection.read, cx));
                Turn::Ready(Outcome::Gone)
            }
            State::Answering { out, written } => {
                if ready!(poll_write_all(stream, out, written, cx)) {
                    self.state = State::Answered;
                    Turn::Ready(Outcome::Answered)
                } else {
                    Turn::Ready(Outcome::Gone)
                }
            }
            State::Answered => Turn::Ready(Outcome::Answered),
        }
    }

    /// The connection, when it has its answer and can serve another request.
    pub(super) fn into_connection(self) -> Option<Connection> {
        matches!(self.state, State::Answered).then_some(*self.connection)
    }
}

/// Reads of the next request what there is room for, so that it is noticed when the client goes. Ready when it has.
fn poll_ahead(mut stream: Pin<&mut Stream>, read: &mut BytesMut, cx: &mut Context<'_>) -> Turn<()> {
    while read.len() < AHEAD {
        let mut scratch = [0; 512];
        let mut buffer = ReadBuf::new(&mut scratch);
        match ready!(stream.as_mut().poll_read(cx, &mut buffer)) {
            Ok(()) if !buffer.filled().is_empty() => read.extend_from_slice(buffer.filled()),
            _ => return Turn::Ready(()),
        }
    }
    Turn::Pending
}

/// Ready when all is written; false when it cannot be.
fn poll_write_all(
    mut stream: Pin<&mut Stream>,
    out: &[u8],
    written: &mut usize,
    cx: &mut Context<'_>,
) -> Turn<bool> {
    while let Some(rest) = out.get(*written..).filter(|rest| !rest.is_empty()) {
        match ready!(stream.as_mut().poll_write(cx, rest)) {
            Ok(count) if count > 0 => *written += count,
            _ => return Turn::Ready(false),
        }
    }
    stream.poll_flush(cx).map(|flushed| flushed.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(asides: &[&'static str], messages: &[Bytes]) -> (u64, String) {
        let peer = IpAddr::from([127, 0, 0, 1]);
        let connection = Connection { stream: (), peer, read: BytesMut::new(), reply: Reply::default() };
        let mut poll = Poll::new(connection, Instant::now());
        poll.from = 7;
        asides.iter().for_each(|aside| poll.aside(Bytes::from_static(aside.as_bytes())));
        let count = poll.answer_with(messages.iter());
        let State::Answering { out, written: 0 } = poll.state else { panic!("it does not answer") };
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        (count, body.to_owned())
    }

    #[test]
    fn an_answer_says_where_its_messages_begin() {
        assert_eq!(answer(&[], &[]), (0, "{\"seq\":7,\"replies\":[]}\n".into()));
        let messages = [Bytes::from("{\"b\":2}"), "{\"c\":3}".into()];
        assert_eq!(
            answer(&["{\"a\":1}"], &messages),
            (2, "{\"seq\":7,\"replies\":[{\"a\":1},{\"b\":2},{\"c\":3}]}\n".into())
        );
    }

    #[test]
    fn what_does_not_fit_waits_for_the_next_answer() {
        let long = Bytes::from(vec![b'1'; ANSWER_BYTES]);
        let (count, body) = answer(&[], &[long.clone(), long]);
        assert_eq!((count, body.len() < ANSWER_BYTES + 100), (1, true));
    }
}
