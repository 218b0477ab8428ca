//! An engine that keeps everything in the memory of one process.
//!
//! ```text
//! publish ─► shard of the channel, locked ─► seen this key? ─► newer version? ─► append ─► sink
//! ```
//!
//! Channels are spread over shards, each behind its own lock. What one publication does is done under one lock, the handing on
//! included: so it is one act, and the order of offsets is the order in which publications are handed on.
//!
//! What has expired is gone at once for whoever asks, and gives its memory back soon after: when it is asked for, or by
//! [`tick`](Engine::tick), whose work is bounded.

mod alarms;
mod epoch;
mod keys;
mod shard;
mod stream;
#[cfg(test)]
mod tests;

use std::array;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::keys::Key;
use self::shard::Shard;
use super::{Engine, EngineError, Event, History, HistoryQuery, Publish, Published, Sink};
use crate::clock::Clock;
use crate::deferred::Deferred;

/// How many locks there are. A power of two.
const SHARDS: usize = 64;

/// A moment that never comes. Moments are milliseconds since 1970.
const NEVER: u64 = u64::MAX;

/// Keeps channels in the memory of this process: for one node, and until it ends.
///
/// A channel without publications costs less than 200 bytes and its name. At most 1,048,576 idempotency keys are remembered,
/// 16,384 in each of 64 shards: beyond that the one that would expire next is forgotten early.
pub struct MemoryEngine {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    sink: Arc<dyn Sink>,
    clock: Arc<dyn Clock>,
}

/// What an engine in memory holds. What has expired may be counted until it is asked for or its turn comes in
/// [`tick`](Engine::tick).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryStats {
    /// Streams.
    pub channels: usize,
    /// Publications in all of them.
    pub publications: usize,
    /// What the publications take, in bytes: their data and tags, and what every publication has.
    pub bytes: usize,
}

impl MemoryEngine {
    /// An engine without channels, which hands on to `sink` and takes the time from `clock`.
    pub fn new(sink: Arc<dyn Sink>, clock: Arc<dyn Clock>) -> Self {
        Self { shards: array::from_fn(|_| Mutex::default()), hasher: RandomState::new(), sink, clock }
    }

    /// What it holds. Takes every lock once, one after the other.
    pub fn stats(&self) -> MemoryStats {
        let mut stats = MemoryStats::default();
        for shard in &self.shards {
            let (channels, held) = lock(shard).size();
            stats.channels += channels;
            stats.publications += held.publications;
            stats.bytes += held.bytes;
        }
        stats
    }

    fn shard(&self, channel: &str) -> MutexGuard<'_, Shard> {
        // SHARDS is a power of two, so the cast loses nothing that the mask would keep.
        lock(&self.shards[self.hasher.hash_one(channel) as usize & (SHARDS - 1)])
    }
}

/// A shard is whole whenever a sink is called, so a sink that panicked left nothing half done.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine for MemoryEngine {
    fn publish(&self, channel: &str, publish: Publish) -> Deferred<Result<Published, EngineError>> {
        let key = publish.idempotency.as_ref().map(|wanted| Key::new(&self.hasher, channel, wanted));
        let mut shard = self.shard(channel);
        // Asked for under the lock: the times of a channel's publications do not fall.
        let now = self.clock.unix_ms();
        Deferred::now(shard.publish(channel, key.as_ref(), publish, now).map(|(published, event)| {
            if let Some(event) = event {
                self.sink.deliver(channel, event);
            }
            published
        }))
    }

    fn announce(&self, channel: &str, event: Event) -> Deferred<Result<(), EngineError>> {
        let _order = self.shard(channel);
        self.sink.deliver(channel, event);
        Deferred::now(Ok(()))
    }

    fn history(&self, channel: &str, query: HistoryQuery) -> Deferred<Result<History, EngineError>> {
        let mut shard = self.shard(channel);
        Deferred::now(shard.history(channel, &query, self.clock.unix_ms()))
    }

    fn remove_history(&self, channel: &str) -> Deferred<Result<(), EngineError>> {
        let removed = self.shard(channel).remove_history(channel);
        // Outside of the lock: it may be long.
        drop(removed);
        Deferred::now(Ok(()))
    }

    /// Nothing to do: every channel is on this node.
    fn watch(&self, _channel: &str) -> Deferred<Result<(), EngineError>> {
        Deferred::now(Ok(()))
    }

    /// Nothing to do: every channel is on this node.
    fn unwatch(&self, _channel: &str) -> Deferred<Result<(), EngineError>> {
        Deferred::now(Ok(()))
    }

    /// Forgets what has expired, at most 512 channels and 512 keys of each shard.
    fn tick(&self) {
        let now = self.clock.unix_ms();
        for shard in &self.shards {
            let removed = lock(shard).tick(now);
            drop(removed);
        }
    }
}

impl fmt::Debug for MemoryEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryEngine").finish_non_exhaustive()
    }
}

/// The moment at which something ends that begins now.
fn after(now: u64, ttl: Duration) -> u64 {
    now.saturating_add(u64::try_from(ttl.as_millis()).unwrap_or(NEVER))
}

/// The same, where no length at all means for ever.
fn after_or_never(now: u64, ttl: Duration) -> u64 {
    if ttl.is_zero() { NEVER } else { after(now, ttl) }
}
