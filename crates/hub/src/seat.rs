//! A place in a channel, with all that it takes.

use std::rc::Rc;
use std::sync::Arc;

use crate::channels::{Local, Member, Membership, Wants};
use crate::node::Node;
use crate::protocol::{ClientInfo, Position};

/// A client's place in a channel: with the engine, with presence, and in the fan-out. All end when it is dropped.
pub(crate) struct Seat {
    node: Arc<Node>,
    membership: Option<Membership>,
    channel: Rc<str>,
    watches: bool,
    /// The connection's id, once it is among those present.
    present: Option<Arc<str>>,
}

impl Seat {
    pub(crate) fn new(node: Arc<Node>, membership: Membership) -> Self {
        let channel = Rc::clone(membership.channel());
        Self { node, membership: Some(membership), channel, watches: false, present: None }
    }

    /// The engine is asked to watch: what follows ends that too.
    pub(crate) fn watch(&mut self) {
        self.watches = true;
    }

    /// Presence is told: what follows ends that too.
    pub(crate) fn show(&mut self, client: &Arc<str>) {
        self.present = Some(Arc::clone(client));
    }

    /// Lets through what was held since the join, from `position` on. False where something was missed meanwhile.
    #[must_use]
    pub(crate) fn release(&self, position: Option<Position>, has_base: bool) -> bool {
        self.membership.as_ref().is_none_or(|membership| membership.release(position, has_base))
    }

    /// Whether something was missed, and nothing more comes.
    pub(crate) fn is_lost(&self) -> bool {
        self.membership.as_ref().is_some_and(Membership::is_lost)
    }

    /// Others see `info` from now on, where they see anything.
    pub(crate) fn show_anew(&self, info: &Arc<ClientInfo>) {
        if self.present.is_some() {
            self.node.detach(self.node.presence.add(&self.channel, Arc::clone(info)));
        }
    }

    pub(crate) fn channel(&self) -> &Rc<str> {
        &self.channel
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.membership = None;
        if self.watches {
            self.node.detach(self.node.engine.unwatch(&self.channel));
        }
        if let Some(client) = self.present.take() {
            self.node.detach(self.node.presence.remove(&self.channel, &client));
        }
    }
}

/// A member that takes the bare data of a channel's publications, for as long as this is held.
pub struct RawMembership(#[expect(dead_code, reason = "the place ends when it is dropped")] Seat);

impl RawMembership {
    /// Puts `member` into `channel`.
    pub fn new(local: &Rc<Local>, node: &Arc<Node>, channel: &str, member: Rc<dyn Member>) -> Self {
        let wants = Wants { encoding: None, join_leave: false, delta: false, filter: None };
        let mut seat = Seat::new(Arc::clone(node), local.join(channel, member, wants, false));
        seat.watch();
        node.detach(node.engine.watch(channel));
        Self(seat)
    }
}
