//! Which publications have been made: idempotency keys.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::after;
use super::alarms::Alarms;
use super::epoch::Epoch;
use crate::engine::Idempotency;

/// Keys of one shard that are remembered at most.
pub(super) const MOST: usize = 16_384;

/// Keys that are forgotten in one go.
const BATCH: usize = 512;

/// A channel and a key in it: 128 bits of a keyed hash, so that a key costs the same however long it is. The chance that
/// two of a million meet is below 1 in 2^80.
type Hash = [u64; 2];

/// A key that a publication came with.
#[derive(Debug)]
pub(super) struct Key {
    hash: Hash,
    ttl: Duration,
}

impl Key {
    pub(super) fn new(hasher: &RandomState, channel: &str, wanted: &Idempotency) -> Self {
        let hash = [0_u8, 1].map(|half| hasher.hash_one((half, channel, &wanted.key)));
        Self { hash, ttl: wanted.ttl }
    }
}

/// Where a publication was put; `None` in a channel that keeps none.
pub(super) type Place = Option<(u64, Epoch)>;

#[derive(Debug)]
struct Remembered {
    place: Place,
    expire_at: u64,
}

/// The keys of one shard, and what came of their publications.
#[derive(Debug, Default)]
pub(super) struct Keys {
    remembered: HashMap<Hash, Remembered>,
    /// One for each of `remembered`, and one for each that was replaced after it had expired.
    alarms: Alarms<Hash>,
}

impl Keys {
    /// What came of the publication with this key.
    pub(super) fn find(&self, key: &Key, now: u64) -> Option<Place> {
        let found = self.remembered.get(&key.hash)?;
        (found.expire_at > now).then_some(found.place)
    }

    /// Remembers what came of it.
    pub(super) fn insert(&mut self, key: &Key, place: Place, now: u64) {
        let expire_at = after(now, key.ttl);
        while self.alarms.len() >= MOST {
            let Some((at, hash)) = self.alarms.pop() else { break };
            self.forget(at, &hash);
        }
        self.remembered.insert(key.hash, Remembered { place, expire_at });
        self.alarms.set(expire_at, key.hash);
    }

    /// Forgets what has expired, as much as goes in one go.
    pub(super) fn tick(&mut self, now: u64) {
        for _ in 0..BATCH {
            let Some((at, hash)) = self.alarms.pop_due(now) else { break };
            self.forget(at, &hash);
        }
        self.alarms.shrink();
        if self.remembered.capacity() > 4 * self.remembered.len() + 64 {
            self.remembered.shrink_to(2 * self.remembered.len());
        }
    }

    /// Unless it was replaced.
    fn forget(&mut self, at: u64, hash: &Hash) {
        if self.remembered.get(hash).is_some_and(|found| found.expire_at == at) {
            self.remembered.remove(hash);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.remembered.len()
    }
}
