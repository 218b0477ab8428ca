//! One client's side of the client protocol, without a socket.
//!
//! ```text
//!   transport ── receive(message), handle_deadline ──► work ──► async commands ──► Node: engine, presence, hooks
//!             ◄── drain: messages, the end ─────────── output ◄──┘
//! ```
//!
//! **The transport calls the session; the session never calls the transport.** In a turn the transport
//! 1. gives it what has come ([`receive`](Session::receive)) and the time ([`handle_deadline`](Session::handle_deadline)),
//! 2. polls [`work`](Session::work) while [`has_work`](Session::has_work), and reads no further as long as that is pending,
//! 3. sends what [`drain`](Session::drain) gives; after an end nothing more.
//!
//! Commands are carried out one after the other, each message's in one future.

#[macro_use]
mod note;
mod connect;
mod control;
mod dossier;
mod end;
mod exhibit;
mod id;
mod origin;
mod publish;
mod pulse;
mod query;
mod rate;
mod recover;
mod refresh;
mod subscribe;
mod subscription;
mod tap;
#[cfg(test)]
mod tests;
mod tie;
mod who;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::backend::Asker;
use crate::channels::{Control, Local, Member};
use crate::metrics::{COMMANDS, Metrics, PONG};
use crate::node::Node;
use crate::protocol::{ClientError, Command, Disconnect, Empty, Refusal, Reply, Writer};

pub use origin::{Origin, Seed, Transport};
pub use tie::{NotTaken, TakeOver, Tie};

use dossier::Dossier;
use pulse::{Due, Pulse};
use rate::Rate;
use subscription::Subscription;
use tie::Thread;
use who::{NO_HEADERS, Token, Who};

/// Replies are gathered into one message up to so many bytes.
const MESSAGE_BYTES: usize = 16 * 1024;

/// One client of the client protocol.
pub struct Session {
    node: Arc<Node>,
    local: Rc<Local>,
    /// The connection, as a member of channels.
    line: Weak<dyn Member>,
    origin: Origin,
    /// What the client listens on now.
    transport: Cell<Transport>,
    /// What passes is written down for the inspector.
    is_traced: Cell<bool>,
    /// How many messages have come.
    heard: Cell<u64>,
    id: Arc<str>,
    /// What a secret is made of where there is to be one.
    secret: [u8; 16],
    state: RefCell<State>,
}

struct State {
    phase: Phase,
    who: Who,
    dossier: Dossier,
    /// For clients that have a secret of the session.
    thread: Option<Box<Thread>>,
    pulse: Pulse,
    rate: Rate,
    /// When it expires, in seconds since 1970; 0 never.
    expire_at: u64,
    /// When to look at what has expired next.
    expiry: Option<Instant>,
    /// Boxed, since a map has room for more than it holds.
    subscriptions: HashMap<Rc<str>, Box<Subscription>>,
    /// Subscriptions whose replies are about to be put out.
    releases: Vec<Rc<str>>,
    work: VecDeque<Work>,
    output: VecDeque<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has come.
    Fresh,
    /// `connect` was refused: nothing else is taken.
    Refused,
    Connected,
    Ended,
}

/// What is to be done, in this order.
enum Work {
    Message(Bytes),
    /// Whose numbers were looked at.
    Commands(Vec<Command>),
    Order(Arc<Control>),
    Lost(Box<str>),
    /// The backend is asked whether the connection goes on.
    Refresh,
    /// The backend is asked whether a subscription goes on.
    SubRefresh(Rc<str>),
}

/// What is to be said, in this order.
enum Output {
    Reply(Box<Reply>),
    Ping,
    /// What was held for a subscription comes after its reply.
    Release(Rc<str>),
    /// The transport has died, as far as can be told; the session waits for another one.
    Drop(Disconnect),
    /// The client goes on with another session.
    TakeOver(Box<TakeOver>),
    End(Disconnect),
}

/// What the transport is to do.
#[derive(Debug, PartialEq)]
pub enum Said {
    /// Send a message. In a session that can be resumed, it counts.
    Message(Vec<u8>),
    /// Send a message that does not count: a ping, or the answer to `connect`.
    Aside(Vec<u8>),
    /// End the connection, and not the session.
    Drop(Disconnect),
    /// Give the connection to another session. This one is over.
    TakeOver(Box<TakeOver>),
    /// End the connection.
    End(Disconnect),
}

impl Session {
    /// A session that waits for its `connect`. `seed` is what is random about it.
    pub fn new(
        node: Arc<Node>,
        local: Rc<Local>,
        line: Weak<dyn Member>,
        origin: Origin,
        now: Instant,
        seed: Seed,
    ) -> Self {
        let Seed { id, secret, spread } = seed;
        let pulse = Pulse::new(now, &node.rules().client, spread);
        let state = State {
            phase: Phase::Fresh,
            who: Who::default(),
            dossier: Dossier::default(),
            thread: None,
            pulse,
            rate: Rate::default(),
            expire_at: 0,
            expiry: None,
            subscriptions: HashMap::new(),
            releases: Vec::new(),
            work: VecDeque::new(),
            output: VecDeque::new(),
        };
        Self {
            node,
            local,
            line,
            transport: Cell::new(origin.transport),
            origin,
            is_traced: Cell::new(false),
            heard: Cell::new(0),
            id: id::client_id(id).into(),
            secret,
            state: RefCell::new(state),
        }
    }

    /// The session as transports see it that come and go.
    pub fn tie(self: &Rc<Self>) -> Tie<'_> {
        Tie(self)
    }

    /// The id of the connection.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The user's id; empty for an anonymous one, and before `connect`.
    pub fn user(&self) -> Arc<str> {
        Arc::clone(&self.state.borrow().who.user)
    }

    /// The user's id, unless there is none.
    fn named_user(&self) -> Option<Arc<str>> {
        Some(self.user()).filter(|user| !user.is_empty())
    }

    /// The channels it is subscribed to.
    pub fn channels(&self) -> Vec<Rc<str>> {
        self.state.borrow().subscriptions.keys().cloned().collect()
    }

    /// Takes a message, to be worked on. One that is wrong ends the session.
    pub fn receive(self: &Rc<Self>, message: Bytes) {
        match self.tie().take(message) {
            Ok(()) => {}
            // A transport that reads as it works never brings so many.
            Err(NotTaken::Busy) => self.end(Disconnect::TOO_MANY_REQUESTS),
            Err(NotTaken::Malformed) => self.end(Disconnect::BAD_REQUEST),
            Err(NotTaken::Gap { expected }) => self.end(tie::gap(expected)),
        }
    }

    /// Takes an order of the server.
    pub fn order(&self, control: &Arc<Control>) {
        self.push_work(Work::Order(Arc::clone(control)));
    }

    /// Something of a channel was missed.
    pub fn lost(&self, channel: &str) {
        self.push_work(Work::Lost(channel.into()));
    }

    fn push_work(&self, work: Work) {
        let mut state = self.state.borrow_mut();
        if state.phase != Phase::Ended {
            state.work.push_back(work);
        }
    }

    /// Whether there is something to work on.
    pub fn has_work(&self) -> bool {
        !self.state.borrow().work.is_empty()
    }

    /// Carries out what there is to do.
    ///
    /// # Cancel safety
    /// When it is dropped, what it was about is undone or was never done, and the rest is lost: drop it only with the session.
    pub async fn work(self: Rc<Self>, now: Instant) {
        loop {
            let work = self.state.borrow_mut().work.pop_front();
            match work {
                None => return self.rest(),
                Some(Work::Message(message)) => self.handle_message(now, &message).await,
                Some(Work::Commands(commands)) => self.handle_commands(now, commands, true).await,
                Some(Work::Order(control)) => control::carry_out(&self, now, &control).await,
                Some(Work::Lost(channel)) => end::lost(&self, &channel),
                Some(Work::Refresh) => refresh::ask(&self, now).await,
                Some(Work::SubRefresh(channel)) => refresh::ask_for_channel(&self, now, &channel).await,
            }
        }
    }

    /// Gives back what was needed to work: most clients are idle most of the time.
    fn rest(&self) {
        let mut state = self.state.borrow_mut();
        state.work = VecDeque::new();
        state.releases = Vec::new();
    }

    /// The next moment at which [`handle_deadline`](Self::handle_deadline) has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let state = self.state.borrow();
        let lapses = state.thread.as_ref().and_then(|thread| thread.lapses);
        [state.pulse.deadline(), state.expiry, lapses].into_iter().flatten().min()
    }

    /// Does what is due at `now`. `is_read` says whether the transport reads from the client: it cannot be silent otherwise.
    pub fn handle_deadline(&self, now: Instant, is_read: bool) {
        let mut state = self.state.borrow_mut();
        if state.phase == Phase::Ended {
            return;
        }
        if state.thread.as_ref().is_some_and(|thread| thread.lapses.is_some_and(|lapses| lapses <= now)) {
            drop(state);
            return self.end(Disconnect::CONNECTION_CLOSED);
        }
        if !is_read {
            state.pulse.excuse(now);
        }
        match state.pulse.handle_deadline(now) {
            Ok(Due::Nothing) => {}
            Ok(Due::Ping) => state.output.push_back(Output::Ping),
            Err(disconnect) => {
                drop(state);
                if !tie::is_resumable(self) {
                    return self.end(disconnect);
                }
                // There is nobody to ping until the client comes back.
                self.state.borrow_mut().pulse.pause();
                tap::dropped(self, &disconnect);
                return self.output(Output::Drop(disconnect));
            }
        }
        let is_due = state.expiry.is_some_and(|expiry| expiry <= now);
        drop(state);
        if is_due {
            refresh::look(self, now);
        }
    }

    /// Gives what is to be sent, in its order, to `say`: replies that follow each other in one message.
    pub fn drain(&self, say: &mut dyn FnMut(Said)) {
        let mut writer = Writer::new(self.origin.encoding);
        // Where messages count, each has one reply.
        let counts = tie::is_resumable(self);
        loop {
            let output = self.next_output();
            match output {
                Some(Output::Reply(reply)) if counts && reply.connect.is_some() => {
                    self.say_aside(&reply, say);
                }
                Some(Output::Reply(reply)) => {
                    writer.push(&reply);
                    if counts || writer.len() >= MESSAGE_BYTES {
                        self.say(&mut writer, say);
                    }
                }
                Some(Output::Ping) if counts => self.say_aside(&Reply::default(), say),
                Some(Output::Ping) => writer.push(&Reply::default()),
                Some(Output::Release(channel)) => {
                    self.say(&mut writer, say);
                    let is_whole = {
                        let state = self.state.borrow();
                        state.subscriptions.get(&channel).is_none_or(|subscription| subscription.release())
                    };
                    if !is_whole {
                        self.lost(&channel);
                    }
                }
                Some(Output::Drop(disconnect)) => say(Said::Drop(disconnect)),
                Some(Output::TakeOver(take_over)) => say(Said::TakeOver(take_over)),
                Some(Output::End(disconnect)) => {
                    self.say(&mut writer, say);
                    say(Said::End(disconnect));
                }
                None => break,
            }
        }
        self.say(&mut writer, say);
    }

    fn next_output(&self) -> Option<Output> {
        let mut state = self.state.borrow_mut();
        let output = state.output.pop_front();
        if output.is_none() {
            state.output = VecDeque::new();
        }
        output
    }

    fn say(&self, writer: &mut Writer, say: &mut dyn FnMut(Said)) {
        if !writer.is_empty() {
            let message = std::mem::replace(writer, Writer::new(self.origin.encoding)).into_message();
            self.node.metrics.bytes_out.add(message.len() as u64);
            tap::said(self, &message);
            say(Said::Message(message));
        }
    }

    fn say_aside(&self, reply: &Reply, say: &mut dyn FnMut(Said)) {
        let message = self.origin.encoding.encode(reply);
        self.node.metrics.bytes_out.add(message.len() as u64);
        tap::said(self, &message);
        say(Said::Aside(message));
    }

    /// Ends the session, and says so to the client. Only the first end counts.
    pub fn end(&self, disconnect: Disconnect) {
        end::end(self, disconnect);
    }

    /// Whether it has ended.
    pub fn is_ended(&self) -> bool {
        self.state.borrow().phase == Phase::Ended
    }

    /// Who it is to the hooks.
    fn asker(&self) -> Asker {
        let state = self.state.borrow();
        Asker {
            client: Arc::clone(&self.id),
            user: Arc::clone(&state.who.user),
            transport: self.transport.get().name(),
            encoding: self.origin.encoding,
            meta: state.who.meta.clone(),
            headers: Arc::clone(&self.origin.headers),
            emulated_headers: Arc::clone(&state.who.emulated_headers),
        }
    }

    fn reply(&self, reply: Reply) {
        if let Some(error) = &reply.error {
            self.node.metrics.errors.count(error.code);
        }
        self.output(Output::Reply(Box::new(reply)));
    }

    fn output(&self, output: Output) {
        self.state.borrow_mut().output.push_back(output);
    }

    async fn handle_message(self: &Rc<Self>, now: Instant, message: &[u8]) {
        let (commands, is_good) = match self.origin.encoding.decode(message) {
            Ok(commands) => (commands, true),
            Err((before, _)) => (before, false),
        };
        self.handle_commands(now, commands, false).await;
        if !is_good {
            self.end(Disconnect::BAD_REQUEST);
        }
    }

    /// Carries out commands, those that came behind `connect` by their numbers where those were not looked at.
    async fn handle_commands(self: &Rc<Self>, now: Instant, commands: Vec<Command>, is_numbered: bool) {
        let Metrics { commands: counters, command_durations, .. } = &*self.node.metrics;
        let mut begun = self.node.clock.nanos();
        for command in commands {
            if self.is_ended() {
                return;
            }
            if !is_numbered {
                match tie::admits(self, &command) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(disconnect) => return self.end(disconnect),
                }
            }
            let (id, kind) = (command.id, kind_of(&command));
            if let Some(kind) = kind {
                counters[kind].add(1);
            }
            let outcome = self.handle(now, kind, command).await;
            let ended = self.node.clock.nanos();
            if let Some(kind) = kind {
                command_durations[kind].observe(ended.saturating_sub(begun));
            }
            begun = ended;
            match outcome {
                Ok(Some(reply)) => {
                    self.reply(Reply { id, ..reply });
                    subscribe::release(self);
                }
                Ok(None) => {}
                Err(Refusal::Error(error)) => {
                    let command = kind.map(|kind| COMMANDS[kind]);
                    note!(
                        debug,
                        self,
                        command,
                        code = error.code,
                        "a command was refused: {}",
                        error.message
                    );
                    self.reply(Reply { id, error: Some(error.into()), ..Reply::default() })
                }
                Err(Refusal::Disconnect(disconnect)) => self.end(disconnect),
            }
        }
    }

    /// Carries out one command, of the kind that [`kind_of`] says. What it gives is the reply without its id.
    async fn handle(
        self: &Rc<Self>,
        now: Instant,
        kind: Option<usize>,
        command: Command,
    ) -> Result<Option<Reply>, Refusal> {
        let phase = self.state.borrow().phase;
        match (phase, &command.connect) {
            (Phase::Ended, _) => return Ok(None),
            (Phase::Fresh, Some(_)) | (Phase::Connected, None) => {}
            _ => return Err(Disconnect::BAD_REQUEST.into()),
        }
        match kind {
            None => return Err(Disconnect::BAD_REQUEST.into()),
            Some(PONG) => {
                let ponged = self.state.borrow_mut().pulse.handle_pong(now);
                // An answer to a ping on the transport before may come late.
                return if tie::is_resumable(self) { Ok(None) } else { Ok(ponged.map(|()| None)?) };
            }
            // An answer could not be told from a push.
            Some(_) if command.id == 0 && command.send.is_none() => {
                return Err(Disconnect::BAD_REQUEST.into());
            }
            Some(_) => {}
        }
        let limit = self.node.rules().client.command_rate_limit;
        if !self.state.borrow_mut().rate.allows(now, limit) {
            return Err(ClientError::TOO_MANY_REQUESTS.into());
        }
        Ok(Some(match command {
            Command { connect: Some(request), .. } => {
                return Box::pin(connect::connect(self, now, command.id, *request)).await;
            }
            Command { subscribe: Some(request), .. } => {
                return Box::pin(subscribe::subscribe(self, now, *request)).await.map(Some);
            }
            Command { unsubscribe: Some(request), .. } => end::unsubscribe(self, &request)?,
            Command { publish: Some(request), .. } => publish::publish(self, request).await?,
            Command { presence: Some(request), .. } => query::presence(self, &request).await?,
            Command { presence_stats: Some(request), .. } => query::presence_stats(self, &request).await?,
            Command { history: Some(request), .. } => query::history(self, request).await?,
            Command { ping: Some(_), .. } => Reply { ping: Some(Empty {}), ..Reply::default() },
            Command { send: Some(request), .. } => return query::send(self, &request).map(|()| None),
            Command { rpc: Some(request), .. } => Box::pin(query::rpc(self, request)).await?,
            Command { refresh: Some(request), .. } => Box::pin(refresh::refresh(self, now, request)).await?,
            Command { sub_refresh: Some(request), .. } => {
                Box::pin(refresh::sub_refresh(self, now, request)).await?
            }
            Command { .. } => return Err(Disconnect::BAD_REQUEST.into()),
        }))
    }
}

/// Which of [`COMMANDS`](crate::metrics::COMMANDS) it is, if it is one; the first request counts.
fn kind_of(command: &Command) -> Option<usize> {
    let requests = [
        command.connect.is_some(),
        command.subscribe.is_some(),
        command.unsubscribe.is_some(),
        command.publish.is_some(),
        command.presence.is_some(),
        command.presence_stats.is_some(),
        command.history.is_some(),
        command.ping.is_some(),
        command.send.is_some(),
        command.rpc.is_some(),
        command.refresh.is_some(),
        command.sub_refresh.is_some(),
    ];
    // With neither an id nor a request it is the answer to a ping.
    requests.iter().position(|is_there| *is_there).or((command.id == 0).then_some(PONG))
}

/// A command for a channel must name one.
fn named(channel: &str) -> Result<(), Refusal> {
    if channel.is_empty() { Err(Disconnect::BAD_REQUEST.into()) } else { Ok(()) }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id).finish_non_exhaustive()
    }
}
