//! What waits to be handed out by one worker.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::Mail;

/// Above so many bytes in a mailbox, publishers stop reading until it is emptied.
const FULL: usize = 16 * 1024 * 1024;

/// What waits for one worker, in order.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    inner: Mutex<Inner>,
    /// The bytes in it, to be read without the lock.
    bytes: AtomicUsize,
}

#[derive(Debug, Default)]
struct Inner {
    mail: Vec<Mail>,
    /// The worker's task that empties it.
    reader: Option<Waker>,
    /// Publishers that wait for room.
    waiting: Vec<Waker>,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that is done under the lock leaves it half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in, and wakes the reader if it is asleep.
    pub(super) fn post(&self, mail: Mail) {
        let mut inner = self.lock();
        self.bytes.fetch_add(mail.weight(), Ordering::Relaxed);
        inner.mail.push(mail);
        let reader = inner.reader.take();
        drop(inner);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Moves what is there into `mail`.
    pub(super) fn take(&self, mail: &mut Vec<Mail>) {
        let mut inner = self.lock();
        mail.append(&mut inner.mail);
        self.bytes.store(0, Ordering::Relaxed);
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Ready when there is something to take.
    pub(super) fn poll_some(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if inner.mail.is_empty() {
            inner.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Ready when a publisher may go on.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.bytes.load(Ordering::Relaxed) < FULL {
            return Poll::Ready(());
        }
        let mut inner = self.lock();
        if inner.mail.is_empty() {
            return Poll::Ready(());
        }
        if !inner.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            inner.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
