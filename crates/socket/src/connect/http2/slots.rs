//! How many streams a connection may have (RFC 9113 §5.1.2), and the wait for one.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// The streams that are in use. `h2` would queue one too many without a word.
#[derive(Debug, Default)]
pub(super) struct Slots {
    taken: Mutex<usize>,
    freed: Notify,
}

/// The right to have a stream.
#[derive(Debug)]
pub(super) struct Slot(Arc<Slots>);

impl Slots {
    /// Waits until a stream is free, for as long as the caller likes. `allowed` is asked again whenever something has changed.
    pub(super) async fn acquire<E>(
        self: &Arc<Self>,
        allowed: impl Fn() -> Result<usize, E>,
    ) -> Result<Slot, E> {
        loop {
            let mut freed = pin!(self.freed.notified());
            // From here on nothing is missed.
            freed.as_mut().enable();
            let allowed = allowed()?;
            if let Some(slot) = self.try_acquire(allowed) {
                return Ok(slot);
            }
            freed.await;
        }
    }

    fn try_acquire(self: &Arc<Self>, allowed: usize) -> Option<Slot> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        (*taken < allowed).then(|| {
            *taken += 1;
            Slot(Arc::clone(self))
        })
    }

    /// What is allowed has changed, or the connection is over.
    pub(super) fn handle_change(&self) {
        self.freed.notify_waiters();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.freed.notify_one();
    }
}
