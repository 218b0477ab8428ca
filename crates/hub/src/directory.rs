//! Where the sessions are that somebody may ask for.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::channels::WorkerId;
use crate::protocol::{Disconnect, Encoding};

/// Locks for the sessions: more than there are workers to contend for them.
const SHARDS: usize = 64;

/// The sessions of this node by their secrets, each with the worker that has it.
///
/// How long a search takes tells nothing of the secrets: the tables are hashed with random keys, so nobody can choose which of them his
/// guess is compared with.
#[derive(Debug)]
pub struct Directory {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    /// How sessions ended whose clients were not listening just then.
    ended: Mutex<HashMap<Arc<str>, LastWord>>,
}

/// So many ends are remembered at most.
const ENDED: usize = 10_000;
/// And for so long, in seconds: a client that polls comes back much sooner.
const REMEMBERED: u64 = 60;

#[derive(Debug)]
struct LastWord {
    disconnect: Disconnect,
    /// In seconds since 1970.
    until: u64,
}

type Shard = HashMap<Arc<str>, Entry>;

#[derive(Debug)]
struct Entry {
    worker: WorkerId,
    user: Arc<str>,
    encoding: Encoding,
    is_resumable: bool,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            ended: Mutex::default(),
        }
    }
}

impl Directory {
    /// The worker that has a session.
    pub fn worker(&self, secret: &str) -> Option<WorkerId> {
        self.shard(secret).get(secret).map(|entry| entry.worker)
    }

    /// How a session ended that is not there any more, where its client was not listening. It is told once.
    pub fn last_word(&self, secret: &str) -> Option<Disconnect> {
        lock(&self.ended).remove(secret).map(|last| last.disconnect)
    }

    /// Keeps how a session ended, for its client.
    pub(crate) fn remember(&self, secret: &Arc<str>, disconnect: &Disconnect, now: u64) {
        let mut ended = lock(&self.ended);
        if ended.len() < ENDED {
            let last = LastWord { disconnect: disconnect.clone(), until: now + REMEMBERED };
            ended.insert(Arc::clone(secret), last);
        }
    }

    /// Forgets the ends that nobody has asked for in time.
    pub(crate) fn tick(&self, now: u64) {
        lock(&self.ended).retain(|_, last| last.until > now);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The worker that has a session, and its secret, where this user can go on with it in this encoding.
    pub(crate) fn find(&self, secret: &str, user: &str, encoding: Encoding) -> Option<(Arc<str>, WorkerId)> {
        let shard = self.shard(secret);
        let (secret, entry) = shard.get_key_value(secret)?;
        let is_meant = entry.is_resumable && *entry.user == *user && entry.encoding == encoding;
        is_meant.then(|| (Arc::clone(secret), entry.worker))
    }

    pub(crate) fn add(
        &self,
        secret: &Arc<str>,
        worker: WorkerId,
        user: &Arc<str>,
        encoding: Encoding,
        is_resumable: bool,
    ) {
        let entry = Entry { worker, user: Arc::clone(user), encoding, is_resumable };
        self.shard(secret).insert(Arc::clone(secret), entry);
    }

    pub(crate) fn remove(&self, secret: &str) {
        self.shard(secret).remove(secret);
    }

    fn shard(&self, secret: &str) -> MutexGuard<'_, Shard> {
        let place = usize::try_from(self.hasher.hash_one(secret) % SHARDS as u64).unwrap_or_default();
        lock(&self.shards[place])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under the locks leaves them half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_by_its_user_in_its_encoding() {
        let directory = Directory::default();
        let (secret, ann): (Arc<str>, Arc<str>) = ("s".into(), "ann".into());
        directory.add(&secret, 3, &ann, Encoding::Json, true);
        let found =
            |secret: &str, user: &str, encoding| directory.find(secret, user, encoding).map(|found| found.1);
        assert_eq!(found("s", "ann", Encoding::Json), Some(3));
        assert_eq!(found("s", "bob", Encoding::Json), None);
        assert_eq!(found("s", "", Encoding::Json), None);
        assert_eq!(found("s", "ann", Encoding::Protobuf), None);
        assert_eq!(found("t", "ann", Encoding::Json), None);
        assert_eq!((directory.worker("s"), directory.worker("")), (Some(3), None));
        directory.add(&"fleeting".into(), 2, &ann, Encoding::Json, false);
        assert_eq!(found("fleeting", "ann", Encoding::Json), None);
        assert_eq!(directory.worker("fleeting"), Some(2));
        directory.remove("fleeting");
        directory.remove("t");
        assert_eq!(directory.len(), 1);
        directory.remove("s");
        assert!(directory.is_empty() && directory.worker("s").is_none());
    }

    #[test]
    fn an_end_is_told_once_and_in_time() {
        let directory = Directory::default();
        let names = ["a", "b"].map(Arc::<str>::from);
        names.iter().for_each(|name| directory.remember(name, &Disconnect::FORCE_NO_RECONNECT, 1000));
        assert_eq!(directory.last_word("a"), Some(Disconnect::FORCE_NO_RECONNECT));
        assert_eq!(directory.last_word("a"), None);
        directory.tick(1059);
        assert_eq!(lock(&directory.ended).len(), 1);
        directory.tick(1060);
        assert_eq!(directory.last_word("b"), None);
        (0..ENDED + 5).for_each(|n| directory.remember(&n.to_string().into(), &Disconnect::SLOW, 0));
        assert_eq!(lock(&directory.ended).len(), ENDED);
    }
}
