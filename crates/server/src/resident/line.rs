//! A session with what its client listens on.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll as Turn};
use std::time::{Duration, Instant};

use antiphon_hub::inspect::Load;
use antiphon_hub::protocol::{Disconnect, DisconnectPush, Encoding, PollRequest, Push, Reply};
use antiphon_hub::{Control, Member, NotTaken, Origin, Replay, Said, Seed, Session, TakeOver, Unheard};
use antiphon_proto::{CloseCode, Prepared};
use antiphon_socket::Flush;
use bytes::Bytes;

use super::carrier::{Carrier, End};
use super::poll::{Connection, Poll};
use super::stream::Full;
use crate::http;
use crate::serve::{Pass, Seat, Worker};

/// A session with what its client listens on. It is a member of channels: others write to it in their turns.
pub(crate) struct Line {
    worker: Rc<Worker>,
    pub(super) session: Rc<Session>,
    encoding: Encoding,
    /// Nothing while the session waits for its client to come back.
    carrier: RefCell<Option<Carrier>>,
    /// What was said, where the client may come back for it.
    replay: RefCell<Option<Box<Replay>>>,
    /// So many of these messages were given to a carrier.
    told: Cell<u64>,
    /// Of the task.
    pub(super) seat: Seat,
    /// Something was queued since the last flush.
    queued: Cell<bool>,
    /// Something did not fit: the client reads too slowly, or stays away too long.
    overrun: Cell<bool>,
    /// What passes is shown to the session's trace.
    traced: Cell<bool>,
    /// How many messages the client was sent.
    sent: Cell<u64>,
    /// Counts what the client listens on.
    pass: RefCell<Option<Pass>>,
}

impl Line {
    pub(super) fn new(
        worker: &Rc<Worker>,
        carrier: Carrier,
        origin: Origin,
        pass: Pass,
        seed: Seed,
    ) -> Rc<Self> {
        Rc::new_cyclic(|line: &Weak<Self>| {
            let (node, local) = (Arc::clone(&worker.node), Rc::clone(&worker.local));
            let line = Weak::clone(line) as Weak<dyn Member>;
            let encoding = origin.encoding;
            let session = Session::new(node, local, line, origin, Instant::now(), seed);
            Self {
                worker: Rc::clone(worker),
                session: Rc::new(session),
                encoding,
                carrier: RefCell::new(Some(carrier)),
                replay: RefCell::default(),
                told: Cell::new(0),
                seat: worker.roster.seat(),
                queued: Cell::new(false),
                overrun: Cell::new(false),
                traced: Cell::new(false),
                sent: Cell::new(0),
                pass: RefCell::new(Some(pass)),
            }
        })
    }

    pub(super) fn is_overrun(&self) -> bool {
        self.overrun.get()
    }

    fn note_overrun(&self) {
        if !self.overrun.replace(true) {
            self.pass.borrow().iter().for_each(Pass::is_slow);
        }
    }

    /// Says what the session has to say. What it gives is another session to which the client goes.
    pub(super) fn say(&self) -> Option<Box<TakeOver>> {
        let mut take_over = None;
        self.session.drain(&mut |said| match said {
            Said::Message(message) => self.tell(message.into()),
            Said::Aside(message) => {
                let mut replay = self.replay.borrow_mut();
                if replay.is_none() && self.session.tie().is_resumable() {
                    let limit = self.worker.settings().config.client.options.queue_max_size;
                    *replay = Some(Box::new(Replay::new(limit)));
                }
                drop(replay);
                self.tell_aside(message.into());
            }
            Said::Drop(disconnect) => self.finish(&disconnect),
            Said::TakeOver(to) => take_over = Some(to),
            Said::End(disconnect) => self.farewell(&disconnect),
        });
        take_over
    }

    /// Says what counts.
    fn tell(&self, message: Bytes) {
        self.sent.set(self.sent.get() + 1);
        if let Some(replay) = &mut *self.replay.borrow_mut() {
            replay.push(message.clone());
        }
        let outcome = self.carrier.borrow_mut().as_mut().map(|carrier| carrier.say(message, self.keeps()));
        self.count(outcome);
    }

    /// Says what does not.
    fn tell_aside(&self, message: Bytes) {
        self.sent.set(self.sent.get() + 1);
        let outcome = self.carrier.borrow_mut().as_mut().map(|carrier| carrier.say(message, false));
        if outcome == Some(Err(Full)) {
            self.note_overrun();
        }
    }

    fn keeps(&self) -> bool {
        self.replay.borrow().is_some()
    }

    /// A message was given to the carrier, if there was one; what is kept may have lost the oldest for it.
    fn count(&self, outcome: Option<Result<(), Full>>) {
        if outcome == Some(Err(Full)) {
            self.note_overrun();
        }
        let replay = self.replay.borrow();
        let Some(replay) = &*replay else { return };
        let is_told = !matches!(&*self.carrier.borrow(), Some(Carrier::Poll(_)) | None);
        if is_told {
            self.told.set(replay.count());
        } else if replay.dropped() > self.told.get() {
            self.note_overrun();
        }
    }

    /// Ends what the client listens on.
    fn finish(&self, disconnect: &Disconnect) {
        if let Some(carrier) = &mut *self.carrier.borrow_mut() {
            carrier.finish(CloseCode::new(code(disconnect)), &disconnect.reason);
        }
    }

    /// Says why the session ends, and ends it. A Close frame says it by itself; who has a session is told when to come back as well.
    fn farewell(&self, disconnect: &Disconnect) {
        let is_socket = matches!(&*self.carrier.borrow(), Some(Carrier::Socket(..)));
        if !is_socket || self.keeps() {
            let after = if *disconnect == Disconnect::SHUTDOWN { self.reconnect_after_ms() } else { 0 };
            self.tell_aside(self.encoding.encode(&last_push(disconnect, after)).into());
        }
        self.finish(disconnect);
    }

    /// A moment of the drain window, so that those who come back together now do not do so elsewhere.
    fn reconnect_after_ms(&self) -> u32 {
        let window = self.worker.settings().config.shutdown.drain_window.0.as_millis();
        let window = u32::try_from(window).unwrap_or(u32::MAX);
        getrandom::u32().unwrap_or_default() % window.max(1)
    }

    /// Shows that the connection lives, where the session does not.
    pub(super) fn beat(&self, now: Instant) {
        let outcome = self.carrier.borrow_mut().as_mut().map(|carrier| carrier.beat(now));
        if outcome == Some(Err(Full)) {
            self.note_overrun();
        }
    }

    /// Answers a poll, where there is something to say or it has waited long enough.
    pub(super) fn answer(&self, now: Instant) {
        let mut carrier = self.carrier.borrow_mut();
        let Some(Carrier::Poll(poll)) = &mut *carrier else { return };
        if !poll.is_waiting() {
            return;
        }
        let replay = self.replay.borrow();
        let is_due = poll.has_asides() || self.session.is_ended() || poll.until <= now;
        match replay.as_ref().and_then(|replay| replay.after(poll.from)) {
            Some(messages) => {
                let mut messages = messages.peekable();
                if is_due || messages.peek().is_some() {
                    let count = poll.answer_with(messages);
                    self.told.set(self.told.get().max(poll.from + count));
                }
            }
            None if is_due => {
                poll.answer_with(std::iter::empty());
            }
            None => {}
        }
    }

    /// Lets the carrier have its turn. Ready when it has ended, or has given something to work on.
    pub(super) fn poll_carrier(&self, cx: &mut Context<'_>, reads: bool) -> Turn<Option<End>> {
        let mut carrier = self.carrier.borrow_mut();
        let Some(carrier) = &mut *carrier else { return Turn::Pending };
        carrier.poll(cx, reads, &mut |message| self.session.receive(message))
    }

    /// When the carrier has something to do though nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.carrier.borrow().as_ref().and_then(Carrier::deadline)
    }

    /// The client listens on nothing any more. Whether the session waits for it.
    pub(super) fn detach(&self, now: Instant, end: End) -> bool {
        let carrier = self.carrier.take();
        if let Some(Carrier::Poll(poll)) = carrier
            && let Some(connection) = poll.into_connection()
        {
            http::go_on(&self.worker, connection);
        }
        if self.session.is_ended() {
            return false;
        }
        if end == End::Left || !self.keeps() {
            self.session.end(Disconnect::CONNECTION_CLOSED);
            return false;
        }
        self.session.tie().wait(now);
        true
    }

    /// What the client listens on, to be given to another session.
    pub(super) fn give_away(&self) -> Option<(Carrier, Pass)> {
        self.carrier.take().zip(self.pass.take())
    }

    pub(super) fn has_carrier(&self) -> bool {
        self.carrier.borrow().is_some()
    }

    /// The client has come back, on another carrier.
    pub(crate) fn take_over(&self, take_over: TakeOver, carrier: Carrier, pass: Pass) {
        let ack = take_over.ack;
        if ack < self.session.tie().acked() {
            // The client has said since that it has had more: it gave this carrier up before it was heard.
            return super::refuse(&self.worker, carrier, take_over.origin, pass);
        }
        self.replace(carrier);
        self.pass.replace(Some(pass));
        let answer = self.session.tie().resume(Instant::now(), take_over);
        if let Some(Carrier::Poll(poll)) = &mut *self.carrier.borrow_mut() {
            poll.from = ack;
        }
        if self.can_go_on(ack) {
            self.tell_aside(answer.into());
            self.tell_again(ack);
        } else {
            self.session.end(Disconnect::INSUFFICIENT_STATE);
        }
        self.seat.wake();
    }

    /// Whether all that the client lacks is kept.
    fn can_go_on(&self, ack: u64) -> bool {
        let mut replay = self.replay.borrow_mut();
        let Some(replay) = replay.as_mut().filter(|replay| replay.after(ack).is_some()) else {
            return false;
        };
        replay.ack(ack);
        true
    }

    /// Gives the carrier again what the client has not had.
    fn tell_again(&self, ack: u64) {
        let mut outcome = Ok(());
        {
            let replay = self.replay.borrow();
            let mut carrier = self.carrier.borrow_mut();
            let messages = replay.iter().filter_map(|replay| replay.after(ack)).flatten();
            for message in messages {
                if let Some(carrier) = &mut *carrier {
                    outcome = outcome.and(carrier.say(message.clone(), true));
                }
            }
        }
        self.count(Some(outcome));
    }

    /// Ends the carrier there is, if there is one, in favour of another.
    fn replace(&self, carrier: Carrier) {
        if let Some(old) = self.carrier.replace(Some(carrier)) {
            super::leave(&self.worker, old);
        }
    }

    /// A poll of a client that has polled before.
    pub(crate) fn poll(&self, request: PollRequest, mut poll: Poll) {
        if let Some(Carrier::Socket(..) | Carrier::Stream(_)) = &*self.carrier.borrow() {
            // It has not said that it changes its transport: that takes a `connect`.
            return super::refuse_poll(&self.worker, poll, Unheard::Gone);
        }
        let tie = self.session.tie();
        if request.ack < tie.acked() {
            // Late in the same way.
            return super::refuse_poll(&self.worker, poll, Unheard::Gone);
        }
        if let Err(refused) = self.take(request.commands, request.close) {
            return super::refuse_poll(&self.worker, poll, Unheard::NotTaken(refused));
        }
        tie.ack(request.ack);
        tie.hold();
        poll.from = request.ack;
        self.replace(Carrier::Poll(Box::new(poll)));
        if !self.can_go_on(request.ack) {
            self.session.end(Disconnect::INSUFFICIENT_STATE);
        }
        self.seat.wake();
    }

    /// Takes commands that came by another way than the carrier.
    ///
    /// # Errors
    /// When they are not taken, or not all of them.
    pub(crate) fn take(&self, commands: Bytes, closes: bool) -> Result<(), NotTaken> {
        if closes {
            self.session.end(Disconnect::CONNECTION_CLOSED);
        }
        let outcome = match commands.is_empty() {
            true => Ok(()),
            false => self.session.tie().take(commands),
        };
        if let Some(replay) = &mut *self.replay.borrow_mut() {
            replay.ack(self.session.tie().acked());
        }
        self.seat.wake();
        outcome
    }

    /// Forgets what the client says that it has had.
    pub(super) fn forget_acked(&self) {
        if let Some(replay) = &mut *self.replay.borrow_mut() {
            replay.ack(self.session.tie().acked());
        }
    }
}

/// What a client hears at the end of its session, where no Close frame says it.
pub(crate) fn last_push(disconnect: &Disconnect, reconnect_after_ms: u32) -> Reply {
    let push = DisconnectPush {
        code: code(disconnect).into(),
        reason: disconnect.reason.to_string(),
        reconnect: disconnect.is_reconnect(),
        reconnect_after_ms,
    };
    let push = Push { disconnect: Some(push), ..Push::default() };
    Reply { push: Some(Box::new(push)), ..Reply::default() }
}

/// The code of a Close frame. Whatever an application says, it is one that a client of the protocol knows what to do about.
fn code(disconnect: &Disconnect) -> u16 {
    u16::try_from(disconnect.code).ok().filter(|code| (3000..5000).contains(code)).unwrap_or(3000)
}

/// A poll that waits for as long as one may.
pub(super) fn patient(worker: &Worker, connection: Connection) -> Poll {
    let timeout: Duration = worker.settings().config.client.options.poll_timeout.0;
    Poll::new(connection, Instant::now() + timeout)
}

impl Member for Line {
    fn queue(&self, frame: &Prepared) -> bool {
        self.sent.set(self.sent.get() + 1);
        if self.traced.get() {
            self.traced.set(self.session.tie().trace(frame.payload()));
        }
        if let Some(replay) = &mut *self.replay.borrow_mut() {
            replay.push(frame.payload().clone());
        }
        let outcome = self.carrier.borrow_mut().as_mut().map(|carrier| carrier.queue(frame));
        self.count(outcome);
        !self.queued.replace(true)
    }

    fn flush(&self) {
        self.queued.set(false);
        let flush = self.carrier.borrow_mut().as_mut().map(Carrier::try_flush);
        if flush == Some(Flush::Blocked) || self.overrun.get() {
            self.seat.wake();
        }
    }

    fn lost(&self, channel: &str) {
        self.session.lost(channel);
        self.seat.wake();
    }

    fn order(&self, control: &Arc<Control>) {
        self.session.order(control);
        self.seat.wake();
    }

    fn session(&self) -> Option<&Session> {
        Some(&self.session)
    }

    fn load(&self) -> Load {
        let waiting = self.carrier.borrow_mut().as_mut().and_then(Carrier::waiting);
        let kept = || self.replay.borrow().as_ref().map_or(0, |replay| replay.bytes());
        Load { queue_bytes: waiting.unwrap_or_else(kept), messages_out: self.sent.get() }
    }

    fn trace(&self, is_on: bool) {
        self.traced.set(is_on);
    }
}
