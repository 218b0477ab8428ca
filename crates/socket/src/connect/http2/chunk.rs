//! What is on its way from a stream to its connection's task.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};

/// So many bytes may wait for the connection's task; what comes later waits in the application.
const ROOM: usize = 32 * 1024;

/// How much of a stream has not been written yet, and who waits for that.
///
/// `h2` takes data and says no more of it; and what it still holds when a stream is dropped is dropped with it. So a flush that does
/// not know when it is done would lose what was sent last.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: AtomicUsize,
    waiting: Mutex<Option<Waker>>,
}

impl Outgoing {
    /// A part of the stream, which counts until it is written or dropped. The end of the stream is an empty one.
    pub(super) fn chunk(self: &Arc<Self>, bytes: Bytes) -> Chunk {
        let cost = bytes.len().max(1);
        self.bytes.fetch_add(cost, Ordering::AcqRel);
        Chunk { bytes, cost, outgoing: Arc::clone(self) }
    }

    /// Ready when another part may be sent.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_below(ROOM, cx)
    }

    /// Ready when all is written.
    pub(super) fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_below(1, cx)
    }

    fn poll_below(&self, limit: usize, cx: &Context<'_>) -> Poll<()> {
        if self.bytes.load(Ordering::Acquire) < limit {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Once the lock is held, whoever writes next sees this waker.
        if self.bytes.load(Ordering::Acquire) < limit {
            return Poll::Ready(());
        }
        match &mut *waiting {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn leave(&self, cost: usize) {
        self.bytes.fetch_sub(cost, Ordering::AcqRel);
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// A part of a stream: the payload of a DATA frame, or of several.
#[derive(Debug)]
pub(super) struct Chunk {
    bytes: Bytes,
    cost: usize,
    outgoing: Arc<Outgoing>,
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.outgoing.leave(self.cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_counts_until_it_is_dropped() {
        let cx = Context::from_waker(Waker::noop());
        let outgoing = Arc::new(Outgoing::default());
        let end = outgoing.chunk(Bytes::new());
        assert!(outgoing.poll_empty(&cx).is_pending(), "an end counts, though it has no bytes");
        let mut full = outgoing.chunk(Bytes::from(vec![0; ROOM]));
        assert!(outgoing.poll_room(&cx).is_pending());
        full.advance(ROOM);
        assert!(outgoing.poll_room(&cx).is_pending(), "what is half written is not written");
        drop(full);
        assert!(outgoing.poll_room(&cx).is_ready());
        drop(end);
        assert!(outgoing.poll_empty(&cx).is_ready());
    }
}
