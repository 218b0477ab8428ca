//! The channels of the whole process: which workers have members, and the order of publications.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use super::Publication;
use super::mailbox::Mailbox;

/// A worker's place among the workers.
pub(crate) type WorkerId = u16;

/// Locks for the channels: more than there are workers to contend for them.
const SHARDS: usize = 64;

/// The channels, shared by all workers. What a worker needs for itself is in its [`Fanout`](super::Fanout).
#[derive(Debug)]
pub(crate) struct Hub {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    mailboxes: Box<[Mailbox]>,
}

/// Each channel with the workers that have members in it, never none.
type Shard = HashMap<Box<str>, Vec<WorkerId>>;

impl Hub {
    pub(crate) fn new(workers: WorkerId) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            mailboxes: (0..workers).map(|_| Mailbox::default()).collect(),
        }
    }

    fn shard(&self, channel: &str) -> MutexGuard<'_, Shard> {
        let hash = usize::try_from(self.hasher.hash_one(channel) % SHARDS as u64).unwrap_or_default();
        self.shards[hash].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `worker` gets the publications of `channel`.
    pub(super) fn watch(&self, channel: &str, worker: WorkerId) {
        let mut shard = self.shard(channel);
        match shard.get_mut(channel) {
            Some(workers) if workers.contains(&worker) => {}
            Some(workers) => workers.push(worker),
            None => {
                shard.insert(channel.into(), vec![worker]);
            }
        }
    }

    /// `worker` has no member in `channel` any more.
    pub(super) fn unwatch(&self, channel: &str, worker: WorkerId) {
        let mut shard = self.shard(channel);
        if let Some(workers) = shard.get_mut(channel) {
            workers.retain(|other| *other != worker);
            if workers.is_empty() {
                shard.remove(channel);
            }
        }
    }

    /// Gives a publication its place in its channel's order, and posts it to the workers with members. The caller,
    /// which runs on worker `from`, delivers what is for its own worker before its turn ends; the others are woken.
    pub(crate) fn publish(&self, publication: Publication, from: WorkerId) {
        let publication = Arc::new(publication);
        let shard = self.shard(&publication.channel);
        for &worker in shard.get(&publication.channel).into_iter().flatten() {
            self.mailbox(worker).post(Arc::clone(&publication), worker != from);
        }
    }

    /// Ready when every worker has room for more publications.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        for mailbox in &self.mailboxes {
            ready!(mailbox.poll_room(cx));
        }
        Poll::Ready(())
    }

    /// Ready when something waits for `worker`.
    pub(crate) fn poll_some(&self, worker: WorkerId, cx: &mut Context<'_>) -> Poll<()> {
        self.mailbox(worker).poll_some(cx)
    }

    pub(super) fn take(&self, worker: WorkerId, posts: &mut Vec<Arc<Publication>>) {
        self.mailbox(worker).take(posts);
    }

    fn mailbox(&self, worker: WorkerId) -> &Mailbox {
        &self.mailboxes[usize::from(worker)]
    }
}
