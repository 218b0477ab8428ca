//! One channel's publications and its position.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::epoch::Epoch;
use super::{NEVER, after, after_or_never};
use crate::engine::{Event, HistoryQuery, Publication, Publish, Version};
use crate::protocol::Position;

/// Publications, the oldest first. Their offsets have no gaps, and the newest has the stream's.
pub(super) type Entries = VecDeque<Arc<Publication>>;

/// What publications take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) publications: usize,
    pub(super) bytes: usize,
}

impl Size {
    fn of(publication: &Publication) -> Self {
        let tags: usize = publication.tags.iter().map(|(name, value)| name.len() + value.len()).sum();
        Self { publications: 1, bytes: size_of::<Publication>() + publication.data.bytes().len() + tags }
    }

    fn add(&mut self, other: Self) {
        self.publications += other.publications;
        self.bytes += other.bytes;
    }

    fn subtract(&mut self, other: Self) {
        self.publications -= other.publications;
        self.bytes -= other.bytes;
    }
}

/// A position, and the publications that led to it as far as they are kept.
///
/// Small as long as there are none: that is what most channels of most servers are.
#[derive(Debug)]
pub(super) struct Stream {
    epoch: Epoch,
    /// The offset of the newest publication that there was.
    top: u64,
    /// When position and all are forgotten.
    drop_at: u64,
    /// When the shard looks at it next; it belongs to the shard.
    pub(super) alarm: u64,
    log: Option<Box<Log>>,
}

/// What a stream has that has, or had, publications.
#[derive(Debug)]
struct Log {
    entries: Entries,
    /// What `entries` take.
    size: Size,
    /// When they are forgotten, all at once.
    expire_at: u64,
    epoch: Arc<str>,
    /// The newest that there was. It stays as long as the position does.
    version: Option<Version>,
}

impl Stream {
    pub(super) fn new(epoch: Epoch) -> Self {
        Self { epoch, top: 0, drop_at: NEVER, alarm: NEVER, log: None }
    }

    /// Becomes another stream. The alarm stays: it will find the new one in its place.
    pub(super) fn begin_anew(&mut self, epoch: Epoch, held: &mut Size) {
        self.take(held);
        *self = Self { alarm: self.alarm, ..Self::new(epoch) };
    }

    pub(super) fn place(&self) -> (u64, Epoch) {
        (self.top, self.epoch)
    }

    pub(super) fn position(&self) -> Position {
        Position { offset: self.top, epoch: self.epoch.text() }
    }

    /// When something of it is forgotten next.
    pub(super) fn deadline(&self) -> u64 {
        let entries = self.log.as_ref().filter(|log| !log.entries.is_empty());
        entries.map_or(self.drop_at, |log| log.expire_at.min(self.drop_at))
    }

    /// Whether it is to be forgotten.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.drop_at <= now
    }

    /// Puts off its end.
    pub(super) fn use_at(&mut self, now: u64, meta_ttl: Duration) {
        self.drop_at = after_or_never(now, meta_ttl);
    }

    /// The publications, if they have expired, no longer in it.
    pub(super) fn take_expired(&mut self, now: u64, held: &mut Size) -> Entries {
        match &self.log {
            Some(log) if log.expire_at <= now => self.take(held),
            _ => Entries::new(),
        }
    }

    /// The publications, no longer in it.
    pub(super) fn take(&mut self, held: &mut Size) -> Entries {
        let Some(mut log) = self.log.take() else { return Entries::new() };
        held.subtract(mem::take(&mut log.size));
        let entries = mem::take(&mut log.entries);
        // Room for nothing but a version is kept only where there is one.
        self.log = log.version.is_some().then_some(log);
        entries
    }

    /// Whether a state of this version is not newer than the newest that was published.
    pub(super) fn has_newer(&self, version: &Version) -> bool {
        let newest = self.log.as_ref().and_then(|log| log.version.as_ref());
        newest.is_some_and(|newest| {
            (version.epoch.is_empty() || version.epoch == newest.epoch) && version.number <= newest.number
        })
    }

    /// Appends a publication in a channel that keeps some. What is to be handed on.
    pub(super) fn append(&mut self, publish: Publish, now: u64, held: &mut Size) -> Event {
        let epoch = self.epoch;
        let log = self.log.get_or_insert_with(|| {
            let epoch = epoch.text().into();
            Box::new(Log {
                entries: Entries::new(),
                size: Size::default(),
                expire_at: NEVER,
                epoch,
                version: None,
            })
        });
        self.top += 1;
        let publication = Arc::new(Publication {
            data: publish.data,
            info: publish.info,
            tags: publish.tags,
            offset: self.top,
            time: i64::try_from(now).unwrap_or(i64::MAX),
        });
        let previous = if publish.delta { log.entries.back().cloned() } else { None };

        log.trim(publish.keep.size.saturating_sub(1), held);
        let size = Size::of(&publication);
        log.size.add(size);
        held.add(size);
        log.entries.push_back(Arc::clone(&publication));
        log.expire_at = after(now, publish.keep.ttl);
        if publish.version.is_some() {
            log.version = publish.version;
        }
        Event::Publication { publication, previous, epoch: Arc::clone(&log.epoch) }
    }

    /// The publications that are asked for, found without a search: offsets have no gaps.
    pub(super) fn read(&self, query: &HistoryQuery) -> Vec<Arc<Publication>> {
        let Some(log) = &self.log else { return Vec::new() };
        let end = log.entries.len();
        // The offset before that of the oldest that is kept: what comes behind an offset has index offset - before.
        let before = self.top - end as u64;
        let index =
            |offset: u64| usize::try_from(offset.saturating_sub(before)).unwrap_or(usize::MAX).min(end);
        let limit = query.limit.unwrap_or(usize::MAX);
        let range = match &query.since {
            None => 0..end,
            Some(since) if query.reverse => 0..index(since.offset.saturating_sub(1)),
            Some(since) => index(since.offset)..end,
        };
        let asked = log.entries.range(range);
        if query.reverse {
            asked.rev().take(limit).cloned().collect()
        } else {
            asked.take(limit).cloned().collect()
        }
    }
}

impl Log {
    /// Forgets the oldest but for so many.
    fn trim(&mut self, left: usize, held: &mut Size) {
        let surplus = self.entries.len().saturating_sub(left);
        for removed in self.entries.drain(..surplus) {
            let size = Size::of(&removed);
            self.size.subtract(size);
            held.subtract(size);
        }
        if surplus > 1 {
            // The channel keeps less than it did.
            self.entries.shrink_to(left + 1);
        }
    }
}
