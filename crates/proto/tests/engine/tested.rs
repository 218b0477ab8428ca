//! A connection under test, in virtual time.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use antiphon_proto::deflate::Params;
use antiphon_proto::{
    Cause, Close, CloseCode, Config, Connection, Delivery, End, Entropy, Eof, Event, Input, Kind, Limits,
    Role, Violation,
};
use bytes::Buf;

use crate::wire::{self, Read};

pub const ROLES: [Role; 2] = [Role::Server, Role::Client];
pub const DELIVERIES: [Delivery; 2] = [Delivery::Assembled, Delivery::Streamed];

/// Where virtual time begins.
#[expect(
    clippy::disallowed_methods,
    reason = "an `Instant` cannot be made otherwise; no test looks at the clock again"
)]
pub fn origin() -> Instant {
    Instant::now()
}

pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn limits(limits: Limits) -> Config {
    Config { limits, ..Config::default() }
}

pub fn message_limit(message: u64) -> Config {
    limits(Limits { message, ..Limits::default() })
}

pub fn streamed() -> Config {
    Config { delivery: Delivery::Streamed, ..Config::default() }
}

/// permessage-deflate with or without context takeover, in both directions.
pub fn deflate(takeover: bool) -> Option<Params> {
    Some(Params {
        server_no_context_takeover: !takeover,
        client_no_context_takeover: !takeover,
        server_max_window_bits: 15,
        client_max_window_bits: 15,
    })
}

/// xorshift64*: reproducible, and good for tests only. Keeps what it has given out.
#[derive(Clone)]
pub struct Keys {
    state: u64,
    pub given: Arc<Mutex<Vec<[u8; 4]>>>,
}

impl Keys {
    pub fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, given: Arc::default() }
    }

    pub fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound.max(1)
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.next() >> 32) as u8).collect()
    }
}

impl Entropy for Keys {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes.iter_mut() {
            *byte = (self.next() >> 32) as u8;
        }
        if let Ok(key) = <[u8; 4]>::try_from(&*bytes) {
            self.given.lock().unwrap().push(key);
        }
    }
}

/// An [`Event`] that owns what it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Begin(Kind),
    Chunk(Vec<u8>),
    End,
    Ping(Vec<u8>),
    Pong(Vec<u8>, Option<Duration>),
    Closed(End),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.into_owned()),
            Event::Begin(kind) => Self::Begin(kind),
            Event::Chunk(bytes) => {
                assert!(!bytes.is_empty(), "a chunk is never empty");
                Self::Chunk(bytes.into_owned())
            }
            Event::End => Self::End,
            Event::Ping(payload) => Self::Ping(payload.into_owned()),
            Event::Pong { payload, round_trip } => Self::Pong(payload.into_owned(), round_trip),
            Event::Closed(end) => Self::Closed(*end),
        }
    }
}

pub struct Tested {
    pub conn: Connection,
    pub now: Instant,
    /// The masks that a client has drawn.
    pub keys: Arc<Mutex<Vec<[u8; 4]>>>,
}

impl Tested {
    pub fn new(role: Role, config: Config, deflate: Option<Params>) -> Self {
        let now = origin();
        let entropy = Keys::new(7);
        let keys = entropy.given.clone();
        let config = Arc::new(config);
        let conn = match role {
            Role::Server => Connection::server(config, deflate, now),
            Role::Client => Connection::client(config, deflate, Box::new(entropy), now),
        };
        assert_eq!(conn.role(), role);
        Self { conn, now, keys }
    }

    pub fn plain(role: Role) -> Self {
        Self::new(role, Config::default(), None)
    }

    /// One read.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Seen> {
        let mut bytes = bytes.to_vec();
        let mut steps = 0;
        let most = 3 * bytes.len() + 64 + (1 << 16);
        let mut input = Input::new(&mut bytes);
        let mut seen = Vec::new();
        while let Some(event) = self.conn.poll(self.now, &mut input) {
            seen.push(Seen::from(event));
            steps += 1;
            assert!(steps < most, "each event takes input or gives output");
        }
        assert!(input.is_empty(), "`None`: all of the input has been taken");
        seen
    }

    /// One read after each cut.
    pub fn feed_cut(&mut self, bytes: &[u8], cuts: &[usize]) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut from = 0;
        for cut in cuts.iter().copied().chain([bytes.len()]) {
            let to = cut.clamp(from, bytes.len());
            seen.extend(self.feed(&bytes[from..to]));
            from = to;
        }
        seen
    }

    /// A read for each byte.
    pub fn dribble(&mut self, bytes: &[u8]) -> Vec<Seen> {
        bytes.iter().flat_map(|byte| self.feed(&[*byte])).collect()
    }

    /// Takes what is to be written.
    pub fn wire(&mut self) -> Vec<u8> {
        let outbox = self.conn.outbox();
        let length = outbox.len();
        let bytes = outbox.copy_to_bytes(length).to_vec();
        assert!(self.conn.outbox().chunk().is_empty() || !self.conn.outbox().is_empty());
        bytes
    }

    /// Takes the frames that are to be written, masked as they must be.
    pub fn written(&mut self) -> Vec<Read> {
        let masked = self.conn.role() == Role::Client;
        let frames = wire::parse(&self.wire());
        assert!(frames.iter().all(|frame| frame.key.is_some() == masked), "§5.1: who masks");
        frames
    }

    pub fn later(&mut self, duration: Duration) {
        self.now += duration;
    }

    /// Lets time pass to the next timer, and handles it.
    pub fn timer(&mut self) -> Vec<Seen> {
        self.now = self.conn.poll_timeout().expect("a timer");
        self.conn.handle_timeout(self.now);
        self.feed(&[])
    }

    pub fn eof(&mut self, eof: Eof) -> Vec<Seen> {
        self.conn.handle_eof(self.now, eof);
        self.feed(&[])
    }
}

pub fn close(code: u16, reason: &str) -> Close {
    Close { code: CloseCode::new(code), reason: reason.into() }
}

/// The one Close frame among these, with its code.
pub fn close_of(frames: &[Read]) -> Option<u16> {
    let closes: Vec<_> = frames.iter().filter(|frame| frame.first == wire::CLOSE).collect();
    assert!(closes.len() <= 1, "§5.5.1: one Close frame at most: {closes:?}");
    assert!(
        closes.is_empty() || frames.last() == closes.last().copied(),
        "§5.5.1: nothing follows a Close frame"
    );
    let body = &closes.first()?.payload;
    Some(body.first_chunk::<2>().map_or(1005, |code| u16::from_be_bytes(*code)))
}

/// How to cut input of this length: not at all, after each byte, and once in each place (or in 64 of them).
pub fn cuts(length: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![], (1..length).collect()];
    all.extend((1..length).step_by((length / 64).max(1)).map(|at| vec![at]));
    all
}

/// Checks that a connection tells `before`, then refuses the input by this rule, however the input is cut; that the Close
/// frame says so; and that it then goes to its end. `what` is for the failure's message.
pub fn refused(
    mut make: impl FnMut() -> Tested,
    input: &[u8],
    before: &[Seen],
    violation: Violation,
    what: &str,
) {
    for cut in cuts(input.len()) {
        let mut tested = make();
        let mut seen = tested.feed_cut(input, &cut);
        let what = format!("{what}; {:?}, cut at {cut:?}", tested.conn.role());
        let Some(Seen::Closed(end)) = seen.pop() else { panic!("not refused: {what}: {seen:?}") };
        assert_eq!(seen, before, "{what}");
        assert_eq!(end.cause, Cause::Violation(violation), "{what}");
        assert_eq!(end.received, None, "{what}");
        assert!(!end.is_clean() && tested.conn.is_closed() && !tested.conn.is_open());
        let sent = end.sent.expect("a Close frame");
        assert_eq!((sent.code, sent.reason.as_str()), (violation.close_code(), &*violation.to_string()));
        assert!(!tested.conn.wants_shutdown(), "not before the Close frame is written: {what}");
        let written = tested.written();
        assert_eq!(close_of(&written), Some(violation.close_code().as_u16()), "{what}");
        assert_eq!(written.last().unwrap().payload, wire::close_body(sent.code.as_u16(), &sent.reason));
        // §7.1.7: no more is read; it lingers so that no reset eats the Close frame.
        assert_eq!(tested.feed(&[0xFF; 100]), [], "{what}");
        assert!(tested.conn.wants_shutdown() && !tested.conn.is_done(), "{what}");
        assert_eq!(tested.eof(Eof::Clean), []);
        assert!(tested.conn.is_done() && tested.wire().is_empty(), "{what}");
    }
}

/// Checks that a connection tells exactly this, however the input is cut.
pub fn tells(mut make: impl FnMut() -> Tested, input: &[u8], expected: &[Seen], what: &str) {
    for cut in cuts(input.len()) {
        let mut tested = make();
        let seen = tested.feed_cut(input, &cut);
        assert_eq!(seen, expected, "{what}; {:?}, cut at {cut:?}", tested.conn.role());
    }
}
