//! What the workers share: which of them has members in a channel, and a mailbox for each.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};

use super::mailbox::Mailbox;
use super::pace::Pace;
use super::post::Post;
use super::{Control, Mail};
use crate::backend::{Events, Occurrence};
use crate::clock::Clock;
use crate::engine::{Event, Sink};
use crate::inspect::Tray;

/// A worker's place among the workers.
pub type WorkerId = u16;

/// Locks for the channels: more than there are workers to contend for them.
const SHARDS: usize = 64;

/// The members of channels by worker, and the workers' mailboxes. What a worker needs for itself is in its [`Local`](super::Local).
#[derive(Debug)]
pub struct Hub {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    mailboxes: Box<[Mailbox]>,
    /// Questions to the workers, in their order: they are answered by and by, and not between publications.
    trays: Box<[Tray]>,
    /// Who is told when channels are occupied and vacated.
    events: OnceLock<Arc<dyn Events>>,
    /// Measures how long deliveries take.
    clock: OnceLock<Arc<dyn Clock>>,
}

/// Each channel that has members.
type Shard = HashMap<Box<str>, Watched>;

/// A channel that has members.
#[derive(Debug)]
struct Watched {
    /// The workers that have members in it, never none.
    watchers: Vec<Watcher>,
    pace: Pace,
}

/// A worker that has members in a channel, and how many: never none.
#[derive(Debug)]
struct Watcher {
    worker: WorkerId,
    members: u32,
}

/// What goes on in a channel on this node.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Activity {
    /// Members.
    pub members: usize,
    /// Publications a second, over the last ten.
    pub rate: f64,
}

impl Hub {
    /// For so many workers.
    pub fn new(workers: WorkerId) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            mailboxes: (0..workers).map(|_| Mailbox::default()).collect(),
            trays: (0..workers).map(|_| Tray::default()).collect(),
            events: OnceLock::new(),
            clock: OnceLock::new(),
        }
    }

    /// Tells `events` from now on, and measures by `clock`. The first call counts.
    pub(crate) fn report_to(&self, events: Arc<dyn Events>, clock: Arc<dyn Clock>) {
        // Set once, when the node is made.
        let _ = self.events.set(events);
        let _ = self.clock.set(clock);
    }

    /// The time to measure by; it stands still before there is a node.
    pub(super) fn nanos(&self) -> u64 {
        self.clock.get().map_or(0, |clock| clock.nanos())
    }

    fn shard(&self, channel: &str) -> MutexGuard<'_, Shard> {
        let hash = usize::try_from(self.hasher.hash_one(channel) % SHARDS as u64).unwrap_or_default();
        lock(&self.shards[hash])
    }

    /// From now on `worker` gets what happens in `channel`. Each member watches, and unwatches once.
    pub(super) fn watch(&self, channel: &str, worker: WorkerId) {
        let mut shard = self.shard(channel);
        match shard.get_mut(channel) {
            Some(Watched { watchers, .. }) => {
                match watchers.iter_mut().find(|watcher| watcher.worker == worker) {
                    Some(watcher) => watcher.members += 1,
                    None => watchers.push(Watcher { worker, members: 1 }),
                }
            }
            None => {
                let watchers = vec![Watcher { worker, members: 1 }];
                shard.insert(channel.into(), Watched { watchers, pace: Pace::default() });
                self.tell(Occurrence::Occupied { channel });
            }
        }
    }

    /// `worker` has one member less in `channel`; after the last it does not get what happens there.
    pub(super) fn unwatch(&self, channel: &str, worker: WorkerId) {
        let mut shard = self.shard(channel);
        let Some(Watched { watchers, .. }) = shard.get_mut(channel) else { return };
        if let Some(watcher) = watchers.iter_mut().find(|watcher| watcher.worker == worker) {
            watcher.members -= 1;
        }
        watchers.retain(|watcher| watcher.members > 0);
        if watchers.is_empty() {
            shard.remove(channel);
            self.tell(Occurrence::Vacated { channel });
        }
    }

    /// Told with the shard locked, so that each channel's events are told in their order.
    fn tell(&self, event: Occurrence<'_>) {
        if let Some(events) = self.events.get() {
            events.tell(event);
        }
    }

    /// The channels that have members, for which `matches` says so, each with how many there are.
    pub fn channels(&self, mut matches: impl FnMut(&str) -> bool) -> Vec<(String, usize)> {
        let mut channels = Vec::new();
        for shard in &self.shards {
            for (name, watched) in lock(shard).iter().filter(|(name, _)| matches(name)) {
                channels.push((name.to_string(), watched.members()));
            }
        }
        channels
    }

    /// Shows every channel that has members to `look`, in no order. A part of the channels waits meanwhile, so `look` must be quick;
    /// it must not come back to the hub.
    pub fn each_channel(&self, mut look: impl FnMut(&str, Activity)) {
        let now = self.nanos();
        for shard in &self.shards {
            for (name, watched) in lock(shard).iter() {
                look(name, watched.activity(now));
            }
        }
    }

    /// What goes on in one channel; nothing where it has no members.
    pub fn activity(&self, channel: &str) -> Activity {
        let now = self.nanos();
        self.shard(channel).get(channel).map(|watched| watched.activity(now)).unwrap_or_default()
    }

    /// How many channels have members.
    pub fn channel_count(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Hands something to every worker, for the clients it may concern.
    pub fn control(&self, control: Control) {
        let control = Arc::new(control);
        for mailbox in &self.mailboxes {
            mailbox.post(Mail::Control(Arc::clone(&control)));
        }
    }

    /// Ready when every worker has room for more publications.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        for mailbox in &self.mailboxes {
            ready!(mailbox.poll_room(cx));
        }
        Poll::Ready(())
    }

    /// Ready when something waits for `worker`.
    pub fn poll_some(&self, worker: WorkerId, cx: &mut Context<'_>) -> Poll<()> {
        self.mailbox(worker).poll_some(cx)
    }

    pub(super) fn take(&self, worker: WorkerId, mail: &mut Vec<Mail>) {
        self.mailbox(worker).take(mail);
    }

    pub(super) fn tray(&self, worker: WorkerId) -> &Tray {
        &self.trays[usize::from(worker)]
    }

    /// Where each worker is asked.
    pub(crate) fn trays(&self) -> &[Tray] {
        &self.trays
    }

    fn mailbox(&self, worker: WorkerId) -> &Mailbox {
        &self.mailboxes[usize::from(worker)]
    }
}

impl Watched {
    fn members(&self) -> usize {
        self.watchers.iter().map(|watcher| watcher.members as usize).sum()
    }

    fn activity(&self, now: u64) -> Activity {
        Activity { members: self.members(), rate: self.pace.rate(now) }
    }
}

impl Sink for Hub {
    fn deliver(&self, channel: &str, event: Event) {
        let mut shard = self.shard(channel);
        let Some(Watched { watchers, pace }) = shard.get_mut(channel) else { return };
        let now = self.nanos();
        let post = Arc::new(Post::new(channel, event, now));
        if post.is_publication() {
            pace.count(now);
        }
        for watcher in watchers {
            self.mailbox(watcher.worker).post(Mail::Post(Arc::clone(&post)));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under the locks leaves them half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
