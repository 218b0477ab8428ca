//! One WebSocket connection after its opening handshake, without I/O.

mod config;
mod event;
mod gather;
mod input;
mod keep_alive;
mod outbox;
mod phase;
mod prepared;
mod reader;
mod writer;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes};

pub use config::{CloseTimeout, Config, Delivery, KeepAliveConfig, Limits};
pub use event::{Cause, End, Eof, Event, Kind, Role, Side};
pub use input::Input;
pub use outbox::Outbox;
pub use prepared::Prepared;
pub use writer::SendError;

use crate::deflate::{DeflaterSettings, Inflater, Params};
use crate::entropy::Entropy;
use crate::frame::close::{Close, CloseCode, InvalidClose};
use crate::frame::opcode::OpCode;
use crate::violation::Violation;
use keep_alive::{Due, KeepAlive, LatestPing};
use phase::{Phase, Stimulus};
use reader::{Incoming, Reader};
use writer::{DeflateSide, Writer};

/// One WebSocket connection after its opening handshake: bytes and the time go in, events and bytes come out.
///
/// ```text
///     wire                                                application
///   ───────►  poll(now, &mut input)  ──────────────────►  Event
///             handle_eof, handle_reset, handle_timeout
///
///   ◄───────  outbox()  ◄───────────────────────────────  send_text, send_binary, ping, close, …
///             poll_timeout(), wants_shutdown(), is_done()
/// ```
///
/// **Poll until it answers `None`, write the outbox, arm the timer.**
///
/// ```
/// # use std::{sync::Arc, time::Instant};
/// use antiphon_proto::{Config, Connection, Event, Input};
/// use bytes::Buf;
///
/// # let now = Instant::now();
/// let mut connection = Connection::server(Arc::new(Config::default()), None, now);
/// // A Text frame from a client: "Hello", masked.
/// let mut read = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
///
/// // 1. Poll until it answers `None`.
/// let mut input = Input::new(&mut read);
/// while let Some(event) = connection.poll(now, &mut input) {
///     if let Event::Text(text) = event {
///         connection.send_text(&text).unwrap();
///     }
/// }
/// // 2. Write the outbox.
/// assert_eq!(connection.outbox().chunk(), b"\x81\x05Hello");
/// connection.outbox().advance(7);
/// // 3. Arm the timer.
/// assert_eq!(connection.poll_timeout(), None);
/// ```
///
/// After [`Event::Closed`] the driver writes what is left in the outbox, shuts its side of the stream down when
/// [`wants_shutdown`](Self::wants_shutdown) says so, and reads on (what comes is thrown away) until
/// [`is_done`](Self::is_done).
pub struct Connection {
    config: Arc<Config>,
    phase: Phase,
    role: Role,
    reader: Reader,
    writer: Writer,
    keep_alive: Option<Box<KeepAlive>>,
    latest_ping: Option<LatestPing>,
    /// Once closing has begun.
    closing: Option<Box<Closing>>,
}

/// What is known of the end of a connection.
struct Closing {
    deadline: Instant,
    sent: Option<Close>,
    received: Option<Close>,
    first: Option<Side>,
    /// Set when there will be no more messages.
    cause: Option<Cause>,
    /// [`Event::Closed`] has been given out.
    told: bool,
}

/// Making one.
impl Connection {
    /// The server's end. `deflate` is what the handshake agreed on.
    pub fn server(config: Arc<Config>, deflate: Option<Params>, now: Instant) -> Self {
        Self::new(Role::Server, config, deflate, None, now)
    }

    /// The client's end, with its source of masks. `deflate` is what the handshake agreed on.
    pub fn client(
        config: Arc<Config>,
        deflate: Option<Params>,
        entropy: Box<dyn Entropy + Send>,
        now: Instant,
    ) -> Self {
        Self::new(Role::Client, config, deflate, Some(entropy), now)
    }

    fn new(
        role: Role,
        config: Arc<Config>,
        deflate: Option<Params>,
        entropy: Option<Box<dyn Entropy + Send>>,
        now: Instant,
    ) -> Self {
        let own = deflate.map(|params| {
            let (window_bits, no_context_takeover) = match role {
                Role::Server => (params.server_max_window_bits, params.server_no_context_takeover),
                Role::Client => (params.client_max_window_bits, params.client_no_context_takeover),
            };
            // §7.1.1: either end may reset its own compressor without having said so.
            let no_context_takeover = no_context_takeover || config.deflate.no_context_takeover;
            let window_bits = window_bits.min(config.deflate.max_window_bits);
            let (level, memory_level) = (config.deflate.level, config.deflate.memory_level);
            let settings = DeflaterSettings { window_bits, no_context_takeover, level, memory_level };
            DeflateSide { settings, threshold: config.deflate.threshold }
        });
        let inflater = deflate.map(|params| match role {
            Role::Server => Inflater::new(params.client_no_context_takeover),
            Role::Client => Inflater::new(params.server_no_context_takeover),
        });
        let reader = Reader::new(role == Role::Server, config.delivery, inflater);
        let keep_alive = config.keep_alive.map(|config| Box::new(KeepAlive::new(config, now)));
        Self {
            config,
            phase: Phase::Open,
            role,
            reader,
            writer: Writer::new(entropy, own),
            keep_alive,
            latest_ping: None,
            closing: None,
        }
    }
}

/// Getters.
impl Connection {
    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What it accepts, and how long it waits.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether there will be no more messages, though bytes may still have to be written.
    pub fn is_closed(&self) -> bool {
        !self.phase.reads()
    }

    /// How it ended, once it has.
    pub fn end(&self) -> Option<End> {
        let closing = self.closing.as_ref()?;
        Some(End {
            sent: closing.sent.clone(),
            received: closing.received.clone(),
            first: closing.first,
            cause: closing.cause?,
        })
    }
}

/// In.
impl Connection {
    /// Takes what has come, and tells the next thing in it. `None`: all of the input has been taken.
    ///
    /// A violation is no error of this call: it is the last event, [`Event::Closed`], and the Close frame that answers it is in
    /// the outbox already. What came before it has been told.
    pub fn poll<'i>(&mut self, now: Instant, input: &mut Input<'i>) -> Option<Event<'i>> {
        if !input.is_empty()
            && let Some(keep_alive) = &mut self.keep_alive
        {
            keep_alive.heard();
        }
        while self.phase.reads() {
            match self.reader.next(&self.config.limits, input) {
                Ok(Some(Incoming::Data(event))) => return Some(event),
                Ok(Some(Incoming::Control(opcode, payload))) => {
                    if let Some(event) = self.control(now, opcode, payload) {
                        return Some(event);
                    }
                }
                Ok(None) => return None,
                Err(violation) => self.violation(now, violation),
            }
        }
        // §5.5.1: what follows the peer's Close is not looked at.
        input.discard();
        self.closed()
    }

    /// Where the rest of a large binary message is to stand, while it is arriving: a driver that reads there saves a copy.
    /// It then says so by [`handle_payload`](Self::handle_payload), and polls. All input must have been taken before.
    pub fn payload_buffer(&mut self) -> Option<impl BufMut + '_> {
        if self.phase.reads() { self.reader.payload_buffer() } else { None }
    }

    /// So many bytes have been read to the [`payload_buffer`](Self::payload_buffer).
    pub fn handle_payload(&mut self, count: usize) {
        if let Some(keep_alive) = self.keep_alive.as_mut().filter(|_| count > 0) {
            keep_alive.heard();
        }
        self.reader.payload_read(count);
    }

    /// The transport takes bytes again after it had taken none, or bytes have come that are not polled yet: the peer is alive.
    pub fn handle_progress(&mut self) {
        if let Some(keep_alive) = &mut self.keep_alive {
            keep_alive.heard();
        }
    }

    /// The peer's stream has ended. [`poll`](Self::poll) then tells what that means.
    pub fn handle_eof(&mut self, now: Instant, eof: Eof) {
        self.over(now, Stimulus::Eof, Cause::Eof(eof));
    }

    /// The transport failed. [`poll`](Self::poll) then tells what that means.
    pub fn handle_reset(&mut self, now: Instant) {
        self.over(now, Stimulus::Reset, Cause::Reset);
        self.writer.outbox.clear();
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) told has come. [`poll`](Self::poll) then tells what that means.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.closing.as_ref().is_some_and(|closing| closing.deadline <= now) {
            self.over(now, Stimulus::Deadline, Cause::CloseTimeout);
            self.writer.outbox.clear();
        }
        if self.phase != Phase::Open {
            return;
        }
        match self.keep_alive.as_mut().map_or(Due::Nothing, |keep_alive| keep_alive.due(now)) {
            Due::Nothing => {}
            // Behind a full outbox another Ping would only wait; the peer has to make itself heard all the same.
            Due::Ping(_) if self.writer.outbox.len() >= self.config.limits.outbox => {}
            Due::Ping(payload) => {
                self.latest_ping = Some(LatestPing::new(&payload, now));
                self.writer.frame(true, false, OpCode::Ping, &payload);
            }
            Due::Dead(after) => {
                let cause = Cause::KeepAliveTimeout(after);
                self.fail(now, CloseCode::INTERNAL_ERROR, "no answer to a Ping", cause);
            }
        }
    }
}

/// Commands.
impl Connection {
    /// Sends a text message.
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.ready_for_message()?;
        self.writer.message(Kind::Text, text.as_bytes(), true);
        Ok(())
    }

    /// Sends a binary message.
    pub fn send_binary(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.ready_for_message()?;
        self.writer.message(Kind::Binary, payload, true);
        Ok(())
    }

    /// Sends a message whose bytes can be shared: a server refers to a large one rather than copying it.
    pub fn send_bytes(&mut self, kind: Kind, payload: impl Into<Bytes>) -> Result<(), SendError> {
        self.ready_for_message()?;
        let payload = payload.into();
        if kind == Kind::Text {
            crate::utf8::check_whole(&payload).map_err(|_| SendError::InvalidUtf8)?;
        }
        self.writer.shared_message(kind, payload, true);
        Ok(())
    }

    /// Sends a message as it is, though compression was agreed on: for what is compressed already, and for secrets beside
    /// which an attacker can place text of his own (the CRIME and BREACH attacks).
    pub fn send_uncompressed(&mut self, kind: Kind, payload: &[u8]) -> Result<(), SendError> {
        self.ready_for_message()?;
        if kind == Kind::Text {
            crate::utf8::check_whole(payload).map_err(|_| SendError::InvalidUtf8)?;
        }
        self.writer.message(kind, payload, false);
        Ok(())
    }

    /// Sends a message that was made into a frame once for many connections.
    pub fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), SendError> {
        self.ready_for_message()?;
        self.writer.prepared(prepared);
        Ok(())
    }

    /// Begins a message whose end is not known yet; `compress` where compression was agreed on.
    pub fn begin_message(&mut self, kind: Kind, compress: bool) -> Result<(), SendError> {
        self.ready_for_message()?;
        self.writer.begin(kind, compress)
    }

    /// Sends more of the message that was begun: one fragment.
    pub fn push(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.ready()?;
        self.writer.push(payload)
    }

    /// Ends the message that was begun.
    pub fn finish(&mut self) -> Result<(), SendError> {
        self.ready()?;
        self.writer.finish()
    }

    /// Sends a Ping; the Pong to the latest one tells the round-trip time.
    pub fn ping(&mut self, now: Instant, payload: &[u8]) -> Result<(), SendError> {
        self.ready()?;
        Writer::check_control(payload)?;
        self.latest_ping = Some(LatestPing::new(payload, now));
        self.writer.frame(true, false, OpCode::Ping, payload);
        Ok(())
    }

    /// Sends a Pong that answers no Ping (§5.5.3). Pings are answered without it.
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.ready()?;
        Writer::check_control(payload)?;
        self.writer.frame(true, false, OpCode::Pong, payload);
        Ok(())
    }

    /// Begins the closing handshake. Nothing can be sent from now on; messages still come until the peer's Close. When one
    /// side has closed already, nothing changes.
    pub fn close(&mut self, now: Instant, code: CloseCode, reason: &str) -> Result<(), InvalidClose> {
        let body = Close::encode(code, reason)?;
        if self.phase == Phase::Open {
            self.say_close(now, &body, Close { code, reason: reason.to_owned() }, Side::Local);
            self.phase = self.phase.after(Stimulus::Close);
        }
        Ok(())
    }

    fn ready(&self) -> Result<(), SendError> {
        if self.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        let (waiting, limit) = (self.writer.outbox.len(), self.config.limits.outbox);
        if waiting >= limit { Err(SendError::OutboxFull { waiting, limit }) } else { Ok(()) }
    }

    fn ready_for_message(&self) -> Result<(), SendError> {
        self.ready()?;
        if self.writer.is_streaming() { Err(SendError::MessageOpen) } else { Ok(()) }
    }
}

/// Out.
impl Connection {
    /// Bytes to be written.
    pub fn outbox(&mut self) -> &mut Outbox {
        if self.phase == Phase::Open {
            self.writer.flush_pong();
        }
        &mut self.writer.outbox
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, unless this changes before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (&self.closing, &self.keep_alive) {
            (Some(closing), _) if self.phase != Phase::Done => Some(closing.deadline),
            (None, Some(keep_alive)) => Some(keep_alive.deadline()),
            _ => None,
        }
    }

    /// Whether this end's side of the stream is to be shut down now: all is written. A server does so first (§7.1.1), and
    /// whoever fails the connection.
    pub fn wants_shutdown(&self) -> bool {
        let waits_for_server = self.role == Role::Client
            && self.closing.as_ref().is_some_and(|closing| closing.cause == Some(Cause::Handshake));
        self.phase == Phase::Finishing && self.writer.outbox.is_empty() && !waits_for_server
    }

    /// Whether the transport can be dropped.
    pub fn is_done(&self) -> bool {
        match self.phase {
            Phase::Done => true,
            Phase::Emptying => self.writer.outbox.is_empty(),
            Phase::Open | Phase::CloseSent | Phase::Finishing => false,
        }
    }
}

/// The closing handshake and control frames.
impl Connection {
    fn control<'i>(&mut self, now: Instant, opcode: OpCode, payload: Cow<'i, [u8]>) -> Option<Event<'i>> {
        match opcode {
            OpCode::Ping => {
                // After a Close of this end nothing more is sent (§5.5.1).
                if self.phase == Phase::Open {
                    self.writer.pong(&payload);
                }
                Some(Event::Ping(payload))
            }
            OpCode::Pong => {
                let round_trip = self.latest_ping.as_ref().and_then(|ping| ping.round_trip(&payload, now));
                if round_trip.is_some() {
                    self.latest_ping = None;
                }
                Some(Event::Pong { payload, round_trip })
            }
            _ => {
                match Close::decode(&payload) {
                    Ok(close) => self.peer_close(now, close),
                    Err(violation) => self.violation(now, violation),
                }
                None
            }
        }
    }

    fn peer_close(&mut self, now: Instant, close: Close) {
        if self.phase == Phase::Open {
            // §5.5.1: the answer "typically echoes the status code".
            let body = match close.code {
                CloseCode::NO_STATUS => Vec::new(),
                code => code.as_u16().to_be_bytes().to_vec(),
            };
            self.say_close(now, &body, Close { code: close.code, reason: String::new() }, Side::Peer);
        }
        if let Some(closing) = &mut self.closing {
            closing.received = Some(close);
            closing.cause = Some(Cause::Handshake);
        }
        self.leave(Stimulus::PeerClose);
    }

    fn violation(&mut self, now: Instant, violation: Violation) {
        self.fail(now, violation.close_code(), &violation.to_string(), Cause::Violation(violation));
    }

    /// Fails the connection (§7.1.7): says why, unless a Close was sent before, and reads no more.
    fn fail(&mut self, now: Instant, code: CloseCode, reason: &str, cause: Cause) {
        if self.phase == Phase::Open {
            let body = Close::encode(code, reason).unwrap_or_default();
            self.say_close(now, &body, Close { code, reason: reason.to_owned() }, Side::Local);
        }
        if let Some(closing) = &mut self.closing {
            closing.cause = Some(cause);
        }
        self.leave(Stimulus::Fail);
    }

    /// The one place where a Close frame is sent. The budget of the closing handshake starts here.
    fn say_close(&mut self, now: Instant, body: &[u8], close: Close, first: Side) {
        self.writer.frame(true, false, OpCode::Close, body);
        let closing = self.closing(now);
        closing.sent = Some(close);
        closing.first = Some(first);
    }

    fn closing(&mut self, now: Instant) -> &mut Closing {
        let deadline = keep_alive::later(now, self.config.close.0);
        self.closing.get_or_insert_with(|| {
            Box::new(Closing { deadline, sent: None, received: None, first: None, cause: None, told: false })
        })
    }

    /// The stream or the time is over.
    fn over(&mut self, now: Instant, stimulus: Stimulus, cause: Cause) {
        self.closing(now).cause.get_or_insert(cause);
        self.leave(stimulus);
    }

    /// Moves on, and frees what only an open connection needs.
    fn leave(&mut self, stimulus: Stimulus) {
        self.phase = self.phase.after(stimulus);
        if !self.phase.reads() {
            self.reader.clear();
            self.writer.clear();
            self.keep_alive = None;
            self.latest_ping = None;
        }
    }

    fn closed<'i>(&mut self) -> Option<Event<'i>> {
        let end = self.end()?;
        let closing = self.closing.as_mut().filter(|closing| !closing.told)?;
        closing.told = true;
        Some(Event::Closed(Box::new(end)))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role)
            .field("phase", &self.phase)
            .field("waiting", &self.writer.outbox.len())
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}
