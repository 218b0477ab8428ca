//! A client and a server back to back under a schedule of commands, writes, losses and time: nothing is lost or invented,
//! nobody breaks a rule, and the end always comes.

use std::time::Duration;

use antiphon_proto::{Cause, CloseCode, Eof, Kind, Prepared, Role, SendError};

use crate::driver::{Driven, Seen, settings};
use crate::input::Choices;

/// One end and what its application did.
struct Peer {
    driven: Driven,
    /// Written, and not read by the other end yet.
    line: Vec<u8>,
    /// The messages that were sent whole.
    sent: Vec<(Kind, Vec<u8>)>,
    open: Option<(Kind, Vec<u8>)>,
    /// Of the message that is open.
    fragments: u32,
    /// Bytes that its peer never sent have been put into what it reads.
    is_fed: bool,
    /// The other end has ended its stream.
    is_cut: bool,
}

/// No schedule of this many turns is left unfinished.
const TURNS: usize = 512;

/// `limits, options, operations…`
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let (config, params) = settings(&mut choices);
    let mut peers = [Role::Client, Role::Server].map(|role| Peer {
        driven: Driven::new(role, config.clone(), params),
        line: Vec::new(),
        sent: Vec::new(),
        open: None,
        fragments: 0,
        is_fed: false,
        is_cut: false,
    });
    for _ in 0..TURNS {
        if choices.is_empty() {
            break;
        }
        let who = usize::from(choices.flag());
        act(&mut peers, who, &mut choices);
    }
    finish(&mut peers);
    for who in [0, 1] {
        check(&peers[1 - who], &peers[who]);
    }
}

fn act(peers: &mut [Peer; 2], who: usize, choices: &mut Choices<'_>) {
    match choices.below(16) {
        operation @ 0..=8 => peers[who].command(operation, choices),
        9 | 10 => carry(peers, who, choices.length()),
        11 => carry(peers, who, usize::MAX),
        12 => {
            let seconds = u64::from(choices.below(40));
            peers[who].driven.pass(Duration::from_secs(seconds));
        }
        13 => {
            // Somebody else's bytes, between two writes of the peer.
            let length = usize::from(choices.byte());
            let bytes = choices.take(length).to_vec();
            peers[who].is_fed = true;
            peers[who].driven.receive(&bytes);
        }
        14 => {
            let now = peers[who].driven.now;
            match choices.below(3) {
                0 => peers[who].driven.connection.handle_eof(now, Eof::Clean),
                1 => peers[who].driven.connection.handle_eof(now, Eof::Truncated),
                _ => peers[who].driven.connection.handle_reset(now),
            }
            peers[who].is_cut = true;
            peers[who].driven.receive(&[]);
        }
        _ => {
            let (now, code) = (peers[who].driven.now, u16::from(choices.byte()) << 5);
            let length = usize::from(choices.byte());
            let code = CloseCode::new(code);
            let closed = peers[who].driven.connection.close(now, code, &"x".repeat(length));
            assert_eq!(closed.is_ok(), code.is_sendable() && length <= 123);
        }
    }
}

/// Moves what one end has written to the other, up to `count` bytes.
fn carry(peers: &mut [Peer; 2], from: usize, count: usize) {
    let written = peers[from].driven.write(count);
    peers[from].line.extend(written);
    let read = count.min(peers[from].line.len());
    let bytes: Vec<u8> = peers[from].line.drain(..read).collect();
    let to = &mut peers[1 - from];
    if !to.is_cut {
        to.driven.receive(&bytes);
    }
}

impl Peer {
    fn command(&mut self, operation: u8, choices: &mut Choices<'_>) {
        let length = choices.length();
        let text = "Grüße, 你好; ".repeat(length / 16 + 1);
        let bytes: Vec<u8> = (0..length).map(|at| (at * at / 7) as u8).collect();
        let limits = self.driven.connection.config().limits;
        // What a peer with the same limits would refuse is not sent: fragments of compressed data are a little longer.
        if (text.len() + 64).max(length + 64) as u64 > limits.message.min(limits.frame) {
            return;
        }
        if operation == 7 && !self.fits(&text) {
            return;
        }
        let (connection, now) = (&mut self.driven.connection, self.driven.now);
        let was_open = connection.is_open();
        let result = match operation {
            0 => self.whole(Kind::Text, &text, |c, p| c.send_text(p)),
            1 => self.whole(Kind::Binary, &bytes, |c, p| c.send_binary(p)),
            2 => self.whole(Kind::Text, &text, |c, p| c.send_bytes(Kind::Text, p.as_bytes().to_vec())),
            3 => self.whole(Kind::Binary, &bytes, |c, p| c.send_uncompressed(Kind::Binary, p)),
            4 => self.whole(Kind::Text, &text, |c, p| c.send_prepared(&Prepared::text(p))),
            5 => connection.ping(now, &bytes),
            6 => {
                let kind = if length & 1 == 0 { Kind::Text } else { Kind::Binary };
                let begun = connection.begin_message(kind, length & 2 == 0);
                if begun.is_ok() {
                    self.open = Some((kind, Vec::new()));
                    self.fragments = 0;
                }
                begun
            }
            7 => self.push(text.as_bytes()),
            _ => {
                let finished = connection.finish();
                if finished.is_ok() {
                    self.sent.push(self.open.take().expect("a message was open"));
                }
                finished
            }
        };
        match result {
            Ok(()) => assert!(was_open, "nothing is sent after a Close"),
            Err(SendError::Closed) => assert!(!was_open),
            Err(SendError::MessageOpen) => assert!(self.open.is_some()),
            Err(SendError::NoMessageOpen) => assert!(self.open.is_none()),
            Err(SendError::ControlTooLong(length)) => assert!(length > 125 && operation == 5),
            Err(SendError::OutboxFull { waiting, limit }) => assert!(waiting >= limit),
            Err(error) => panic!("{error}"),
        }
    }

    fn whole<P: AsRef<[u8]> + ?Sized>(
        &mut self,
        kind: Kind,
        payload: &P,
        send: impl FnOnce(&mut antiphon_proto::Connection, &P) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        send(&mut self.driven.connection, payload)?;
        self.sent.push((kind, payload.as_ref().to_vec()));
        Ok(())
    }

    /// Whether this fragment can be sent, and after it the one that ends the message.
    fn fits(&self, payload: &str) -> bool {
        let limits = self.driven.connection.config().limits;
        let length = self.open.as_ref().map_or(0, |(_, message)| message.len()) + payload.len();
        length as u64 <= limits.message && self.fragments + 2 <= limits.fragments
    }

    fn push(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.driven.connection.push(payload)?;
        self.fragments += 1;
        let (_, message) = self.open.as_mut().expect("a message was open");
        message.extend_from_slice(payload);
        Ok(())
    }
}

/// Lets everything arrive, closes, and waits: then both are done.
fn finish(peers: &mut [Peer; 2]) {
    for _ in 0..8 {
        carry(peers, 0, usize::MAX);
        carry(peers, 1, usize::MAX);
    }
    let now = peers[0].driven.now;
    peers[0].driven.connection.close(now, CloseCode::NORMAL, "").expect("1000 may be sent");
    for _ in 0..8 {
        for who in [0, 1] {
            carry(peers, who, usize::MAX);
            let connection = &peers[who].driven.connection;
            // Whoever drops the transport ends the stream, too.
            if (connection.wants_shutdown() || connection.is_done()) && !peers[1 - who].is_cut {
                peers[1 - who].is_cut = true;
                let now = peers[1 - who].driven.now;
                peers[1 - who].driven.connection.handle_eof(now, Eof::Clean);
                peers[1 - who].driven.receive(&[]);
            }
        }
        for peer in peers.iter_mut() {
            peer.driven.pass(Duration::from_secs(3));
        }
    }
    for peer in peers {
        assert!(peer.driven.connection.is_done(), "the end comes: {:?}", peer.driven.connection);
        assert!(peer.driven.closed().is_some(), "the end is told");
    }
}

/// What `to` got is what `from` sent, in order, from the beginning; all of it if the two closed by handshake.
fn check(from: &Peer, to: &Peer) {
    let end = to.driven.closed().expect("the end was told");
    if to.is_fed {
        return;
    }
    assert!(!matches!(end.cause, Cause::Violation(_)), "our own peer breaks no rule: {end}");
    let got = messages(&to.driven.seen);
    assert!(got.len() <= from.sent.len(), "a message was invented");
    assert!(got == from.sent[..got.len()], "a message was changed");
    if end.cause == Cause::Handshake {
        assert_eq!(got.len(), from.sent.len(), "all that was sent before a Close comes before it");
    }
}

fn messages(seen: &[Seen]) -> Vec<(Kind, Vec<u8>)> {
    let mut messages = Vec::new();
    let mut open = None;
    for one in seen {
        match one {
            Seen::Text(text) => messages.push((Kind::Text, text.clone().into_bytes())),
            Seen::Binary(bytes) => messages.push((Kind::Binary, bytes.clone())),
            Seen::Begin(kind) => open = Some((*kind, Vec::new())),
            Seen::Chunk(bytes) => open.as_mut().expect("a chunk belongs to a message").1.extend(bytes),
            Seen::End => messages.push(open.take().expect("an end belongs to a message")),
            Seen::Ping(_) | Seen::Pong(_) | Seen::Closed(_) => {}
        }
    }
    messages
}
