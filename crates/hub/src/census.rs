//! How many connections each user has on this node.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 16;

/// Connections by user. All anonymous ones are one user's.
#[derive(Debug)]
pub(crate) struct Census {
    shards: [Mutex<HashMap<Box<str>, usize>>; SHARDS],
    hasher: RandomState,
}

impl Default for Census {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}

impl Census {
    fn shard(&self, user: &str) -> MutexGuard<'_, HashMap<Box<str>, usize>> {
        let index = usize::try_from(self.hasher.hash_one(user) % SHARDS as u64).unwrap_or_default();
        lock(&self.shards[index])
    }

    /// Counts a connection in, unless the user has `limit` already; 0 is no limit. Whether it was counted.
    pub(crate) fn enter(&self, user: &str, limit: usize) -> bool {
        let mut shard = self.shard(user);
        match shard.get_mut(user) {
            Some(count) if limit > 0 && *count >= limit => return false,
            Some(count) => *count += 1,
            None => {
                shard.insert(user.into(), 1);
            }
        }
        true
    }

    /// Counts a connection out.
    pub(crate) fn leave(&self, user: &str) {
        let mut shard = self.shard(user);
        let Some(count) = shard.get_mut(user) else { return };
        *count -= 1;
        if *count == 0 {
            shard.remove(user);
        }
    }

    /// How many users there are.
    pub(crate) fn users(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_counted_once_and_limited() {
        let census = Census::default();
        assert!(census.enter("a", 2) && census.enter("a", 2) && census.enter("b", 2));
        assert!(!census.enter("a", 2));
        assert_eq!(census.users(), 2);
        census.leave("a");
        assert!(census.enter("a", 2));
        census.leave("b");
        census.leave("b");
        assert_eq!(census.users(), 1);
        assert!((0..100).all(|_| census.enter("", 0)));
    }
}
