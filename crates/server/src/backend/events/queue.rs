//! Events that wait for the courier.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::EventStats;
use crate::config::server::EventKind;

/// Who an event is about.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) client: Arc<str>,
    pub(super) user: Arc<str>,
    pub(super) transport: &'static str,
    pub(super) protocol: &'static str,
}

/// An event, without its number, which its place in the queue gives.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    /// In milliseconds since 1970.
    pub(super) time: u64,
    pub(super) about: Option<About>,
    /// Empty where it is about no channel.
    pub(super) channel: Box<str>,
    pub(super) code: Option<u32>,
    pub(super) reason: Option<Cow<'static, str>>,
    /// A message, as JSON.
    pub(super) data: Option<Bytes>,
}

impl Event {
    /// About as many bytes as it takes in memory.
    fn weight(&self) -> usize {
        let about = self.about.as_ref().map_or(0, |about| about.client.len() + about.user.len());
        let data = self.data.as_ref().map_or(0, Bytes::len);
        size_of::<Self>()
            + about
            + data
            + self.channel.len()
            + self.reason.as_ref().map_or(0, |reason| reason.len())
    }
}

/// Events for one post.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The number of the first.
    pub(super) first: u64,
    pub(super) events: Vec<Event>,
    /// Events that were dropped and of which the application has not been told.
    pub(super) dropped: u64,
}

/// A bounded queue into which nobody waits to put: what is too much drops what is oldest.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    batch_size: usize,
    inner: Mutex<Inner>,
    /// There is a first event, or a whole batch.
    wake: Notify,
    closing: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Event>,
    weight: usize,
    /// The number of the first that waits.
    first: u64,
    /// Dropped since a batch was last taken.
    unreported: u64,
    stats: EventStats,
}

impl Inner {
    fn drop_oldest(&mut self) {
        if let Some(event) = self.waiting.pop_front() {
            self.weight -= event.weight();
            self.first += 1;
            self.drop_one();
        }
    }

    fn drop_one(&mut self) {
        self.unreported += 1;
        self.stats.dropped += 1;
    }
}

/// Bytes that an event may weigh on average before older ones are dropped for it.
const WEIGHT: usize = 1024;

impl Queue {
    pub(super) fn new(capacity: usize, batch_size: usize) -> Self {
        let inner = Mutex::new(Inner { first: 1, ..Inner::default() });
        Self { capacity, batch_size, inner, wake: Notify::new(), closing: watch::Sender::new(false) }
    }

    pub(super) fn push(&self, event: Event) {
        let mut inner = self.lock();
        inner.stats.told += 1;
        if *self.closing.borrow() {
            inner.drop_one();
            return;
        }
        inner.weight += event.weight();
        inner.waiting.push_back(event);
        while inner.waiting.len() > self.capacity || inner.weight > self.capacity.saturating_mul(WEIGHT) {
            inner.drop_oldest();
        }
        let length = inner.waiting.len();
        drop(inner);
        // The courier looks at the queue before it waits, so nothing in between needs to wake it.
        if length == 1 || length == self.batch_size {
            self.wake.notify_one();
        }
    }

    /// Takes no more events, and lets the courier end when there are none.
    pub(super) fn close(&self) {
        // Under the lock, so that no event is put in behind the courier's back.
        let inner = self.lock();
        self.closing.send_replace(true);
        drop(inner);
        self.wake.notify_one();
    }

    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Waits for the end of the queue.
    pub(super) async fn closed(&self) {
        // The sender is in `self`.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Waits for a batch: a full one, or one that has waited for `delay`. `None` when the queue is closed and empty.
    pub(super) async fn take(&self, delay: Duration) -> Option<Taken> {
        self.until(|length| length > 0).await;
        // An error means that the time is up, which is a reason to go as well.
        let _ = tokio::time::timeout(delay, self.until(|length| length >= self.batch_size)).await;
        let mut inner = self.lock();
        let count = inner.waiting.len().min(self.batch_size);
        if count == 0 {
            return None;
        }
        let events: Vec<_> = inner.waiting.drain(..count).collect();
        inner.weight -= events.iter().map(Event::weight).sum::<usize>();
        let first = inner.first;
        inner.first += events.len() as u64;
        Some(Taken { first, events, dropped: mem::take(&mut inner.unreported) })
    }

    async fn until(&self, enough: impl Fn(usize) -> bool) {
        loop {
            // Before looking, so that no wake is lost.
            let woken = self.wake.notified();
            let length = self.lock().waiting.len();
            if enough(length) || self.is_closing() {
                return;
            }
            woken.await;
        }
    }

    pub(super) fn delivered(&self, taken: &Taken) {
        let mut inner = self.lock();
        inner.stats.delivered += taken.events.len() as u64;
        inner.stats.batches += 1;
    }

    /// The application does not want it. What it said of dropped events is said again by the next one.
    pub(super) fn refused(&self, taken: &Taken) {
        let mut inner = self.lock();
        inner.stats.dropped += taken.events.len() as u64;
        inner.unreported += taken.events.len() as u64 + taken.dropped;
    }

    pub(super) fn retried(&self) {
        self.lock().stats.retries += 1;
    }

    /// Events that are neither delivered nor dropped.
    pub(super) fn undelivered(&self) -> u64 {
        let EventStats { told, delivered, dropped, .. } = self.lock().stats;
        told - delivered - dropped
    }

    pub(super) fn stats(&self) -> EventStats {
        let inner = self.lock();
        EventStats { waiting: inner.waiting.len(), ..inner.stats }
    }

    /// Every change is whole before anything can panic.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
