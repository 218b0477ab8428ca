//! Presence in the memory of one process.

use std::array;
use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Presence, PresenceStats};
use crate::deferred::Deferred;
use crate::engine::EngineError;
use crate::protocol::ClientInfo;

/// How many locks there are. A power of two.
const SHARDS: usize = 64;

/// Members that are found by looking at each.
const FEW: usize = 8;

/// Members below which a large channel becomes a small one again. Well below [`FEW`], so that one who comes and goes does not turn
/// it over each time.
const FEW_AGAIN: usize = FEW / 2;

/// Keeps track, in the memory of this process, of who is in a channel: for one node, and until it ends. Nothing expires: who adds
/// a connection removes it.
pub struct MemoryPresence {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

type Shard = HashMap<Box<str>, Members>;

impl MemoryPresence {
    /// With nobody in any channel.
    pub fn new() -> Self {
        Self { shards: array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }

    fn shard(&self, channel: &str) -> MutexGuard<'_, Shard> {
        // SHARDS is a power of two, so the cast loses nothing that the mask would keep.
        let shard = &self.shards[self.hasher.hash_one(channel) as usize & (SHARDS - 1)];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Presence for MemoryPresence {
    fn add(&self, channel: &str, info: Arc<ClientInfo>) -> Deferred<Result<(), EngineError>> {
        let mut shard = self.shard(channel);
        match shard.get_mut(channel) {
            Some(members) => members.add(info),
            None => {
                shard.insert(channel.into(), Members::one(info));
            }
        }
        Deferred::now(Ok(()))
    }

    fn remove(&self, channel: &str, client: &str) -> Deferred<Result<(), EngineError>> {
        let mut shard = self.shard(channel);
        if let Some(members) = shard.get_mut(channel) {
            members.remove(client);
            if members.stats().clients == 0 {
                shard.remove(channel);
                let channels = shard.len();
                if shard.capacity() > 4 * channels + 64 {
                    shard.shrink_to(2 * channels);
                }
            }
        }
        Deferred::now(Ok(()))
    }

    fn list(&self, channel: &str) -> Deferred<Result<Vec<Arc<ClientInfo>>, EngineError>> {
        Deferred::now(Ok(self.shard(channel).get(channel).map(Members::list).unwrap_or_default()))
    }

    fn stats(&self, channel: &str) -> Deferred<Result<PresenceStats, EngineError>> {
        Deferred::now(Ok(self.shard(channel).get(channel).map(Members::stats).unwrap_or_default()))
    }
}

impl Default for MemoryPresence {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryPresence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryPresence").finish_non_exhaustive()
    }
}

/// Who is in one channel.
enum Members {
    /// At most [`FEW`]. Most channels have one member.
    Few(Vec<Arc<ClientInfo>>),
    Many(Box<Many>),
}

/// A larger channel's members, found by their ids, and how many connections each user has.
struct Many {
    clients: HashSet<ByClient>,
    users: HashMap<Box<str>, usize>,
}

impl Members {
    fn one(info: Arc<ClientInfo>) -> Self {
        Self::Few(vec![info])
    }

    fn add(&mut self, info: Arc<ClientInfo>) {
        match self {
            Self::Few(few) => {
                if let Some(known) = few.iter_mut().find(|known| known.client == info.client) {
                    *known = info;
                } else if few.len() < FEW {
                    few.reserve_exact(1);
                    few.push(info);
                } else {
                    let mut many = Many { clients: HashSet::new(), users: HashMap::new() };
                    few.drain(..).chain([info]).for_each(|info| many.add(info));
                    *self = Self::Many(Box::new(many));
                }
            }
            Self::Many(many) => many.add(info),
        }
    }

    fn remove(&mut self, client: &str) {
        match self {
            Self::Few(few) => few.retain(|known| known.client != client),
            Self::Many(many) => {
                many.remove(client);
                if many.clients.len() <= FEW_AGAIN {
                    *self = Self::Few(many.clients.drain().map(|ByClient(info)| info).collect());
                }
            }
        }
    }

    fn list(&self) -> Vec<Arc<ClientInfo>> {
        match self {
            Self::Few(few) => few.clone(),
            Self::Many(many) => many.clients.iter().map(|ByClient(info)| Arc::clone(info)).collect(),
        }
    }

    fn stats(&self) -> PresenceStats {
        match self {
            Self::Few(few) => {
                let is_first = |at: usize, user: &str| few[..at].iter().all(|before| before.user != user);
                let users = few.iter().enumerate().filter(|(at, info)| is_first(*at, &info.user)).count();
                PresenceStats { clients: few.len(), users }
            }
            Self::Many(many) => PresenceStats { clients: many.clients.len(), users: many.users.len() },
        }
    }
}

impl Many {
    fn add(&mut self, info: Arc<ClientInfo>) {
        // The user first: should the old info have the same, its count does not fall to nothing in between.
        match self.users.get_mut(info.user.as_str()) {
            Some(connections) => *connections += 1,
            None => {
                self.users.insert(info.user.as_str().into(), 1);
            }
        }
        if let Some(ByClient(old)) = self.clients.replace(ByClient(info)) {
            self.forget_user(&old.user);
        }
    }

    fn remove(&mut self, client: &str) {
        if let Some(ByClient(info)) = self.clients.take(client) {
            self.forget_user(&info.user);
        }
        if self.clients.capacity() > 4 * self.clients.len() + 64 {
            self.clients.shrink_to(2 * self.clients.len());
            self.users.shrink_to(2 * self.users.len());
        }
    }

    /// One connection less.
    fn forget_user(&mut self, user: &str) {
        if let Some(connections) = self.users.get_mut(user) {
            *connections -= 1;
            if *connections == 0 {
                self.users.remove(user);
            }
        }
    }
}

/// An info that is found by the connection's id, which so is not kept twice.
struct ByClient(Arc<ClientInfo>);

impl Borrow<str> for ByClient {
    fn borrow(&self) -> &str {
        &self.0.client
    }
}

impl Hash for ByClient {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.client.as_str().hash(state);
    }
}

impl PartialEq for ByClient {
    fn eq(&self, other: &Self) -> bool {
        self.0.client == other.0.client
    }
}

impl Eq for ByClient {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::suite;

    #[test]
    fn keeps_every_promise_of_a_presence() {
        suite::all(|| Arc::new(MemoryPresence::new()));
    }

    #[test]
    fn nothing_is_left_of_a_channel_that_nobody_is_in() {
        let presence = MemoryPresence::new();
        let left = allocation_counter::measure(|| {
            for count in [1, FEW, FEW + 1, 100] {
                for number in 0..count {
                    let client = number.to_string();
                    let info = ClientInfo { user: client.clone(), client, ..ClientInfo::default() };
                    drop(presence.add("room", Arc::new(info)));
                }
                (0..count).for_each(|number| drop(presence.remove("room", &number.to_string())));
            }
        });
        assert!(left.bytes_current < 512, "{left:?}");
    }

    #[test]
    fn a_channel_of_one_is_small() {
        const CHANNELS: usize = 10_000;
        let presence = MemoryPresence::new();
        let infos: Vec<_> = (0..CHANNELS)
            .map(|number| Arc::new(ClientInfo { client: number.to_string(), ..ClientInfo::default() }))
            .collect();
        let taken = allocation_counter::measure(|| {
            for info in infos {
                drop(presence.add(&info.client.clone(), info));
            }
        });
        assert!(
            taken.bytes_current < 150 * CHANNELS as i64,
            "{} bytes each",
            taken.bytes_current / CHANNELS as i64
        );
    }
}
