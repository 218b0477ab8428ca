//! The channels behind one lock.

use std::collections::HashMap;
use std::sync::Arc;

use super::NEVER;
use super::alarms::Alarms;
use super::epoch::Epoch;
use super::keys::{Key, Keys, Place};
use super::stream::{Entries, Size, Stream};
use crate::engine::{Dropped, EngineError, Event, History, HistoryQuery, Publication, Publish, Published};
use crate::protocol::Position;

/// Alarms that are looked at in one go.
pub(super) const BATCH: usize = 512;

/// Some of the channels, their publications and their idempotency keys.
#[derive(Debug, Default)]
pub(super) struct Shard {
    streams: HashMap<Arc<str>, Stream>,
    /// One for each stream that ends some time, at the moment that the stream names or before: a stream that is used again and
    /// again has its alarm put off when it goes off, not with each use. Those that no stream names are ignored.
    alarms: Alarms<Arc<str>>,
    keys: Keys,
    held: Size,
}

impl Shard {
    /// How many streams there are, and what their publications take.
    pub(super) fn size(&self) -> (usize, Size) {
        (self.streams.len(), self.held)
    }

    /// Appends, unless it is to be dropped. What is to be handed on, if anything.
    pub(super) fn publish(
        &mut self,
        channel: &str,
        key: Option<&Key>,
        mut publish: Publish,
        now: u64,
    ) -> Result<(Published, Option<Event>), EngineError> {
        if let Some(place) = key.and_then(|key| self.keys.find(key, now)) {
            return Ok((published(place, Some(Dropped::Repeated)), None));
        }
        publish.version = publish.version.filter(|version| version.number > 0);
        let (place, event) = if publish.keep.is_some() {
            let (place, event) = self.with_stream(channel, now, |stream, held| {
                stream.use_at(now, publish.keep.meta_ttl);
                if publish.version.as_ref().is_some_and(|version| stream.has_newer(version)) {
                    return (stream.place(), None);
                }
                let event = stream.append(publish, now, held);
                (stream.place(), Some(event))
            })?;
            (Some(place), event)
        } else {
            (None, Some(unkept(publish, now)))
        };
        if event.is_none() {
            return Ok((published(place, Some(Dropped::Outdated)), None));
        }
        if let Some(key) = key {
            self.keys.insert(key, place, now);
        }
        Ok((published(place, None), event))
    }

    /// What is asked for, and where the stream is.
    pub(super) fn history(
        &mut self,
        channel: &str,
        query: &HistoryQuery,
        now: u64,
    ) -> Result<History, EngineError> {
        self.with_stream(channel, now, |stream, _| {
            stream.use_at(now, query.meta_ttl);
            History { publications: stream.read(query), position: stream.position() }
        })
    }

    /// Forgets the publications of a channel. They are given back so that they can be let go of without the lock.
    pub(super) fn remove_history(&mut self, channel: &str) -> Option<Entries> {
        self.streams.get_mut(channel).map(|stream| stream.take(&mut self.held))
    }

    /// Forgets what has expired, as much as goes in one go; so does [`Keys::tick`].
    pub(super) fn tick(&mut self, now: u64) -> Vec<Entries> {
        let mut removed = Vec::new();
        for _ in 0..BATCH {
            let Some((at, channel)) = self.alarms.pop_due(now) else { break };
            let Some(stream) = self.streams.get_mut(&channel).filter(|stream| stream.alarm == at) else {
                continue;
            };
            if stream.is_over(now) {
                removed.push(stream.take(&mut self.held));
                self.streams.remove(&channel);
                continue;
            }
            removed.push(stream.take_expired(now, &mut self.held));
            stream.alarm = stream.deadline();
            if stream.alarm != NEVER {
                self.alarms.set(stream.alarm, channel);
            }
        }
        self.alarms.shrink();
        if self.streams.capacity() > 4 * self.streams.len() + 64 {
            self.streams.shrink_to(2 * self.streams.len());
        }
        self.keys.tick(now);
        removed
    }

    /// Does something with the stream of a channel as it is now; with a new one where there is none, or none any more.
    fn with_stream<T>(
        &mut self,
        channel: &str,
        now: u64,
        act: impl FnOnce(&mut Stream, &mut Size) -> T,
    ) -> Result<T, EngineError> {
        let Some(stream) = self.streams.get_mut(channel) else {
            let mut stream = Stream::new(Epoch::random()?);
            let answer = act(&mut stream, &mut self.held);
            let name: Arc<str> = channel.into();
            stream.alarm = stream.deadline();
            if stream.alarm != NEVER {
                self.alarms.set(stream.alarm, Arc::clone(&name));
            }
            self.streams.insert(name, stream);
            return Ok(answer);
        };
        if stream.is_over(now) {
            stream.begin_anew(Epoch::random()?, &mut self.held);
        }
        stream.take_expired(now, &mut self.held);
        let answer = act(stream, &mut self.held);
        let deadline = stream.deadline();
        if deadline < stream.alarm {
            stream.alarm = deadline;
            self.advance_alarm(channel, deadline);
        }
        Ok(answer)
    }

    /// Looks at a stream earlier than was thought.
    fn advance_alarm(&mut self, channel: &str, at: u64) {
        if let Some((name, _)) = self.streams.get_key_value(channel) {
            self.alarms.set(at, Arc::clone(name));
        }
        // The alarm that it had before is left where it is. Should such pile up, they are cleared away.
        if self.alarms.len() > 2 * self.streams.len() + 64 {
            self.alarms.retain(|at, name| self.streams.get(name).is_some_and(|stream| stream.alarm == at));
        }
    }

    #[cfg(test)]
    pub(super) fn alarms(&self) -> usize {
        self.alarms.len()
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> usize {
        self.keys.len()
    }
}

/// A publication in a channel that keeps none.
fn unkept(publish: Publish, now: u64) -> Event {
    let publication = Publication {
        data: publish.data,
        info: publish.info,
        tags: publish.tags,
        offset: 0,
        time: i64::try_from(now).unwrap_or(i64::MAX),
    };
    Event::Publication { publication: Arc::new(publication), previous: None, epoch: Arc::default() }
}

fn published(place: Place, dropped: Option<Dropped>) -> Published {
    let position =
        place.map_or_else(Position::default, |(offset, epoch)| Position { offset, epoch: epoch.text() });
    Published { position, dropped }
}
