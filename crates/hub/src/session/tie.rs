//! What ties a client to its session where that is more than the connection: see `docs/src/session.md`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use super::connect::{Identity, seconds};
use super::{Origin, Output, Phase, Session, Transport, Work, kind_of, refresh, tap};
use crate::channels::WorkerId;
use crate::metrics::PONG;
use crate::protocol::{Command, ConnectResult, Disconnect, Reply};

/// The name of the extension by which a client asks for a session.
const EXTENSION: &str = "session";
/// Its version.
const VERSION: u32 = 1;

/// So many messages may wait to be worked on. More come only from a client that does not wait for its answers, on a transport that cannot make
/// it wait.
const BACKLOG: usize = 256;

/// What is known of a client that has a secret of its session.
#[derive(Debug)]
pub(super) struct Thread {
    secret: Arc<str>,
    /// The client asked for a session: its commands are numbered, and it may come back.
    pub(super) is_resumable: bool,
    /// The number of the last command that was taken.
    received: u64,
    /// How many messages the client has had, as far as it said.
    acked: u64,
    /// Nobody is there: the session ends then.
    pub(super) lapses: Option<Instant>,
}

/// A client that has proved who it is goes on with a session that there is.
#[derive(Debug, Clone, PartialEq)]
pub struct TakeOver {
    /// The secret of the session.
    pub session: Arc<str>,
    /// The worker that has it.
    pub worker: WorkerId,
    /// How many of its messages the client has had.
    pub ack: u64,
    /// Where the client comes from now.
    pub origin: Origin,
    /// The id of its `connect`.
    id: u32,
    identity: Identity,
}

/// Why a message of commands is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// It cannot be read.
    Malformed,
    /// A command has another number than the next one. What stood before it was taken.
    Gap {
        /// The next one.
        expected: u64,
    },
    /// Too much waits to be worked on.
    Busy,
}

/// What a number makes of a command.
enum Numbered {
    /// It is the next one, or has no need of a number.
    Next,
    /// The session has had it, or there is nothing to do.
    Nothing,
    Gap {
        expected: u64,
    },
}

/// A session, as transports see it that come and go.
#[derive(Debug, Clone, Copy)]
pub struct Tie<'a>(pub(super) &'a Rc<Session>);

impl Tie<'_> {
    /// Whether its client may come back.
    pub fn is_resumable(self) -> bool {
        is_resumable(self.0)
    }

    /// The secret by which it is found, where there is one: from `connect` on, for a client that asked for a session or cannot send
    /// on its transport.
    pub fn secret(self) -> Option<Arc<str>> {
        self.0.state.borrow().thread.as_ref().map(|thread| Arc::clone(&thread.secret))
    }

    /// How many messages the client has had, as far as it said.
    pub fn acked(self) -> u64 {
        self.0.state.borrow().thread.as_ref().map_or(0, |thread| thread.acked)
    }

    /// The client has had so many messages.
    pub fn ack(self, count: u64) {
        if let Some(thread) = &mut self.0.state.borrow_mut().thread {
            thread.acked = thread.acked.max(count);
        }
    }

    /// Takes a message of commands; numbered ones in their order, each once.
    ///
    /// # Errors
    /// When it cannot be read, or a number is not the next one.
    pub fn take(self, message: Bytes) -> Result<(), NotTaken> {
        let session = self.0;
        if session.state.borrow().work.len() >= BACKLOG {
            return Err(NotTaken::Busy);
        }
        session.node.metrics.bytes_in.add(message.len() as u64);
        tap::heard(session, &message);
        if !is_resumable(session) {
            session.push_work(Work::Message(message));
            return Ok(());
        }
        let (commands, fault) = match session.origin.encoding.decode(&message) {
            Ok(commands) => (commands, None),
            Err((before, _)) => (before, Some(NotTaken::Malformed)),
        };
        let mut taken = Vec::with_capacity(commands.len());
        let mut outcome = fault.map_or(Ok(()), Err);
        for command in commands {
            match number(session, &command) {
                Numbered::Next => taken.push(command),
                Numbered::Nothing => {}
                Numbered::Gap { expected } => {
                    outcome = Err(NotTaken::Gap { expected });
                    break;
                }
            }
        }
        if !taken.is_empty() {
            session.push_work(Work::Commands(taken));
        }
        outcome
    }

    /// The client has no transport, from `now` on: the session ends if none comes in time.
    pub fn wait(self, now: Instant) {
        let ttl = self.0.node.rules().client.session_ttl.0;
        let mut state = self.0.state.borrow_mut();
        state.pulse.pause();
        if let Some(thread) = &mut state.thread {
            thread.lapses = Some(now + ttl);
        }
        drop(state);
        tap::waits(self.0, ttl);
    }

    /// The client has a transport again, that of a poll.
    pub fn hold(self) {
        if let Some(thread) = &mut self.0.state.borrow_mut().thread {
            thread.lapses = None;
        }
    }

    /// The client goes on, on another transport. What it gives is the answer to its `connect`.
    pub fn resume(self, now: Instant, take_over: TakeOver) -> Vec<u8> {
        let session = self.0;
        let TakeOver { id, ack, origin, identity, .. } = take_over;
        let transport = origin.transport;
        self.ack(ack);
        tap::changed(session, &origin);
        session.transport.set(transport);
        let Identity { expire_at, info, meta, data, token, subs, .. } = identity;
        if token.is_some() && refresh::is_changed(session, &subs) {
            // As with a refresh: it connects again, and gets the channels of the new token.
            session.end(Disconnect::INSUFFICIENT_STATE);
        }
        let left = match refresh::prolong(session, now, expire_at, &info, &meta) {
            Ok(left) => left,
            Err(_) => {
                session.end(Disconnect::EXPIRED);
                None
            }
        };
        {
            let mut state = session.state.borrow_mut();
            if let Some(token) = token {
                state.who.token = token;
            }
            state.pulse.pause();
            if transport.is_pinged() {
                state.pulse.start(now);
            }
        }
        self.hold();
        session.node.metrics.resumed.add(1);
        note!(debug, session, transport = transport.name(), "a client goes on with its session");
        let connected = ConnectResult { resumed: true, ..result(session, left, &data) };
        session.origin.encoding.encode(&Reply { id, connect: Some(Box::new(connected)), ..Reply::default() })
    }
}

pub(super) fn is_resumable(session: &Session) -> bool {
    session.state.borrow().thread.as_ref().is_some_and(|thread| thread.is_resumable)
}

/// Whether a client asks for a session with its `connect`. One that polls has no other choice.
pub(super) fn asks(session: &Session, ext: &BTreeMap<String, u32>) -> bool {
    ext.get(EXTENSION).is_some_and(|version| *version >= VERSION)
        || session.transport.get() == Transport::Poll
}

/// The client is tied to its session from now on, by a secret.
pub(super) fn tie(session: &Session, secret: [u8; 16], is_resumable: bool, user: &Arc<str>) {
    let secret: Arc<str> = URL_SAFE_NO_PAD.encode(secret).into();
    let (directory, worker) = (&session.node.directory, session.local.worker());
    directory.add(&secret, worker, user, session.origin.encoding, is_resumable);
    let thread = Thread { secret, is_resumable, received: 0, acked: 0, lapses: None };
    session.state.borrow_mut().thread = Some(Box::new(thread));
}

/// The session cannot be found any more. A client that polls may not be listening at the moment: how it ended is kept for it, unless it
/// wished so itself.
pub(super) fn untie(session: &Session, disconnect: &Disconnect) {
    let Session { node, transport, state, .. } = session;
    if let Some(thread) = &state.borrow().thread {
        node.directory.remove(&thread.secret);
        if transport.get() == Transport::Poll && *disconnect != Disconnect::CONNECTION_CLOSED {
            node.directory.remember(&thread.secret, disconnect, node.clock.unix());
        }
    }
}

/// Looks for the session that a client wants to go on with, now that it is known who the client is. Where it is found, this one is
/// over without anybody having heard of it.
pub(super) fn hand_over(session: &Session, identity: &mut Identity, secret: &str, ack: u64, id: u32) -> bool {
    let found = session.node.directory.find(secret, &identity.user, session.origin.encoding);
    let Some((secret, worker)) = found else {
        session.node.metrics.not_resumed.add(1);
        note!(debug, session, "a session that a client asks for is not there, or not this client's");
        return false;
    };
    let take_over = TakeOver {
        session: secret,
        worker,
        ack,
        origin: session.origin.clone(),
        id,
        identity: std::mem::take(identity),
    };
    let mut state = session.state.borrow_mut();
    state.phase = Phase::Ended;
    state.work.clear();
    state.output.push_back(Output::TakeOver(Box::new(take_over)));
    true
}

/// Looks at the number of a command, in a session that has numbers.
fn number(session: &Session, command: &Command) -> Numbered {
    let mut state = session.state.borrow_mut();
    let Some(thread) = state.thread.as_mut().filter(|thread| thread.is_resumable) else {
        return Numbered::Next;
    };
    thread.acked = thread.acked.max(command.ack);
    if kind_of(command) == Some(PONG) && command.n == 0 {
        return if command.ack > 0 { Numbered::Nothing } else { Numbered::Next };
    }
    let expected = thread.received + 1;
    if command.n == expected {
        thread.received = expected;
        return Numbered::Next;
    }
    if command.n == 0 || command.n > expected { Numbered::Gap { expected } } else { Numbered::Nothing }
}

/// Whether a command that came behind `connect` is to be carried out.
///
/// # Errors
/// When its number is not the next one.
pub(super) fn admits(session: &Session, command: &Command) -> Result<bool, Disconnect> {
    match number(session, command) {
        Numbered::Next => Ok(true),
        Numbered::Nothing => Ok(false),
        Numbered::Gap { expected } => Err(gap(expected)),
    }
}

/// What a client hears that cannot be told by a status.
pub(super) fn gap(expected: u64) -> Disconnect {
    Disconnect {
        code: Disconnect::BAD_REQUEST.code,
        reason: format!("bad request: the next command has n = {expected}").into(),
    }
}

/// What every answer to `connect` says.
pub(super) fn result(session: &Session, left: Option<u32>, data: &Bytes) -> ConnectResult {
    let node = &session.node;
    let rules = node.rules();
    let left = left.filter(|_| !rules.client.refresh_proxy_enabled);
    let is_pinged = session.transport.get().is_pinged() && !rules.client.ping_interval.is_zero();
    let mut result = ConnectResult {
        client: session.id.to_string(),
        version: node.version.to_owned(),
        expires: left.is_some(),
        ttl: left.unwrap_or_default(),
        data: crate::wire::bytes(data, session.origin.encoding),
        ping: if is_pinged { seconds(rules.client.ping_interval.0.as_secs()) } else { 0 },
        pong: is_pinged && !rules.client.pong_timeout.is_zero(),
        time: if rules.client.connect_include_server_time { node.clock.unix_ms().cast_signed() } else { 0 },
        ..ConnectResult::default()
    };
    if let Some(thread) = &session.state.borrow().thread {
        result.session = thread.secret.to_string();
        result.node.clone_from(&node.identity.uid);
        if thread.is_resumable {
            result.ext = BTreeMap::from([(EXTENSION.to_owned(), VERSION)]);
            result.n = thread.received;
            result.session_ttl = seconds(rules.client.session_ttl.0.as_secs());
        }
    }
    result
}
