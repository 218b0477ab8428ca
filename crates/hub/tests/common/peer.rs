//! One client's connection: what a transport does, without a socket.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use antiphon_hub::inspect::Load;
use antiphon_hub::protocol::{Command, Disconnect, Encoding, Reply};
use antiphon_hub::{Control, Member, Origin, Replay, Said, Session, TakeOver, Transport};
use antiphon_proto::Prepared;
use bytes::{Buf as _, Bytes};
use prost::Message as _;

use super::World;

/// What has been written to the client.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    /// A message, its text or its bytes.
    Message(Bytes),
    /// A message that does not count.
    Aside(Bytes),
    /// The connection's end, and not the session's.
    Drop(Disconnect),
    /// The connection belongs to another session from now on.
    TakeOver(Box<TakeOver>),
    /// The connection's end.
    End(Disconnect),
}

/// A connection, as the transport's task has it.
pub(crate) struct Peer {
    line: Rc<Line>,
    work: Option<Pin<Box<dyn Future<Output = ()>>>>,
    pub(crate) encoding: Encoding,
    pub(crate) worker: usize,
    pub(crate) number: u64,
}

/// The same, as a member of channels.
struct Line {
    session: Rc<Session>,
    written: RefCell<Vec<Heard>>,
    is_queued: Cell<bool>,
    is_over: Cell<bool>,
    /// What was said, where the client may come back for it.
    replay: RefCell<Option<Replay>>,
    /// The most bytes of it.
    limit: usize,
    /// So many of these messages were written.
    told: Cell<u64>,
    /// The client listens. Else nothing is written.
    is_held: Cell<bool>,
    /// What would be written if the client listened is written all the same, for others to hear.
    is_tapped: Cell<bool>,
    /// Something that was never written is not kept any more.
    is_overrun: Cell<bool>,
    is_traced: Cell<bool>,
    /// How many messages the client was sent.
    sent: Cell<u64>,
    /// Rings for the connection, in the world.
    bell: (u64, Rc<RefCell<BTreeSet<u64>>>),
}

impl Peer {
    pub(crate) fn new(world: &World, worker: usize, encoding: Encoding) -> Self {
        Self::on(Transport::WebSocket, world, worker, encoding)
    }

    /// On a transport of this kind.
    pub(crate) fn on(transport: Transport, world: &World, worker: usize, encoding: Encoding) -> Self {
        Self::with(Origin { encoding, transport, remote: None, headers: Arc::default() }, world, worker)
    }

    /// From there.
    pub(crate) fn with(origin: Origin, world: &World, worker: usize) -> Self {
        let encoding = origin.encoding;
        let bell = world.number();
        let number = bell.0;
        let line = Rc::new_cyclic(|line: &Weak<Line>| {
            let (node, local) = (Arc::clone(&world.node), Rc::clone(&world.locals[worker]));
            let line = Weak::clone(line) as Weak<dyn Member>;
            let session = Session::new(node, local, line, origin, world.now(), World::seed(number));
            Line {
                session: Rc::new(session),
                written: RefCell::default(),
                is_queued: Cell::new(false),
                is_over: Cell::new(false),
                replay: RefCell::default(),
                limit: world.node.rules().client.queue_max_size,
                told: Cell::new(0),
                is_held: Cell::new(true),
                is_tapped: Cell::new(false),
                is_overrun: Cell::new(false),
                is_traced: Cell::new(false),
                sent: Cell::new(0),
                bell,
            }
        });
        Self { line, work: None, encoding, worker, number }
    }

    pub(crate) fn session(&self) -> &Rc<Session> {
        &self.line.session
    }

    /// Takes a message of the client's.
    pub(crate) fn receive(&self, message: impl Into<Bytes>) {
        self.line.session.receive(message.into());
    }

    /// Whether a command waits for an answer of somebody else's. Nothing is read meanwhile.
    pub(crate) fn is_busy(&self) -> bool {
        self.work.is_some()
    }

    /// Whether there is something to do that does not wait for anybody.
    pub(crate) fn has_turn(&self) -> bool {
        self.work.is_none() && self.session().has_work()
    }

    /// Carries out what there is to do, as far as that goes now.
    pub(crate) fn work(&mut self, now: Instant) {
        let session = Rc::clone(&self.line.session);
        loop {
            if session.is_ended() {
                self.work = None;
                return;
            }
            if self.work.is_none() {
                if !session.has_work() {
                    return;
                }
                self.work = Some(Box::pin(Rc::clone(&session).work(now)));
            }
            let mut cx = Context::from_waker(Waker::noop());
            let Some(work) = &mut self.work else { return };
            if work.as_mut().poll(&mut cx).is_pending() {
                return;
            }
            self.work = None;
        }
    }

    /// Writes what the session has to say.
    pub(crate) fn say(&self) {
        let line = &self.line;
        line.session.drain(&mut |said| {
            assert!(!line.is_over.get(), "{said:?} after the end");
            match said {
                Said::Message(message) => line.tell(message.into()),
                Said::Aside(message) => {
                    if line.session.tie().is_resumable() {
                        line.replay.borrow_mut().get_or_insert_with(|| Replay::new(line.limit));
                    }
                    line.write(Heard::Aside(message.into()));
                }
                Said::Drop(disconnect) => line.write(Heard::Drop(disconnect)),
                Said::TakeOver(take_over) => line.write(Heard::TakeOver(take_over)),
                Said::End(disconnect) => {
                    line.is_over.set(true);
                    line.write(Heard::End(disconnect));
                }
            }
        });
        if let Some(replay) = &mut *line.replay.borrow_mut() {
            replay.ack(line.session.tie().acked());
        }
        self.line.is_queued.set(false);
    }

    /// A turn of the transport's task, with all that comes of it.
    pub(crate) fn turn(&mut self, world: &World) {
        for _ in 0..100 {
            let now = world.now();
            if self.line.is_overrun.get() {
                self.session().end(Disconnect::SLOW);
            }
            if self.session().deadline().is_some_and(|deadline| deadline <= now) {
                let is_read = self.work.is_none();
                self.session().handle_deadline(now, is_read);
            }
            self.work(now);
            self.say();
            world.locals[self.worker].deliver();
            let is_due = self.session().deadline().is_some_and(|deadline| deadline <= now);
            if self.session().is_ended() || !self.has_turn() && !is_due {
                return;
            }
        }
        panic!("a session does not come to rest");
    }

    /// What has been written since the last time.
    pub(crate) fn take(&self) -> Vec<Heard> {
        self.line.written.take()
    }

    /// How much has been written since then.
    pub(crate) fn written(&self) -> usize {
        self.line.written.borrow().len()
    }

    /// The client listens no more. What was written and not taken is lost. Whether the session waits for the client.
    pub(crate) fn detach(&mut self, world: &World) -> bool {
        self.line.written.take();
        if self.session().is_ended() || self.line.replay.borrow().is_none() {
            self.hang_up();
            return false;
        }
        self.line.is_held.set(false);
        self.session().tie().wait(world.now());
        true
    }

    /// What the session says is heard from now on while the client does not listen, too.
    pub(crate) fn tap(&self) {
        self.line.is_tapped.set(true);
    }

    /// The client has come back, on another connection. What was written to the last one and not taken is lost.
    pub(crate) fn take_over(&self, world: &World, take_over: TakeOver) {
        let (line, ack) = (&self.line, take_over.ack);
        line.written.take();
        line.is_held.set(true);
        let answer = line.session.tie().resume(world.now(), take_over);
        if let Some(replay) = &mut *line.replay.borrow_mut()
            && replay.after(ack).is_some()
        {
            replay.ack(ack);
            line.write(Heard::Aside(answer.into()));
            replay
                .after(ack)
                .into_iter()
                .flatten()
                .for_each(|message| line.write(Heard::Message(message.clone())));
            line.told.set(replay.count());
        } else {
            line.session.end(Disconnect::INSUFFICIENT_STATE);
        }
        line.ring();
    }

    /// How many messages wait for their acknowledgement.
    pub(crate) fn kept(&self) -> u64 {
        self.line.replay.borrow().as_ref().map_or(0, |replay| replay.count() - replay.dropped())
    }

    /// The connection is gone.
    pub(crate) fn hang_up(&mut self) {
        self.end(Disconnect::CONNECTION_CLOSED);
    }

    /// The transport ends the connection.
    pub(crate) fn end(&mut self, disconnect: Disconnect) {
        self.work = None;
        self.line.session.end(disconnect);
        self.say();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.work = None;
        self.line.session.end(Disconnect::CONNECTION_CLOSED);
    }
}

impl Line {
    fn ring(&self) {
        self.bell.1.borrow_mut().insert(self.bell.0);
    }

    fn write(&self, heard: Heard) {
        if matches!(heard, Heard::Message(_) | Heard::Aside(_)) {
            self.sent.set(self.sent.get() + 1);
        }
        if self.is_held.get() || self.is_tapped.get() {
            self.written.borrow_mut().push(heard);
        }
    }

    /// Writes what counts.
    fn tell(&self, message: Bytes) {
        self.write(Heard::Message(message.clone()));
        let Some(replay) = &mut *self.replay.borrow_mut() else { return };
        replay.push(message);
        if self.is_held.get() {
            self.told.set(replay.count());
        } else if replay.dropped() > self.told.get() {
            self.is_overrun.set(true);
        }
    }
}

impl Member for Line {
    fn queue(&self, frame: &Prepared) -> bool {
        assert!(!self.is_over.get(), "a frame after the end");
        self.ring();
        if self.is_traced.get() {
            self.is_traced.set(self.session.tie().trace(frame.payload()));
        }
        self.tell(frame.payload().clone());
        !self.is_queued.replace(true)
    }

    fn flush(&self) {
        self.is_queued.set(false);
    }

    fn lost(&self, channel: &str) {
        self.session.lost(channel);
        self.ring();
    }

    fn order(&self, control: &Arc<Control>) {
        self.session.order(control);
        self.ring();
    }

    fn session(&self) -> Option<&Session> {
        Some(&self.session)
    }

    /// What it is not there to be told waits for it.
    fn load(&self) -> Load {
        let queue_bytes = match &*self.replay.borrow() {
            Some(replay) if !self.is_held.get() => replay.bytes(),
            _ => 0,
        };
        Load { queue_bytes, messages_out: self.sent.get() }
    }

    fn trace(&self, is_on: bool) {
        self.is_traced.set(is_on);
    }
}

/// A message with one command.
pub(crate) fn encode(command: &Command, encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Json => serde_json::to_vec(command).unwrap().into(),
        Encoding::Protobuf => command.encode_length_delimited_to_vec().into(),
    }
}

/// A command with an id, for the caller to fill in.
pub(crate) fn command(id: u32) -> Command {
    Command { id, ..Command::default() }
}

/// The replies of a message.
pub(crate) fn replies(message: &Bytes, encoding: Encoding) -> Vec<Reply> {
    let mut replies = Vec::new();
    match encoding {
        Encoding::Json => {
            for line in message.split(|byte| *byte == b'\n') {
                let reply = serde_json::from_slice(line);
                replies
                    .push(reply.unwrap_or_else(|e| panic!("{e} in {:?}", String::from_utf8_lossy(message))));
            }
        }
        Encoding::Protobuf => {
            let mut rest = message.clone();
            while rest.has_remaining() {
                replies.push(Reply::decode_length_delimited(&mut rest).unwrap());
            }
        }
    }
    replies
}
