//! Any sequence of acts comes out as in a model that is too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::MemoryEngine;
use crate::clock::ManualClock;
use crate::data::Data;
use crate::engine::suite::block_on;
use crate::engine::{
    Dropped, Engine, Event, HistoryQuery, Idempotency, Keep, Publish, Published, Sink, Version,
};
use crate::protocol::Position;

const CHANNELS: [&str; 3] = ["a", "b", "c"];

#[derive(Debug, Clone)]
enum Act {
    Publish {
        channel: usize,
        keep: Keep,
        delta: bool,
        key: Option<(u8, Duration)>,
        version: Option<(u64, &'static str)>,
    },
    History {
        channel: usize,
        since: Option<u64>,
        limit: Option<usize>,
        reverse: bool,
        meta_ttl: Duration,
    },
    Remove {
        channel: usize,
    },
    Pass {
        ms: u64,
    },
    Tick,
}

fn acts() -> impl Strategy<Value = Act> {
    let channel = 0..CHANNELS.len();
    let span = |zero: bool| {
        let lengths = [if zero { 0 } else { 1 }, 5, 10, 50, 300];
        prop::sample::select(lengths.to_vec()).prop_map(Duration::from_millis)
    };
    let keep =
        (0..5_usize, span(true), span(true)).prop_map(|(size, ttl, meta_ttl)| Keep { size, ttl, meta_ttl });
    let version = (0..6_u64, prop::sample::select(vec!["", "e", "f"]));
    let publish = (
        channel.clone(),
        keep,
        any::<bool>(),
        option::of((0..3_u8, span(true))),
        option::weighted(0.3, version),
    )
        .prop_map(|(channel, keep, delta, key, version)| Act::Publish {
            channel,
            keep,
            delta,
            key,
            version,
        });
    let history = (channel.clone(), option::of(0..12_u64), option::of(0..6_usize), any::<bool>(), span(true))
        .prop_map(|(channel, since, limit, reverse, meta_ttl)| Act::History {
            channel,
            since,
            limit,
            reverse,
            meta_ttl,
        });
    prop_oneof![
        8 => publish,
        4 => history,
        1 => channel.prop_map(|channel| Act::Remove { channel }),
        3 => span(false).prop_map(|length| Act::Pass { ms: length.as_millis().try_into().unwrap() }),
        1 => Just(Act::Tick),
    ]
}

/// A place in the model: the number of the stream in order of birth, and the offset. `None` for no stream.
type Place = Option<(usize, u64)>;

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    offset: u64,
    /// How many publications there were before it, in all channels: that is also its data.
    number: usize,
    time: u64,
}

#[derive(Debug)]
struct ModelStream {
    birth: usize,
    top: u64,
    entries: Vec<Entry>,
    expire_at: u64,
    drop_at: Option<u64>,
    version: Option<(u64, &'static str)>,
}

/// What was handed on.
#[derive(Debug, PartialEq)]
struct Handed {
    channel: usize,
    place: Place,
    entry: Entry,
    previous: Option<Entry>,
}

#[derive(Debug, Default)]
struct Model {
    now: u64,
    births: usize,
    published: usize,
    streams: BTreeMap<usize, ModelStream>,
    keys: BTreeMap<(usize, u8), (u64, Place)>,
    handed: Vec<Handed>,
}

fn ms(length: Duration) -> u64 {
    length.as_millis().try_into().unwrap()
}

impl Model {
    /// Forgets whatever has expired, at every step.
    fn settle(&mut self) {
        let now = self.now;
        self.keys.retain(|_, (expire_at, _)| *expire_at > now);
        self.streams.retain(|_, stream| stream.drop_at.is_none_or(|at| at > now));
        for stream in self.streams.values_mut() {
            if stream.expire_at <= now {
                stream.entries.clear();
            }
        }
    }

    fn stream(&mut self, channel: usize, meta_ttl: Duration) -> &mut ModelStream {
        let births = &mut self.births;
        let stream = self.streams.entry(channel).or_insert_with(|| {
            *births += 1;
            ModelStream {
                birth: *births,
                top: 0,
                entries: Vec::new(),
                expire_at: 0,
                drop_at: None,
                version: None,
            }
        });
        stream.drop_at = (!meta_ttl.is_zero()).then(|| self.now + ms(meta_ttl));
        stream
    }

    fn publish(
        &mut self,
        channel: usize,
        keep: Keep,
        delta: bool,
        key: Option<(u8, Duration)>,
        version: Option<(u64, &'static str)>,
    ) -> (Place, Option<Dropped>) {
        let number = self.published;
        self.published += 1;
        if let Some((_, place)) = key.and_then(|(key, _)| self.keys.get(&(channel, key))) {
            return (*place, Some(Dropped::Repeated));
        }
        let now = self.now;
        let mut entry = Entry { offset: 0, number, time: now };
        let (mut place, mut previous) = (None, None);
        if keep.size > 0 && !keep.ttl.is_zero() {
            let stream = self.stream(channel, keep.meta_ttl);
            if let (Some((number, epoch)), Some((newest, of))) = (version, stream.version)
                && number > 0
                && number <= newest
                && (epoch.is_empty() || epoch == of)
            {
                return (Some((stream.birth, stream.top)), Some(Dropped::Outdated));
            }
            if version.is_some_and(|(number, _)| number > 0) {
                stream.version = version;
            }
            stream.top += 1;
            entry.offset = stream.top;
            previous = stream.entries.last().filter(|_| delta).cloned();
            stream.entries.push(entry.clone());
            while stream.entries.len() > keep.size {
                stream.entries.remove(0);
            }
            stream.expire_at = now + ms(keep.ttl);
            place = Some((stream.birth, stream.top));
        }
        if let Some((key, ttl)) = key {
            self.keys.insert((channel, key), (now + ms(ttl), place));
        }
        self.handed.push(Handed { channel, place, entry, previous });
        (place, None)
    }

    fn history(
        &mut self,
        channel: usize,
        since: Option<u64>,
        limit: Option<usize>,
        reverse: bool,
        meta_ttl: Duration,
    ) -> (Vec<Entry>, Place) {
        let stream = self.stream(channel, meta_ttl);
        let mut entries = stream.entries.clone();
        if reverse {
            entries.reverse();
        }
        if let Some(since) = since {
            entries.retain(|entry| if reverse { entry.offset < since } else { entry.offset > since });
        }
        entries.truncate(limit.unwrap_or(usize::MAX));
        (entries, Some((stream.birth, stream.top)))
    }
}

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<(String, Event)>>);

impl Sink for Heard {
    fn deliver(&self, channel: &str, event: Event) {
        self.0.lock().unwrap().push((channel.to_owned(), event));
    }
}

/// Which epoch is which stream's.
#[derive(Debug, Default)]
struct Names(BTreeMap<usize, String>);

impl Names {
    /// Asserts that a position is a place in the model.
    fn check(&mut self, position: &Position, place: Place) {
        let Some((birth, offset)) = place else {
            assert_eq!(*position, Position::default());
            return;
        };
        assert_eq!(position.offset, offset);
        let name = self.0.entry(birth).or_insert_with(|| position.epoch.clone());
        assert_eq!(position.epoch, *name, "one stream has one epoch");
        assert_eq!(
            self.0.values().collect::<BTreeSet<_>>().len(),
            self.0.len(),
            "no two streams have one epoch"
        );
    }
}

fn entry(publication: &crate::engine::Publication) -> Entry {
    let number = std::str::from_utf8(publication.data.bytes()).unwrap().parse().unwrap();
    Entry { offset: publication.offset, number, time: publication.time.cast_unsigned() }
}

fn run(acts: Vec<Act>) {
    let clock = Arc::new(ManualClock::at(0));
    let heard = Arc::new(Heard::default());
    let engine = MemoryEngine::new(Arc::<Heard>::clone(&heard), Arc::<ManualClock>::clone(&clock));
    let (mut model, mut names) = (Model::default(), Names::default());
    for act in acts {
        model.settle();
        match act {
            Act::Publish { channel, keep, delta, key, version } => {
                let publish = Publish {
                    data: Data::Json(model.published.to_string().into()),
                    info: None,
                    tags: BTreeMap::new(),
                    keep,
                    delta,
                    idempotency: key.map(|(key, ttl)| Idempotency { key: key.to_string(), ttl }),
                    version: version.map(|(number, epoch)| Version { number, epoch: epoch.to_owned() }),
                };
                let Published { position, dropped } =
                    block_on(engine.publish(CHANNELS[channel], publish)).unwrap();
                let (place, expected) = model.publish(channel, keep, delta, key, version);
                assert_eq!(dropped, expected);
                names.check(&position, place);
            }
            Act::History { channel, since, limit, reverse, meta_ttl } => {
                let (entries, place) = model.history(channel, since, limit, reverse, meta_ttl);
                let since = since.map(|offset| Position { offset, epoch: String::new() });
                let query = HistoryQuery { since, limit, reverse, meta_ttl };
                let history = block_on(engine.history(CHANNELS[channel], query)).unwrap();
                let read: Vec<_> =
                    history.publications.iter().map(|publication| entry(publication)).collect();
                assert_eq!(read, entries);
                names.check(&history.position, place);
            }
            Act::Remove { channel } => {
                block_on(engine.remove_history(CHANNELS[channel])).unwrap();
                if let Some(stream) = model.streams.get_mut(&channel) {
                    stream.entries.clear();
                }
            }
            Act::Pass { ms } => {
                clock.advance(ms);
                model.now += ms;
            }
            Act::Tick => {
                engine.tick();
                let stats = engine.stats();
                let kept = model.streams.values().map(|stream| stream.entries.len()).sum();
                assert_eq!((stats.channels, stats.publications), (model.streams.len(), kept), "after a tick");
                assert_eq!(stats.bytes == 0, kept == 0, "{stats:?}");
            }
        }
        let handed: Vec<_> = mem::take(&mut *heard.0.lock().unwrap());
        let expected = mem::take(&mut model.handed);
        assert_eq!(handed.len(), expected.len());
        for ((channel, event), expected) in handed.iter().zip(expected) {
            let Event::Publication { publication, previous, epoch } = event else { panic!("{event:?}") };
            let previous = previous.as_ref().map(|publication| entry(publication));
            let channel = CHANNELS.iter().position(|known| known == channel).unwrap();
            assert_eq!(
                Handed { channel, place: expected.place, entry: entry(publication), previous },
                expected
            );
            let position = Position { offset: publication.offset, epoch: (**epoch).to_owned() };
            names.check(&position, expected.place);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_acts_come_out_as_in_the_model(acts in vec(acts(), 1..80)) {
        run(acts);
    }
}
