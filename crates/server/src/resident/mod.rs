//! Clients of the client protocol: one task for each session, whatever the client listens on.
//!
//! ```text
//!   channels ─► Line (a member): Session + Replay ─► Carrier: WebSocket, stream or poll; at most one at a time
//!                  ▲                                    │
//!                  └──── Resident, the task: drives both until the session is over
//! ```
//!
//! A plain WebSocket is one carrier for life. A session that can be resumed outlives its carriers: `docs/design/transports.md`.

mod carrier;
mod events;
mod head;
mod inbox;
mod line;
mod poll;
mod stream;
mod uplink;

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll as Turn, ready};
use std::time::{Duration, Instant};

use antiphon_hub::protocol::{Disconnect, PollRequest};
use antiphon_hub::{Origin, Seed, TakeOver, Unheard};
use antiphon_proto::CloseCode;
use bytes::Bytes;
use tokio::task::spawn_local;

use crate::serve::{Pass, Worker};

use carrier::End;
use line::Line;

pub(crate) use carrier::Carrier;
pub(crate) use events::{Events, Wish, read_event_id};
pub(crate) use head::{Head, Reply};
pub(crate) use inbox::{Inbox, Lines, Outboxes, serve};
pub(crate) use line::last_push;
pub(crate) use poll::Connection;
pub(crate) use stream::{Dialect, EventStream};
pub(crate) use uplink::{answer as unheard, uplink};

/// How long a carrier that is not needed any more may take to say so.
const LEAVE: Duration = Duration::from_secs(5);

/// The task of one session.
struct Resident {
    worker: Rc<Worker>,
    line: Rc<Line>,
    /// What the session is at. Nothing is read meanwhile.
    work: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// By which others find the line.
    secret: Option<Arc<str>>,
}

/// Starts the session of a client that has come, with what it has said so far.
pub(crate) fn start(worker: &Rc<Worker>, carrier: Carrier, origin: Origin, pass: Pass, said: Bytes) {
    match Seed::new() {
        Ok(seed) => {
            let line = Line::new(worker, carrier, origin, pass, seed);
            if !said.is_empty() {
                line.session.receive(said);
            }
            drop(spawn_local(Resident { worker: Rc::clone(worker), line, work: None, secret: None }));
        }
        Err(error) => tracing::error!(%error, "no randomness for the id of a client"),
    }
}

/// Starts the session of a client that polls for the first time.
pub(crate) fn start_poll(
    worker: &Rc<Worker>,
    connection: Connection,
    origin: Origin,
    pass: Pass,
    request: PollRequest,
) {
    let poll = line::patient(worker, connection);
    start(worker, Carrier::Poll(Box::new(poll)), origin, pass, request.commands);
}

/// Answers a poll of a session that began before.
pub(crate) fn go_on(worker: &Rc<Worker>, connection: Connection, request: PollRequest) {
    inbox::poll(worker, request, line::patient(worker, connection));
}

/// Answers a poll that no session answers.
fn refuse_poll(worker: &Rc<Worker>, mut poll: poll::Poll, unheard: Unheard) {
    let (status, body) = uplink::answer(unheard);
    poll.answer(status, &body);
    leave(worker, Carrier::Poll(Box::new(poll)));
}

/// Lets a carrier end that no session uses any more.
fn leave(worker: &Rc<Worker>, mut carrier: Carrier) {
    let worker = Rc::clone(worker);
    drop(spawn_local(async move {
        carrier.finish(CloseCode::NORMAL, "the session goes on elsewhere");
        let end = std::future::poll_fn(|cx| {
            loop {
                if let Some(end) = ready!(carrier.poll(cx, true, &mut drop)) {
                    return Turn::Ready(end);
                }
            }
        });
        let end = tokio::time::timeout(LEAVE, end).await;
        if let (Ok(End::Answered), Carrier::Poll(poll)) = (end, carrier)
            && let Some(connection) = poll.into_connection()
        {
            crate::http::go_on(&worker, connection);
        }
    }));
}

/// Says to a client whose session ended while it came that there is none.
fn refuse(worker: &Rc<Worker>, carrier: Carrier, origin: Origin, pass: Pass) {
    if let Ok(seed) = Seed::new() {
        let line = Line::new(worker, carrier, origin, pass, seed);
        line.session.end(Disconnect::INSUFFICIENT_STATE);
        drop(spawn_local(Resident { worker: Rc::clone(worker), line, work: None, secret: None }));
    }
}

impl Resident {
    /// Carries out what there is to do, as far as that goes now.
    fn poll_work(&mut self, cx: &mut Context<'_>, now: Instant) {
        let session = &self.line.session;
        loop {
            if session.is_ended() {
                self.work = None;
                return;
            }
            if self.work.is_none() {
                if !session.has_work() {
                    return;
                }
                self.work = Some(Box::pin(Rc::clone(session).work(now)));
            }
            match self.work.as_mut().map(|work| work.as_mut().poll(cx)) {
                Some(Turn::Pending) => return,
                _ => self.work = None,
            }
        }
    }

    /// Lets others find the line, once there is a secret to find it by.
    fn enlist(&mut self) {
        if self.secret.is_none()
            && let Some(secret) = self.line.session.tie().secret()
        {
            self.worker.lines.add(&secret, &self.line);
            self.secret = Some(secret);
        }
    }

    /// Gives what the client listens on to the session that it goes on with.
    fn hand_over(&self, take_over: TakeOver) {
        if let Some((carrier, pass)) = self.line.give_away() {
            inbox::take_over(&self.worker, take_over, carrier, pass);
        }
    }
}

impl Future for Resident {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Turn<()> {
        let (line, worker) = (Rc::clone(&self.line), Rc::clone(&self.worker));
        let session = &line.session;
        loop {
            let now = Instant::now();
            if line.seat.poll_draining(cx).is_ready() {
                session.end(Disconnect::SHUTDOWN);
            }
            if line.is_overrun() {
                session.end(Disconnect::SLOW);
            }
            if session.deadline().is_some_and(|deadline| deadline <= now) {
                session.handle_deadline(now, self.work.is_none());
            }
            ready!(worker.node.hub().poll_room(cx));
            self.poll_work(cx, now);
            self.enlist();
            let take_over = line.say();
            // What was published comes after the answers.
            worker.local.deliver();
            if let Some(take_over) = take_over {
                self.hand_over(*take_over);
                return Turn::Ready(());
            }
            line.forget_acked();
            line.answer(now);
            line.beat(now);
            let deadlines = [session.deadline().filter(|_| !session.is_ended()), line.deadline()];
            if let Some(deadline) = deadlines.into_iter().flatten().min() {
                line.seat.register(cx, Some(deadline));
            }
            if line.is_overrun() && !session.is_ended() {
                continue;
            }
            let was_ended = session.is_ended();
            match line.poll_carrier(cx, self.work.is_none()) {
                Turn::Ready(Some(end)) if line.detach(now, end) => {}
                Turn::Ready(Some(_)) => return Turn::Ready(()),
                Turn::Ready(None) => {}
                // By what it said: it is to hear of it.
                Turn::Pending if !was_ended && session.is_ended() => {}
                Turn::Pending if session.is_ended() && !line.has_carrier() => return Turn::Ready(()),
                Turn::Pending if session.has_work() && self.work.is_none() => {}
                Turn::Pending => return Turn::Pending,
            }
        }
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.work = None;
        if let Some(secret) = &self.secret {
            self.worker.lines.remove(secret);
        }
        self.line.session.end(Disconnect::CONNECTION_CLOSED);
    }
}
