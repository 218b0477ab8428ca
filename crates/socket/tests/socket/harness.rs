//! Streams that do as they are told, frames by hand, and two sockets back to back.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use antiphon_socket::proto::deflate::Params;
use antiphon_socket::proto::{
    CloseTimeout, Config, Connection, Delivery, End, Entropy, Event, Input, KeepAliveConfig, Limits,
};
use antiphon_socket::{Message, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// No test waits longer than this, in the time that it runs in.
pub async fn within<T>(limit: Duration, what: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, what).await.expect("it hangs")
}

/// Fails by the clock on the wall, for tests in real time.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    within(seconds(20), what).await
}

/// A reproducible source of masks, for tests only.
pub struct Keys(pub u64);

impl Keys {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: u64) -> usize {
        (self.next() >> 8) as usize % bound as usize
    }
}

impl Entropy for Keys {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| (self.next() >> 24) as u8);
    }
}

pub fn server<S: AsyncRead + AsyncWrite + Unpin>(stream: S, config: &Arc<Config>) -> WebSocket<S> {
    server_with(stream, config, None)
}

pub fn server_with<S>(stream: S, config: &Arc<Config>, deflate: Option<Params>) -> WebSocket<S> {
    let now = Instant::now().into_std();
    WebSocket::new(stream, Connection::server(Arc::clone(config), deflate, now), &[])
}

pub fn client_with<S>(stream: S, config: &Arc<Config>, deflate: Option<Params>) -> WebSocket<S> {
    let now = Instant::now().into_std();
    let keys = Box::new(Keys(0x9e37_79b9_7f4a_7c15));
    WebSocket::new(stream, Connection::client(Arc::clone(config), deflate, keys, now), &[])
}

/// A server and a client with so many bytes of room between them, each way.
pub fn pair(room: usize, config: &Arc<Config>) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (here, there) = tokio::io::duplex(room);
    (server(here, config), client_with(there, config, None))
}

/// permessage-deflate with a context that is kept, both ways.
pub fn deflate() -> Option<Params> {
    Some(Params {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: 15,
        client_max_window_bits: 15,
    })
}

pub fn defaults() -> Arc<Config> {
    Arc::default()
}

pub fn streamed() -> Arc<Config> {
    let limits = Limits { frame: u64::MAX, message: u64::MAX, ..Limits::default() };
    Arc::new(Config { delivery: Delivery::Streamed, limits, ..Config::default() })
}

/// Room for messages of 256 KiB, and 64 KiB of outbox.
pub fn narrow() -> Arc<Config> {
    let limits = Limits { frame: 256 << 10, message: 256 << 10, outbox: 64 << 10, ..Limits::default() };
    Arc::new(Config { limits, ..Config::default() })
}

/// A Ping after 10 seconds, 4 seconds to answer it, 2 seconds to close.
pub fn impatient() -> Arc<Config> {
    Arc::new(Config {
        keep_alive: Some(KeepAliveConfig { interval: seconds(10), timeout: seconds(4) }),
        close: CloseTimeout(seconds(2)),
        ..Config::default()
    })
}

/// A frame as a client sends it. `first` is its first byte.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = head(first, 0x80, payload.len());
    frame.extend(key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A frame as a server sends it.
pub fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, 0, payload.len());
    frame.extend(payload);
    frame
}

fn head(first: u8, mask: u8, length: usize) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..126 => head.push(mask | length as u8),
        126..=0xffff => {
            head.push(mask | 126);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(mask | 127);
            head.extend((length as u64).to_be_bytes());
        }
    }
    head
}

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;

/// What a read brings.
#[derive(Clone, Debug)]
pub enum Read {
    Data(Vec<u8>),
    /// Not yet, but soon: the task is woken at once.
    Later,
    /// Nothing for so long.
    Wait(Duration),
    Eof,
    Fail(io::ErrorKind),
}

/// What a write or a flush does.
#[derive(Clone, Copy, Debug)]
pub enum Write {
    /// Takes so many bytes at most.
    Take(usize),
    Later,
    /// Takes nothing for so long.
    Wait(Duration),
    /// Never takes anything again.
    Stuck,
    Fail(io::ErrorKind),
}

/// What has been done to a stream.
#[derive(Debug, Default)]
pub struct Log {
    pub written: Vec<u8>,
    pub writes: usize,
    pub reads: usize,
    pub flushed: usize,
    pub shut_down: bool,
}

/// A stream that does as it is told. When it has nothing more to read it is silent; when it has no more to say about
/// writing, it takes everything.
#[derive(Debug, Default)]
pub struct Script {
    reads: VecDeque<Read>,
    writes: VecDeque<Write>,
    flushes: VecDeque<Write>,
    read_wait: Option<Pin<Box<Sleep>>>,
    write_wait: Option<Pin<Box<Sleep>>>,
    log: Arc<Mutex<Log>>,
}

impl Script {
    pub fn new(reads: impl IntoIterator<Item = Read>) -> Self {
        Self { reads: reads.into_iter().collect(), ..Self::default() }
    }

    pub fn writes(mut self, writes: impl IntoIterator<Item = Write>) -> Self {
        self.writes = writes.into_iter().collect();
        self
    }

    pub fn flushes(mut self, flushes: impl IntoIterator<Item = Write>) -> Self {
        self.flushes = flushes.into_iter().collect();
        self
    }

    pub fn log(&self) -> Arc<Mutex<Log>> {
        Arc::clone(&self.log)
    }

    fn record(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }
}

/// The bytes one at a time, with nothing to read at every other call.
pub fn dribble(bytes: &[u8]) -> impl Iterator<Item = Read> {
    bytes.iter().flat_map(|byte| [Read::Later, Read::Data(vec![*byte])])
}

fn elapse(cx: &mut Context<'_>, wait: &mut Option<Pin<Box<Sleep>>>) -> Poll<()> {
    if let Some(sleep) = wait {
        ready!(sleep.as_mut().poll(cx));
        *wait = None;
    }
    Poll::Ready(())
}

fn obey(
    cx: &mut Context<'_>,
    steps: &mut VecDeque<Write>,
    wait: &mut Option<Pin<Box<Sleep>>>,
    all: usize,
) -> Poll<io::Result<usize>> {
    ready!(elapse(cx, wait));
    match steps.pop_front() {
        None => Poll::Ready(Ok(all)),
        Some(Write::Take(count)) => Poll::Ready(Ok(count.min(all))),
        Some(Write::Fail(kind)) => {
            steps.push_front(Write::Fail(kind));
            Poll::Ready(Err(kind.into()))
        }
        Some(Write::Later) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        Some(Write::Wait(time)) => {
            *wait = Some(Box::pin(sleep(time)));
            obey(cx, steps, wait, all)
        }
        Some(Write::Stuck) => {
            steps.push_front(Write::Stuck);
            Poll::Pending
        }
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.record().reads += 1;
        ready!(elapse(cx, &mut self.read_wait));
        match self.reads.pop_front() {
            None => Poll::Pending,
            Some(Read::Later) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Read::Wait(time)) => {
                self.read_wait = Some(Box::pin(sleep(time)));
                self.poll_read(cx, into)
            }
            Some(Read::Eof) => {
                self.reads.push_front(Read::Eof);
                Poll::Ready(Ok(()))
            }
            Some(Read::Fail(kind)) => {
                self.reads.push_front(Read::Fail(kind));
                Poll::Ready(Err(kind.into()))
            }
            Some(Read::Data(mut bytes)) => {
                let rest = bytes.split_off(bytes.len().min(into.remaining()));
                into.put_slice(&bytes);
                if !rest.is_empty() {
                    self.reads.push_front(Read::Data(rest));
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Script {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.record().writes += 1;
        let this = &mut *self;
        let count = ready!(obey(cx, &mut this.writes, &mut this.write_wait, bytes.len()))?;
        self.record().written.extend(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write(cx, &slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(obey(cx, &mut this.flushes, &mut this.write_wait, 0))?;
        let mut log = self.record();
        log.flushed = log.written.len();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.record().shut_down = true;
        Poll::Ready(Ok(()))
    }
}

/// What a client makes of what a server has written.
pub fn decode(wire: &[u8], deflate: Option<Params>) -> Vec<Seen> {
    let now = Instant::now().into_std();
    let mut client = Connection::client(defaults(), deflate, Box::new(Keys(1)), now);
    let mut wire = wire.to_vec();
    let mut input = Input::new(&mut wire);
    let mut seen = Vec::new();
    while let Some(event) = client.poll(now, &mut input) {
        seen.push(match event {
            Event::Text(text) => Seen::Message(Message::from(&*text)),
            Event::Binary(bytes) => Seen::Message(Message::from(bytes.into_owned())),
            Event::Ping(payload) => Seen::Ping(payload.into_owned()),
            Event::Pong { payload, .. } => Seen::Pong(payload.into_owned()),
            Event::Closed(end) => Seen::Closed(*end),
            event => panic!("{event:?} where messages are assembled"),
        });
    }
    seen
}

/// The code of the Close frame that ends it, if one does.
pub fn close_code(seen: &[Seen]) -> Option<u16> {
    match seen.last() {
        Some(Seen::Closed(end)) => end.received.as_ref().map(|close| close.code.as_u16()),
        _ => None,
    }
}

/// An event that owns its bytes.
#[derive(Debug, PartialEq)]
pub enum Seen {
    Message(Message),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Closed(End),
}

/// Polls so many times at most, then drops it.
pub async fn poll_at_most<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    for _ in 0..times {
        if let Poll::Ready(output) = futures_util::poll!(&mut future) {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}
