//! A place in a channel, with all that it takes.

use std::rc::Rc;
use std::sync::Arc;

use crate::channels::{Local, Member, Membership, Wants};
use crate::engine::EngineError;
use crate::node::Node;
use crate::protocol::{ClientInfo, Position};

/// A client's place in a channel: with the engine, with presence, and in the fan-out. All end when it is dropped.
pub(crate) struct Seat {
    node: Arc<Node>,
    membership: Option<Membership>,
    channel: Rc<str>,
    /// The connection's id, once it is among those present.
    present: Option<Arc<str>>,
}

/// A watch of the engine's, which ends when this is dropped.
struct Watch<'a> {
    node: &'a Node,
    channel: &'a str,
    is_taken_over: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.is_taken_over {
            self.node.detach(self.node.engine.unwatch(self.channel));
        }
    }
}

impl Seat {
    /// Lets the engine watch `channel`, and then takes the place that `join` gives. The other way round a member could be told of
    /// some of what happened before the engine watched: that somebody joined, and not that they left.
    ///
    /// # Errors
    /// When the engine cannot watch.
    pub(crate) async fn take(
        node: &Arc<Node>,
        channel: &str,
        join: impl FnOnce() -> Membership,
    ) -> Result<Self, EngineError> {
        let mut watch = Watch { node, channel, is_taken_over: false };
        node.engine.watch(channel).await?;
        watch.is_taken_over = true;
        Ok(Self::watched(node, join()))
    }

    /// A place in a channel that the engine has been asked to watch.
    fn watched(node: &Arc<Node>, membership: Membership) -> Self {
        let channel = Rc::clone(membership.channel());
        Self { node: Arc::clone(node), membership: Some(membership), channel, present: None }
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

    /// Where it is in the stream, where it has such a place.
    pub(crate) fn position(&self) -> Option<Position> {
        self.membership.as_ref().and_then(Membership::position)
    }

    /// Whether it is told of joins and leaves.
    pub(crate) fn sees_joins(&self) -> bool {
        self.membership.as_ref().is_some_and(Membership::sees_joins)
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
        self.node.detach(self.node.engine.unwatch(&self.channel));
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
        let membership = local.join(channel, member, wants, false);
        node.detach(node.engine.watch(channel));
        Self(Seat::watched(node, membership))
    }
}
