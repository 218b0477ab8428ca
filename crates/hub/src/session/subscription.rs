//! One subscription of a session.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::channels::Membership;
use crate::node::Node;
use crate::protocol::{ClientInfo, Position};

/// A client's place in a channel: with the engine, with presence, and in the fan-out. All end when it is dropped.
pub(super) struct Seat {
    node: Arc<Node>,
    membership: Option<Membership>,
    channel: Rc<str>,
    watches: bool,
    /// The connection's id, once it is among those present.
    present: Option<Arc<str>>,
}

impl Seat {
    pub(super) fn new(node: Arc<Node>, membership: Membership) -> Self {
        let channel = Rc::clone(membership.channel());
        Self { node, membership: Some(membership), channel, watches: false, present: None }
    }

    /// The engine is asked to watch: what follows ends that too.
    pub(super) fn watch(&mut self) {
        self.watches = true;
    }

    /// Presence is told: what follows ends that too.
    pub(super) fn show(&mut self, client: &Arc<str>) {
        self.present = Some(Arc::clone(client));
    }

    pub(super) fn channel(&self) -> &Rc<str> {
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

/// One subscription.
pub(super) struct Subscription {
    pub(super) seat: Seat,
    /// What others see of it.
    pub(super) info: Arc<ClientInfo>,
    /// The server subscribed the client, not the client itself.
    pub(super) is_server_side: bool,
    /// A connection's token named the channel.
    pub(super) is_of_token: bool,
    /// The client refreshes it, not the backend.
    pub(super) is_client_refreshed: bool,
    /// Others are told of it.
    pub(super) joins: bool,
    /// When it expires, in seconds since 1970; 0 never.
    pub(super) expire_at: u64,
    /// Where what was held goes on, until that is done.
    pub(super) released: RefCell<Option<Box<Start>>>,
}

/// Where a subscription begins.
#[derive(Debug, Default)]
pub(super) struct Start {
    /// In the stream, where it is positioned.
    pub(super) position: Option<Position>,
    /// The client has the publication at the position.
    pub(super) has_base: bool,
}

impl Subscription {
    /// Lets through what was held.
    pub(super) fn release(&self) {
        if let (Some(start), Some(membership)) = (self.released.take(), &self.seat.membership) {
            membership.release(start.position, start.has_base);
        }
    }
}
