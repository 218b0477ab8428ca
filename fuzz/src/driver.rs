//! Driving one connection in virtual time, and writing down what it says.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use antiphon_proto::deflate::{DeflateConfig, Params};
use antiphon_proto::{
    Cause, Config, Connection, Delivery, End, Entropy, Event, Input, KeepAliveConfig, Kind, Limits, Role,
};
use bytes::Buf;

use crate::input::Choices;

/// The masks of a client under test: the same each time.
pub struct Masks(pub u8);

impl Entropy for Masks {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(5).wrapping_add(113);
            *byte = self.0;
        }
    }
}

/// Where virtual time begins.
pub fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// What a connection said, with neighbouring chunks joined: how the input was cut must not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Begin(Kind),
    Chunk(Vec<u8>),
    End,
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Closed(Box<End>),
}

/// A connection, what it said, and what it wrote.
pub struct Driven {
    pub connection: Connection,
    pub seen: Vec<Seen>,
    pub now: Instant,
    open: Option<(Kind, Vec<u8>)>,
}

/// How a connection is set up, from two bytes.
pub fn settings(choices: &mut Choices<'_>) -> (Config, Option<Params>) {
    let limits = match choices.below(3) {
        0 => Limits::default(),
        1 => Limits { frame: u64::MAX, message: u64::MAX, fragments: u32::MAX, outbox: usize::MAX },
        _ => Limits { frame: 200, message: 300, fragments: 3, outbox: 500 },
    };
    let bits = choices.byte();
    let delivery = if bits & 1 == 0 { Delivery::Assembled } else { Delivery::Streamed };
    let keep_alive = (bits & 2 != 0).then(KeepAliveConfig::default);
    let takeover = bits & 8 != 0;
    let params = (bits & 4 != 0).then_some(Params {
        server_no_context_takeover: !takeover,
        client_no_context_takeover: !takeover,
        server_max_window_bits: 15 - (bits >> 4 & 7),
        client_max_window_bits: 15 - (bits >> 5 & 7),
    });
    let deflate = DeflateConfig { threshold: 0, no_context_takeover: !takeover, ..DeflateConfig::default() };
    (Config { limits, delivery, keep_alive, deflate, ..Config::default() }, params)
}

impl Driven {
    pub fn new(role: Role, config: Config, params: Option<Params>) -> Self {
        let (config, now) = (Arc::new(config), origin());
        let connection = match role {
            Role::Server => Connection::server(config, params, now),
            Role::Client => Connection::client(config, params, Box::new(Masks(7)), now),
        };
        Self { connection, seen: Vec::new(), now, open: None }
    }

    /// Gives it bytes from its peer.
    pub fn receive(&mut self, bytes: &[u8]) {
        let mut buffer = bytes.to_vec();
        let mut input = Input::new(&mut buffer);
        while let Some(event) = self.connection.poll(self.now, &mut input) {
            note(&mut self.seen, &mut self.open, self.connection.config().limits.message, event);
        }
        assert!(input.is_empty(), "`None` means that all has been taken");
        self.check_end();
    }

    /// Lets time pass, to the deadline if there is one before.
    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        if self.connection.poll_timeout().is_some_and(|deadline| deadline <= self.now) {
            self.connection.handle_timeout(self.now);
            assert!(
                self.connection.poll_timeout().is_none_or(|deadline| deadline > self.now),
                "a deadline that was handled stands again"
            );
        }
        self.receive(&[]);
    }

    /// Takes up to `count` of the bytes that wait to be written.
    pub fn write(&mut self, count: usize) -> Vec<u8> {
        let outbox = self.connection.outbox();
        let count = count.min(outbox.remaining());
        assert_eq!(outbox.len(), outbox.remaining());
        outbox.copy_to_bytes(count).to_vec()
    }

    /// How it ended, once it has.
    pub fn closed(&self) -> Option<&End> {
        match self.seen.last() {
            Some(Seen::Closed(end)) => Some(end),
            _ => None,
        }
    }

    fn check_end(&self) {
        let told = self.seen.iter().filter(|seen| matches!(seen, Seen::Closed(_))).count();
        assert!(told <= 1, "the end is told once");
        let Some(end) = self.closed() else {
            assert_eq!(told, 0, "nothing comes after the end");
            return;
        };
        assert!(self.connection.is_closed() && !self.connection.is_open());
        assert_eq!(self.connection.end().as_ref(), Some(end));
        if let (Cause::Violation(violation), Some(sent)) = (end.cause, &end.sent) {
            // Where this end had closed before, its own code stands.
            assert!(sent.code == violation.close_code() || end.first.is_some());
        }
    }
}

fn note(seen: &mut Vec<Seen>, open: &mut Option<(Kind, Vec<u8>)>, limit: u64, event: Event<'_>) {
    let within =
        |length: usize| assert!(length as u64 <= limit, "{length} bytes are above the limit of {limit}");
    match event {
        Event::Text(text) => {
            within(text.len());
            seen.push(Seen::Text(text.into_owned()));
        }
        Event::Binary(bytes) => {
            within(bytes.len());
            seen.push(Seen::Binary(bytes.into_owned()));
        }
        Event::Begin(kind) => {
            assert!(open.replace((kind, Vec::new())).is_none(), "a message begins within another");
            seen.push(Seen::Begin(kind));
        }
        Event::Chunk(bytes) => {
            let (_, message) = open.as_mut().expect("a chunk belongs to a message");
            assert!(!bytes.is_empty(), "no chunk is empty");
            message.extend_from_slice(&bytes);
            within(message.len());
            match seen.last_mut() {
                Some(Seen::Chunk(before)) => before.extend_from_slice(&bytes),
                _ => seen.push(Seen::Chunk(bytes.into_owned())),
            }
        }
        Event::End => {
            let (kind, message) = open.take().expect("an end belongs to a message");
            assert!(kind == Kind::Binary || std::str::from_utf8(&message).is_ok(), "text is UTF-8");
            seen.push(Seen::End);
        }
        Event::Ping(payload) => {
            assert!(payload.len() <= 125);
            seen.push(Seen::Ping(payload.into_owned()));
        }
        Event::Pong { payload, .. } => {
            assert!(payload.len() <= 125);
            seen.push(Seen::Pong(payload.into_owned()));
        }
        Event::Closed(end) => seen.push(Seen::Closed(end)),
    }
}
