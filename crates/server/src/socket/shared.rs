//! A socket that is in channels: others write to it in their turns.

use std::cell::{Cell, RefCell, RefMut};
use std::net::IpAddr;
use std::sync::Arc;

use crate::stream::Stream;
use antiphon_proto::{Config, Prepared, SendError};
use antiphon_socket::{Flush, WebSocket};

use super::Opened;
use crate::serve::{Pass, Seat};

/// A socket that is in channels.
pub(super) struct Shared {
    socket: RefCell<WebSocket<Stream>>,
    /// The place of the task that reads from the socket.
    seat: Seat,
    /// Something was queued since the last flush.
    queued: Cell<bool>,
    /// Something did not fit: the peer reads too slowly, and its task has to end the connection.
    overrun: Cell<bool>,
    pass: Pass,
}

impl Shared {
    pub(super) fn new(opened: Opened, config: &Arc<Config>) -> Self {
        let seat = opened.worker.roster.seat();
        let (mut socket, pass) = opened.into_socket(config);
        socket.pause_before_close();
        Self { socket: RefCell::new(socket), seat, queued: Cell::new(false), overrun: Cell::new(false), pass }
    }

    /// The socket, for its own task's turn. Nothing is delivered meanwhile.
    pub(super) fn socket(&self) -> RefMut<'_, WebSocket<Stream>> {
        self.socket.borrow_mut()
    }

    pub(super) fn seat(&self) -> &Seat {
        &self.seat
    }

    /// The peer's address, unless it has gone.
    pub(super) fn remote(&self) -> Option<IpAddr> {
        self.socket.borrow().get_ref().peer()
    }

    /// Whether something has been lost because the peer reads too slowly.
    pub(super) fn is_overrun(&self) -> bool {
        self.overrun.get()
    }

    /// Something was lost: the task has to end the connection.
    pub(super) fn overrun(&self) {
        self.note_overrun();
        self.seat.wake();
    }

    /// Takes a frame to be written. True if it is the first since the last flush.
    pub(super) fn queue(&self, frame: &Prepared) -> bool {
        if let Err(SendError::OutboxFull { .. }) = self.socket.borrow_mut().queue(frame) {
            self.note_overrun();
        }
        !self.queued.replace(true)
    }

    fn note_overrun(&self) {
        if !self.overrun.replace(true) {
            self.pass.is_slow();
        }
    }

    /// Writes what was queued.
    pub(super) fn flush(&self) {
        self.queued.set(false);
        let blocked = self.socket.borrow_mut().try_flush() == Flush::Blocked;
        if blocked || self.overrun.get() {
            self.seat.wake();
        }
    }
}
