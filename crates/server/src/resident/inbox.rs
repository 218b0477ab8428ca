//! What the workers bring each other: a client that goes on with a session of another worker's, and what it says.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use antiphon_hub::protocol::{Encoding, PollRequest};
use antiphon_hub::{TakeOver, Unheard, Uplink, WorkerId};
use tokio::sync::{mpsc, oneshot};

use super::line::{Line, last_push};
use super::poll::Poll;
use super::{Carrier, leave, refuse, refuse_poll};
use crate::serve::{Pass, Worker};
use crate::stream::Parked;

/// What comes to a worker.
pub(crate) type Inbox = mpsc::UnboundedReceiver<Parcel>;

/// The way to each worker, in their order.
pub(crate) type Outboxes = Box<[mpsc::UnboundedSender<Parcel>]>;

/// What one worker brings another.
pub(crate) enum Parcel {
    TakeOver(Box<Arrival>),
    Poll(PollRequest, Poll<Parked>),
    Uplink(Uplink, oneshot::Sender<Result<(), Unheard>>),
}

/// A client that goes on with a session.
pub(crate) struct Arrival {
    take_over: TakeOver,
    carrier: Carrier<Parked>,
    pass: Pass,
}

/// The sessions of one worker that can be asked for.
#[derive(Default)]
pub(crate) struct Lines(RefCell<HashMap<Arc<str>, Weak<Line>>>);

impl Lines {
    pub(super) fn add(&self, secret: &Arc<str>, line: &Rc<Line>) {
        self.0.borrow_mut().insert(Arc::clone(secret), Rc::downgrade(line));
    }

    pub(super) fn remove(&self, secret: &str) {
        self.0.borrow_mut().remove(secret);
    }

    /// The session, unless it is over.
    fn find(&self, secret: &str) -> Option<Rc<Line>> {
        let line = self.0.borrow().get(secret).and_then(Weak::upgrade)?;
        (!line.session.is_ended()).then_some(line)
    }
}

/// Takes what comes, for ever.
pub(crate) async fn serve(worker: Rc<Worker>, mut inbox: Inbox) {
    while let Some(parcel) = inbox.recv().await {
        match parcel {
            Parcel::TakeOver(arrival) => {
                let Arrival { take_over, carrier, pass } = *arrival;
                match carrier.resume() {
                    Ok(carrier) => arrive(&worker, take_over, carrier, pass),
                    Err(error) => tracing::warn!(%error, "a connection could not change its worker"),
                }
            }
            Parcel::Poll(request, poll) => match poll.try_map_stream(Parked::resume) {
                Ok(poll) => poll_here(&worker, request, poll),
                Err(error) => tracing::warn!(%error, "a connection could not change its worker"),
            },
            Parcel::Uplink(uplink, answer) => {
                // Whoever asked may have gone.
                let _ = answer.send(take(&worker, uplink));
            }
        }
    }
}

/// Brings a client to the session that it goes on with.
pub(super) fn take_over(worker: &Rc<Worker>, take_over: TakeOver, carrier: Carrier, pass: Pass) {
    if take_over.worker == worker.id() {
        return arrive(worker, take_over, carrier, pass);
    }
    match carrier.park() {
        Ok(carrier) => {
            let to = take_over.worker;
            let arrival = Arrival { take_over, carrier, pass };
            send(worker, to, Parcel::TakeOver(Box::new(arrival)));
        }
        Err(error) => tracing::warn!(%error, "a connection could not change its worker"),
    }
}

fn arrive(worker: &Rc<Worker>, take_over: TakeOver, carrier: Carrier, pass: Pass) {
    match worker.lines.find(&take_over.session) {
        Some(line) => line.take_over(take_over, carrier, pass),
        None => refuse(worker, carrier, take_over.origin, pass),
    }
}

/// Brings a poll to its session, or answers it where there is none.
pub(super) fn poll(worker: &Rc<Worker>, request: PollRequest, poll: Poll) {
    match worker.node.directory().worker(&request.session).filter(|to| *to != worker.id()) {
        None => poll_here(worker, request, poll),
        Some(to) => match poll.try_map_stream(crate::stream::Stream::park) {
            Ok(poll) => send(worker, to, Parcel::Poll(request, poll)),
            Err(error) => tracing::warn!(%error, "a connection could not change its worker"),
        },
    }
}

fn poll_here(worker: &Rc<Worker>, request: PollRequest, mut poll: Poll) {
    if let Some(line) = worker.lines.find(&request.session) {
        return line.poll(request, poll);
    }
    match worker.node.directory().last_word(&request.session) {
        Some(disconnect) => {
            poll.from = request.ack;
            poll.aside(Encoding::Json.encode(&last_push(&disconnect, 0)).into());
            poll.answer_with(std::iter::empty());
            leave(worker, Carrier::Poll(Box::new(poll)));
        }
        None => refuse_poll(worker, poll, Unheard::Gone),
    }
}

/// Brings commands to their session. `None` where there is none on this node.
pub(super) fn uplink(worker: &Rc<Worker>, uplink: Uplink) -> Option<oneshot::Receiver<Result<(), Unheard>>> {
    let to = worker.node.directory().worker(&uplink.session)?;
    let (answer, receiver) = oneshot::channel();
    if to == worker.id() {
        // Nobody can have dropped the other end yet.
        let _ = answer.send(take(worker, uplink));
    } else {
        send(worker, to, Parcel::Uplink(uplink, answer));
    }
    Some(receiver)
}

fn take(worker: &Worker, uplink: Uplink) -> Result<(), Unheard> {
    let line = worker.lines.find(&uplink.session).ok_or(Unheard::Gone)?;
    line.take(uplink.commands, uplink.closes).map_err(Unheard::NotTaken)
}

fn send(worker: &Worker, to: WorkerId, parcel: Parcel) {
    if let Some(outbox) = worker.shared().outboxes.get(usize::from(to)) {
        // A worker that has ended has no sessions any more.
        let _ = outbox.send(parcel);
    }
}
