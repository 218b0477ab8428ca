//! Two connections back to back, with a line between them that takes what it likes, in virtual time.

use std::time::{Duration, Instant};

use antiphon_proto::deflate::Params;
use antiphon_proto::{CloseCode, Config, Connection, Eof, Kind, Prepared, Role};
use bytes::Buf;

use crate::tested::{Keys, Seen, Tested};

/// One end: the connection, what the line carries away from it, and what its application saw and did.
pub struct End {
    pub tested: Tested,
    /// Written, and not read by the other end yet.
    line: Vec<u8>,
    /// This side of the stream has been shut down, or has failed.
    pub shut: Option<Shut>,
    /// The other end has been told.
    shut_told: bool,
    /// All that was ever written.
    pub wire: Vec<u8>,
    /// The messages that went out whole.
    pub sent: Vec<Seen>,
    /// A message that is being streamed.
    open: Option<(Kind, Vec<u8>)>,
    pub seen: Vec<Seen>,
    pub pings: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shut {
    Eof,
    Reset,
}

pub struct Pair {
    pub ends: [End; 2],
}

impl End {
    fn new(role: Role, config: Config, deflate: Option<Params>, begin: Instant) -> Self {
        let mut tested = Tested::new(role, config, deflate);
        tested.now = begin;
        Self {
            tested,
            line: Vec::new(),
            shut: None,
            shut_told: false,
            wire: Vec::new(),
            sent: Vec::new(),
            open: None,
            seen: Vec::new(),
            pings: 0,
        }
    }

    fn conn(&mut self) -> &mut Connection {
        &mut self.tested.conn
    }

    /// The application does something. What is refused is not done.
    pub fn act(&mut self, random: &mut Keys) {
        let length = [0, 1, 50, 300, 3000, 30_000][random.below(6)];
        let text = "some text, and some more ".repeat(length / 25 + 1);
        let noise = random.bytes(length);
        let now = self.tested.now;
        let conn = &mut self.tested.conn;
        let sent = match if self.open.is_some() { 4 + random.below(5) } else { random.below(9) } {
            0 => conn.send_text(&text).map(|()| Seen::Text(text)),
            1 => conn.send_binary(&noise).map(|()| Seen::Binary(noise)),
            2 => conn.send_bytes(Kind::Text, text.clone()).map(|()| Seen::Text(text)),
            3 => conn.send_uncompressed(Kind::Text, text.as_bytes()).map(|()| Seen::Text(text)),
            4 => conn.send_prepared(&Prepared::text(&text)).map(|()| Seen::Text(text)),
            5 => conn.send_prepared(&Prepared::binary(&noise)).map(|()| Seen::Binary(noise)),
            6 => {
                self.pings += usize::from(conn.ping(now, &noise[..noise.len().min(125)]).is_ok());
                return;
            }
            _ => return self.stream(&text, random),
        };
        self.sent.extend(sent.ok());
    }

    /// Begins, continues or ends a streamed message.
    fn stream(&mut self, text: &str, random: &mut Keys) {
        let conn = &mut self.tested.conn;
        if let Some((kind, bytes)) = &mut self.open {
            if random.below(2) > 0 {
                if conn.push(text.as_bytes()).is_ok() {
                    bytes.extend_from_slice(text.as_bytes());
                }
            } else if conn.finish().is_ok() {
                self.sent.push(match *kind {
                    Kind::Text => Seen::Text(String::from_utf8(std::mem::take(bytes)).unwrap()),
                    Kind::Binary => Seen::Binary(std::mem::take(bytes)),
                });
                self.open = None;
            }
        } else {
            let kind = if random.below(2) == 0 { Kind::Text } else { Kind::Binary };
            if conn.begin_message(kind, random.below(2) == 0).is_ok() {
                self.open = Some((kind, Vec::new()));
            }
        }
    }

    pub fn close(&mut self, random: &mut Keys) {
        let code = [1000, 1001, 3000, 4999][random.below(4)];
        let now = self.tested.now;
        self.conn().close(now, CloseCode::new(code), "done").unwrap();
    }

    /// Writes up to so many bytes of the outbox to the line.
    pub fn write(&mut self, most: usize) {
        if self.shut.is_some() {
            return;
        }
        let outbox = self.tested.conn.outbox();
        let count = outbox.len().min(most);
        let bytes = outbox.copy_to_bytes(count);
        self.line.extend_from_slice(&bytes);
        self.wire.extend_from_slice(&bytes);
        // §7.1.1: a driver ends its stream when it is asked to, or when it drops the transport.
        if self.tested.conn.wants_shutdown() || self.tested.conn.is_done() {
            self.shut = Some(Shut::Eof);
        }
    }

    /// Reads up to so many bytes of what `other` has written.
    pub fn read(&mut self, other: &mut Self, most: usize) {
        let count = other.line.len().min(most);
        let bytes: Vec<u8> = other.line.drain(..count).collect();
        self.seen.extend(self.tested.feed(&bytes));
        if let (Some(shut), true, false) = (other.shut, other.line.is_empty(), other.shut_told) {
            other.shut_told = true;
            let now = self.tested.now;
            match shut {
                Shut::Eof => self.conn().handle_eof(now, Eof::Clean),
                Shut::Reset => self.conn().handle_reset(now),
            }
            self.seen.extend(self.tested.feed(&[]));
        }
    }

    /// Nothing more is written to the line; the other end hears of it once it has read what is there.
    pub fn fail(&mut self, shut: Shut) {
        if self.shut.is_none() {
            self.shut = Some(shut);
        }
    }
}

impl Pair {
    pub fn new(configs: [Config; 2], deflate: Option<Params>) -> Self {
        let begin = crate::tested::origin();
        let [client, server] = configs;
        let client = End::new(Role::Client, client, deflate, begin);
        let server = End::new(Role::Server, server, deflate, begin);
        Self { ends: [client, server] }
    }

    /// One end and the other.
    pub fn side(&mut self, at: usize) -> (&mut End, &mut End) {
        let [client, server] = &mut self.ends;
        if at == 0 { (client, server) } else { (server, client) }
    }

    /// Time passes, and the timers that are due fire.
    pub fn pass(&mut self, duration: Duration) {
        for end in &mut self.ends {
            end.tested.now += duration;
            let now = end.tested.now;
            while end.tested.conn.poll_timeout().is_some_and(|at| at <= now) && !end.tested.conn.is_done() {
                let before = end.tested.conn.poll_timeout();
                end.tested.conn.handle_timeout(now);
                end.seen.extend(end.tested.feed(&[]));
                assert_ne!(end.tested.conn.poll_timeout(), before, "a timer that has fired is not due again");
            }
        }
    }

    /// All that waits is written and read, until nothing moves any more.
    pub fn settle(&mut self) {
        for _ in 0..20 {
            for at in [0, 1] {
                let (end, other) = self.side(at);
                end.write(usize::MAX);
                other.read(end, usize::MAX);
            }
        }
    }

    pub fn is_done(&self) -> bool {
        self.ends.iter().all(|end| end.tested.conn.is_done())
    }
}
