//! One subscription of a session.

use std::cell::RefCell;
use std::sync::Arc;

use crate::protocol::{ClientInfo, Position};
use crate::seat::Seat;

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
    /// The client was told that it can recover what it misses.
    pub(super) is_recoverable: bool,
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
    /// Lets through what was held. False where something was missed meanwhile.
    #[must_use]
    pub(super) fn release(&self) -> bool {
        self.released.take().is_none_or(|start| self.seat.release(start.position, start.has_base))
    }

    /// Others see this of it from now on.
    pub(super) fn show(&mut self, info: Arc<ClientInfo>) {
        self.seat.show_anew(&info);
        self.info = info;
    }
}
