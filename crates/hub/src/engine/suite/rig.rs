//! An engine on the bench: what is asked of it, and what it hands on.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::Make;
use crate::clock::ManualClock;
use crate::data::Data;
use crate::engine::{
    Dropped, Engine, Event, History, HistoryQuery, Idempotency, Keep, Publication, Publish, Published, Sink,
    Version,
};
use crate::protocol::{ClientInfo, Position};

/// How long an answer or a delivery may take before the suite gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// When each case begins, in milliseconds since 1970.
pub(super) const BEGIN: u64 = 1_700_000_000_000;

/// What most cases keep: more than they publish, for longer than they last.
pub(super) const KEEP: Keep =
    Keep { size: 100, ttl: Duration::from_secs(60), meta_ttl: Duration::from_secs(3600) };

/// Waits for an answer.
///
/// # Panics
/// When it takes more than 30 seconds.
pub(crate) fn block_on<T>(answer: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let begun = Instant::now();
    let mut answer = pin!(answer);
    loop {
        if let Poll::Ready(value) = answer.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        let left = PATIENCE.checked_sub(begun.elapsed()).expect("an answer comes within 30 s");
        thread::park_timeout(left);
    }
}

/// An engine, its clock, and what it has handed on.
pub(super) struct Rig {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) seen: Arc<Seen>,
}

impl Rig {
    pub(super) fn new(make: Make<'_>) -> Self {
        let clock = Arc::new(ManualClock::at(BEGIN));
        let seen = Arc::new(Seen::default());
        let sink: Arc<dyn Sink> = Arc::<Seen>::clone(&seen);
        Self { engine: make(sink, Arc::clone(&clock)), clock, seen }
    }

    /// With some channels watched.
    pub(super) fn watching(make: Make<'_>, channels: &[&str]) -> Self {
        let rig = Self::new(make);
        channels.iter().for_each(|channel| rig.watch(channel));
        rig
    }

    pub(super) fn watch(&self, channel: &str) {
        block_on(self.engine.watch(channel)).expect("a channel can be watched");
    }

    pub(super) fn publish(&self, channel: &str, publish: Publish) -> Published {
        block_on(self.engine.publish(channel, publish)).expect("one can publish")
    }

    pub(super) fn announce(&self, channel: &str, event: Event) {
        block_on(self.engine.announce(channel, event)).expect("one can announce");
    }

    pub(super) fn history(&self, channel: &str, query: HistoryQuery) -> History {
        block_on(self.engine.history(channel, query)).expect("there is a history")
    }

    /// All publications, and the position.
    pub(super) fn all(&self, channel: &str) -> History {
        self.history(channel, HistoryQuery { meta_ttl: KEEP.meta_ttl, ..HistoryQuery::default() })
    }

    /// The offsets in the history.
    pub(super) fn offsets(&self, channel: &str) -> Vec<u64> {
        offsets(&self.all(channel))
    }

    pub(super) fn remove(&self, channel: &str) {
        block_on(self.engine.remove_history(channel)).expect("a history can be removed");
    }

    /// Lets time pass, and lets the engine notice, as often as it would in that time but at most a hundred times.
    pub(super) fn pass(&self, seconds: u64) {
        let steps = seconds.clamp(1, 100);
        for step in 0..steps {
            self.clock.advance(1000 * (seconds * (step + 1) / steps - seconds * step / steps));
            self.engine.tick();
        }
    }
}

/// Remembers what was handed on.
#[derive(Debug, Default)]
pub(super) struct Seen {
    events: Mutex<BTreeMap<String, Vec<Event>>>,
    more: Condvar,
}

impl Seen {
    /// What was handed on in a channel until now.
    pub(super) fn so_far(&self, channel: &str) -> Vec<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.get(channel).cloned().unwrap_or_default()
    }

    /// What was handed on in a channel: waits until it is so many.
    pub(super) fn events(&self, channel: &str, count: usize) -> Vec<Event> {
        self.until(channel, |events| events.len() >= count)
    }

    /// What was handed on in a channel: waits until it is enough.
    pub(super) fn until(&self, channel: &str, enough: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let (events, timeout) = self
            .more
            .wait_timeout_while(events, PATIENCE, |events| {
                !enough(events.get(channel).map(Vec::as_slice).unwrap_or_default())
            })
            .unwrap_or_else(PoisonError::into_inner);
        let events = events.get(channel).cloned().unwrap_or_default();
        assert!(!timeout.timed_out(), "after 30 s no more than this was handed on in {channel}: {events:?}");
        events
    }

    /// The same in a form that can be compared.
    pub(super) fn heard(&self, channel: &str, count: usize) -> Vec<Heard> {
        self.events(channel, count).iter().map(Heard::from).collect()
    }
}

impl Sink for Seen {
    fn deliver(&self, channel: &str, event: Event) {
        // Dawdles over every other one, so that an engine that hands on outside of its lock is overtaken.
        if let Event::Publication { publication, .. } = &event
            && publication.offset % 2 == 1
        {
            (0..10).for_each(|_| thread::yield_now());
        }
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.entry(channel.to_owned()).or_default().push(event);
        self.more.notify_all();
    }
}

/// An event, in a form that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    Publication { offset: u64, data: String, previous: Option<u64> },
    Join(String),
    Leave(String),
}

impl Heard {
    /// A publication that came without the one before.
    pub(super) fn publication(offset: u64, data: &str) -> Self {
        Self::Publication { offset, data: data.to_owned(), previous: None }
    }
}

impl From<&Event> for Heard {
    fn from(event: &Event) -> Self {
        match event {
            Event::Publication { publication, previous, .. } => Self::Publication {
                offset: publication.offset,
                data: text(publication),
                previous: previous.as_ref().map(|publication| publication.offset),
            },
            Event::Join(info) => Self::Join(info.client.clone()),
            Event::Leave(info) => Self::Leave(info.client.clone()),
        }
    }
}

/// A publication to keep, as a string in JSON.
pub(super) fn kept(data: &str) -> Publish {
    Publish {
        data: Data::Json(format!("\"{data}\"").into()),
        info: None,
        tags: BTreeMap::new(),
        keep: KEEP,
        delta: false,
        idempotency: None,
        version: None,
    }
}

/// One not to keep.
pub(super) fn unkept(data: &str) -> Publish {
    Publish { keep: Keep::default(), ..kept(data) }
}

pub(super) fn key(key: &str) -> Option<Idempotency> {
    Some(Idempotency { key: key.to_owned(), ttl: Duration::from_secs(30) })
}

pub(super) fn version(number: u64, epoch: &str) -> Option<Version> {
    Some(Version { number, epoch: epoch.to_owned() })
}

/// What [`kept`] and [`unkept`] were given.
pub(super) fn text(publication: &Publication) -> String {
    String::from_utf8_lossy(publication.data.bytes()).trim_matches('"').to_owned()
}

pub(super) fn offsets(history: &History) -> Vec<u64> {
    history.publications.iter().map(|publication| publication.offset).collect()
}

pub(super) fn published(offset: u64, epoch: &str) -> Published {
    Published { position: Position { offset, epoch: epoch.to_owned() }, dropped: None }
}

pub(super) fn dropped(why: Dropped, offset: u64, epoch: &str) -> Published {
    Published { dropped: Some(why), ..published(offset, epoch) }
}

pub(super) fn client(user: &str, client: &str) -> Arc<ClientInfo> {
    Arc::new(ClientInfo { user: user.to_owned(), client: client.to_owned(), ..ClientInfo::default() })
}
