//! What one worker knows of channels and clients, and the delivery to them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use slab::Slab;
use tracing::Span;

use super::clients::{Clients, STRIDE};
use super::place::{Place, Taken};
use super::{Hub, Mail, Member, Wants, WorkerId};
use crate::inspect::{Clerk, Programs, Tray};
use crate::metrics::{Durations, Metrics};
use crate::protocol::Position;
use crate::trace;

/// The places in one channel on one worker, each under the key that ends it.
type Places = Slab<Place>;

/// The channels and clients of one worker.
pub struct Local {
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    worker: WorkerId,
    /// Each channel with its places on this worker, never none.
    channels: RefCell<HashMap<Rc<str>, Places>>,
    clients: Clients,
    clerk: Clerk,
    /// The programs that clients say they are, each kept once.
    programs: RefCell<Programs>,
    scratch: RefCell<Scratch>,
}

/// What a delivery needs, kept so that it need not be allocated each time.
#[derive(Default)]
struct Scratch {
    mail: Vec<Mail>,
    turn: Turn,
}

/// What one delivery does.
#[derive(Default)]
struct Turn {
    /// A member is flushed as soon as it has everything of its channel.
    flushes: bool,
    /// Who is to be flushed at the end.
    queued: Vec<Rc<dyn Member>>,
    lost: Vec<(Rc<dyn Member>, Rc<str>)>,
    deliveries: u64,
    bytes: u64,
    /// When the publications were handed on.
    handed: Vec<u64>,
    /// The span of the writing at the end, where that is traced.
    writing: Option<Span>,
}

impl Local {
    /// For one of the hub's workers.
    pub fn new(hub: Arc<Hub>, metrics: Arc<Metrics>, worker: WorkerId) -> Rc<Self> {
        Rc::new(Self {
            hub,
            metrics,
            worker,
            channels: RefCell::default(),
            clients: Clients::default(),
            clerk: Clerk::default(),
            programs: RefCell::default(),
            scratch: RefCell::default(),
        })
    }

    /// Which worker it is.
    pub(crate) fn worker(&self) -> WorkerId {
        self.worker
    }

    /// Puts a member into a channel, for as long as the membership is held. It gets what happens from now on; where `is_held`, not
    /// before it is released.
    pub(crate) fn join(
        self: &Rc<Self>,
        channel: &str,
        member: Rc<dyn Member>,
        wants: Wants,
        is_held: bool,
    ) -> Membership {
        // What happened before the member came is not for it.
        self.deliver();
        let place = Place::new(member, wants, is_held);
        let mut channels = self.channels.borrow_mut();
        let found = channels.get_key_value(channel).map(|(name, _)| Rc::clone(name));
        let name = found.unwrap_or_else(|| channel.into());
        let places = channels.entry(Rc::clone(&name)).or_insert_with(|| Places::with_capacity(1));
        let key = places.insert(place);
        drop(channels);
        self.hub.watch(channel, self.worker);
        Membership { local: Rc::clone(self), channel: name, key }
    }

    fn leave(&self, channel: &str, key: usize) {
        let mut channels = self.channels.borrow_mut();
        let Some(places) = channels.get_mut(channel) else { return };
        let Some(place) = places.try_remove(key) else { return };
        if places.is_empty() {
            channels.remove(channel);
        }
        drop(channels);
        // What the member holds may end other memberships.
        drop(place);
        self.hub.unwatch(channel, self.worker);
    }

    /// Adds a client that has connected, so that orders reach it.
    pub(crate) fn enter(&self, id: &Arc<str>, user: &Arc<str>, arrival: u64, member: Rc<dyn Member>) {
        self.clients.add(id, user, arrival, member);
    }

    /// Takes a client out.
    pub(crate) fn exit(&self, id: &str, user: &str) {
        drop(self.clients.remove(id, user));
    }

    /// Who has connected.
    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The questions that this worker is answering.
    pub(crate) fn clerk(&self) -> &Clerk {
        &self.clerk
    }

    /// What the inspector asks.
    pub(crate) fn tray(&self) -> &Tray {
        self.hub.tray(self.worker)
    }

    /// The programs that clients say they are.
    pub(crate) fn programs(&self) -> &RefCell<Programs> {
        &self.programs
    }

    /// The members of a channel at the keys below `end`, as [`Clients::visit`] has them.
    pub(crate) fn visit_members(
        &self,
        channel: &str,
        end: usize,
        visit: &mut dyn FnMut(&dyn Member) -> ControlFlow<()>,
    ) -> Option<usize> {
        let channels = self.channels.borrow();
        let places = channels.get(channel)?;
        let end = end.min(places.capacity());
        let floor = end.saturating_sub(STRIDE);
        for key in (floor..end).rev() {
            if let Some(place) = places.get(key)
                && visit(&*place.member).is_break()
            {
                return Some(key);
            }
        }
        (floor > 0).then_some(floor)
    }

    /// Delivers all that waits for this worker: every frame to every member, and one flush for each of them.
    pub fn deliver(&self) {
        // A delivery under way takes what comes meanwhile with its next turn.
        let Ok(mut scratch) = self.scratch.try_borrow_mut() else { return };
        let Scratch { mail, turn } = &mut *scratch;
        self.hub.take(self.worker, mail);
        let is_traced = mail.iter().filter_map(Mail::post).any(|post| post.is_traced());
        // Where all is of one channel, a member is flushed as soon as it has everything, while its memory is at hand. A trace tells
        // the queueing from the writing.
        turn.flushes = !is_traced && mail.chunk_by(Mail::is_of_one_channel).count() == 1;
        for run in mail.chunk_by(Mail::is_of_one_channel) {
            match run {
                [Mail::Control(control)] => self.clients.order(control),
                posts => self.fan_out(posts, turn),
            }
        }
        mail.clear();
        let writing = turn.writing.take().unwrap_or_else(Span::none);
        writing.record("members", turn.queued.len());
        writing.in_scope(|| turn.queued.drain(..).for_each(|member| member.flush()));
        drop(writing);
        self.count(turn);
        for (member, channel) in turn.lost.drain(..) {
            member.lost(&channel);
        }
    }

    /// Delivers posts of one channel to its members.
    fn fan_out(&self, posts: &[Mail], turn: &mut Turn) {
        let posts = || posts.iter().filter_map(Mail::post);
        let Some(first) = posts().next() else { return };
        let channels = self.channels.borrow();
        let Some((name, places)) = channels.get_key_value(&*first.channel) else { return };
        let traced = posts().filter(|post| post.is_traced());
        let spans: Vec<Span> = traced.map(|post| trace::fan_out(post, self.worker, places.len())).collect();
        for (_, place) in places {
            let mut has_more = false;
            for post in posts() {
                match place.take(post) {
                    Taken::Nothing => {}
                    Taken::Frame(form) => {
                        let frame = post.frame(form);
                        turn.deliveries += 1;
                        turn.bytes += frame.plain().len() as u64;
                        has_more |= place.member.queue(frame);
                    }
                    Taken::Lost => turn.lost.push((Rc::clone(&place.member), Rc::clone(name))),
                }
            }
            match (has_more, turn.flushes) {
                (true, true) => place.member.flush(),
                (true, false) => turn.queued.push(Rc::clone(&place.member)),
                (false, _) => {}
            }
        }
        turn.handed.extend(posts().filter(|post| post.is_publication()).map(|post| post.at));
        for span in spans {
            match &turn.writing {
                Some(writing) => drop(writing.follows_from(&span)),
                None => turn.writing = Some(trace::write(&span, self.worker)),
            }
        }
    }

    /// Counts what was delivered in a turn, and how long it took.
    fn count(&self, turn: &mut Turn) {
        if turn.deliveries > 0 {
            self.metrics.deliveries.add(std::mem::take(&mut turn.deliveries));
            self.metrics.delivery_bytes.add(std::mem::take(&mut turn.bytes));
        }
        if !turn.handed.is_empty() {
            let now = self.hub.nanos();
            let mut lags = Durations::default();
            turn.handed.drain(..).for_each(|at| lags.observe(now.saturating_sub(at)));
            self.metrics.delivery_lag.add(&lags);
        }
    }
}

/// A place in a channel, which ends when this is dropped.
pub(crate) struct Membership {
    local: Rc<Local>,
    channel: Rc<str>,
    key: usize,
}

impl Membership {
    pub(crate) fn channel(&self) -> &Rc<str> {
        &self.channel
    }

    /// Gives what was held since the join, from `position` on, and lets through what comes. The caller flushes.
    /// `has_base` says that the member has the publication at the position.
    ///
    /// False where something was missed meanwhile: nothing more comes, and the caller has to say so.
    #[must_use]
    pub(crate) fn release(&self, position: Option<Position>, has_base: bool) -> bool {
        self.with_place(|place| {
            let (mut deliveries, mut bytes) = (0, 0);
            for post in place.release(position, has_base) {
                if let Taken::Frame(form) = place.take(&post) {
                    let frame = post.frame(form);
                    deliveries += 1;
                    bytes += frame.plain().len() as u64;
                    place.member.queue(frame);
                }
            }
            self.local.metrics.deliveries.add(deliveries);
            self.local.metrics.delivery_bytes.add(bytes);
        });
        !self.is_lost()
    }

    /// Whether something was missed, and nothing more comes.
    pub(crate) fn is_lost(&self) -> bool {
        self.with_place(Place::is_lost).unwrap_or_default()
    }

    /// Where the member is in the stream, once it is let through, and has such a place.
    pub(crate) fn position(&self) -> Option<Position> {
        self.with_place(Place::position).flatten()
    }

    /// Whether the member is told of joins and leaves.
    pub(crate) fn sees_joins(&self) -> bool {
        self.with_place(Place::sees_joins).unwrap_or_default()
    }

    fn with_place<T>(&self, act: impl FnOnce(&Place) -> T) -> Option<T> {
        let channels = self.local.channels.borrow();
        channels.get(&*self.channel).and_then(|places| places.get(self.key)).map(act)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.local.leave(&self.channel, self.key);
    }
}
