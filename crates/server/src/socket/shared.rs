//! A socket that is in channels: others write to it in their turns.

use std::cell::{Cell, RefCell, RefMut};
use std::sync::Arc;

use antiphon_proto::{Config, Prepared, SendError};
use antiphon_socket::{Flush, WebSocket};
use tokio::net::TcpStream;

use super::Opened;
use crate::channels::{Encoding, Member};
use crate::serve::Seat;

/// A socket that is in channels.
pub(super) struct Shared {
    socket: RefCell<WebSocket<TcpStream>>,
    /// The place of the task that reads from the socket.
    seat: Seat,
    encoding: Encoding,
    /// Something was queued since the last flush.
    queued: Cell<bool>,
    /// A publication did not fit: the peer reads too slowly, and its task has to end the connection.
    overrun: Cell<bool>,
}

impl Shared {
    pub(super) fn new(opened: Opened, config: &Arc<Config>, encoding: Encoding) -> Self {
        let seat = opened.worker.roster.seat();
        Self {
            socket: RefCell::new(opened.into_socket(config)),
            seat,
            encoding,
            queued: Cell::new(false),
            overrun: Cell::new(false),
        }
    }

    /// The socket, for its own task's turn. Nothing is delivered meanwhile.
    pub(super) fn socket(&self) -> RefMut<'_, WebSocket<TcpStream>> {
        self.socket.borrow_mut()
    }

    pub(super) fn seat(&self) -> &Seat {
        &self.seat
    }

    /// Whether a publication has been lost because the peer reads too slowly.
    pub(super) fn is_overrun(&self) -> bool {
        self.overrun.get()
    }
}

impl Member for Shared {
    fn encoding(&self) -> Encoding {
        self.encoding
    }

    fn queue(&self, frame: &Prepared) -> bool {
        if let Err(SendError::OutboxFull { .. }) = self.socket.borrow_mut().queue(frame) {
            self.overrun.set(true);
        }
        !self.queued.replace(true)
    }

    fn flush(&self) {
        self.queued.set(false);
        let blocked = self.socket.borrow_mut().try_flush() == Flush::Blocked;
        if blocked || self.overrun.get() {
            self.seat.wake();
        }
    }
}
