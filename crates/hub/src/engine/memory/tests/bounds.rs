//! What an engine in memory takes at most.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use allocation_counter::measure;

use super::super::keys::MOST;
use super::super::shard::{BATCH, Shard};
use super::super::{MemoryStats, SHARDS};
use super::MemoryEngine;
use crate::clock::ManualClock;
use crate::data::Data;
use crate::engine::suite::block_on;
use crate::engine::{Engine, Event, HistoryQuery, Idempotency, Keep, Publication, Publish, Published, Sink};

const KEEP: Keep =
    Keep { size: 10, ttl: Duration::from_secs(10), meta_ttl: Duration::from_secs(30 * 86_400) };

/// Hears nothing.
#[derive(Debug)]
struct Deaf;

impl Sink for Deaf {
    fn deliver(&self, _channel: &str, _event: Event) {}
}

fn engine() -> (MemoryEngine, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(1_000_000));
    (MemoryEngine::new(Arc::new(Deaf), Arc::<ManualClock>::clone(&clock)), clock)
}

fn publication(keep: Keep) -> Publish {
    Publish {
        data: Data::Json("123456".into()),
        info: None,
        tags: BTreeMap::new(),
        keep,
        delta: false,
        idempotency: None,
        version: None,
    }
}

fn publish(engine: &MemoryEngine, channel: &str, publish: Publish) -> Published {
    block_on(engine.publish(channel, publish)).unwrap()
}

fn read(engine: &MemoryEngine, channel: &str, meta_ttl: Duration) {
    block_on(engine.history(channel, HistoryQuery { meta_ttl, ..HistoryQuery::default() })).unwrap();
}

#[test]
fn a_stream_without_publications_takes_little() {
    // Just before the tables of the shards double and just after it, as near as chance allows.
    for channels in [4_000, 6_000, 10_000, 19_000, 50_000] {
        let (engine, _) = engine();
        let name = |number: usize| format!("{number:08}");
        let taken = measure(|| (0..channels).for_each(|number| read(&engine, &name(number), KEEP.meta_ttl)));
        let each = usize::try_from(taken.bytes_current).unwrap() / channels;
        assert!(each <= 200 + name(0).len(), "{each} bytes for each of {channels}");
    }
}

#[test]
fn a_stream_is_small_again_when_its_publications_have_gone() {
    const CHANNELS: usize = 10_000;
    let (engine, clock) = engine();
    let name = |number: usize| format!("{number:08}");
    let taken = measure(|| {
        for number in 0..CHANNELS {
            (0..10).for_each(|_| drop(publish(&engine, &name(number), publication(KEEP))));
        }
        clock.advance(11_000);
        engine.tick();
    });
    let each = usize::try_from(taken.bytes_current).unwrap() / CHANNELS;
    assert!(each <= 200 + name(0).len(), "{each} bytes");
    assert_eq!(engine.stats(), MemoryStats { channels: CHANNELS, publications: 0, bytes: 0 });
}

#[test]
fn nothing_is_left_of_what_has_expired() {
    let (engine, clock) = engine();
    let left = measure(|| {
        for number in 0..20_000 {
            let key = Idempotency { key: number.to_string(), ttl: KEEP.ttl };
            publish(&engine, &number.to_string(), Publish { idempotency: Some(key), ..publication(KEEP) });
        }
        clock.advance(31 * 86_400_000);
        engine.tick();
    });
    assert_eq!(engine.stats(), MemoryStats::default());
    assert!(left.bytes_current < 8 * 1024 * SHARDS as i64, "{left:?}");
}

#[test]
fn stats_count_what_is_kept() {
    let (engine, _) = engine();
    let tags = BTreeMap::from([("lang".to_owned(), "de".to_owned())]);
    for channel in ["a", "b"] {
        (0..20).for_each(|_| {
            drop(publish(&engine, channel, Publish { tags: tags.clone(), ..publication(KEEP) }))
        });
    }
    read(&engine, "c", KEEP.meta_ttl);
    publish(&engine, "d", publication(Keep::default()));
    let each = size_of::<Publication>() + 6 + 6;
    assert_eq!(engine.stats(), MemoryStats { channels: 3, publications: 20, bytes: 20 * each });
    block_on(engine.remove_history("a")).unwrap();
    assert_eq!(engine.stats(), MemoryStats { channels: 3, publications: 10, bytes: 10 * each });
}

#[test]
fn a_tick_does_no_more_than_its_share() {
    let mut shard = Shard::default();
    let query = HistoryQuery { meta_ttl: Duration::from_secs(1), ..HistoryQuery::default() };
    for number in 0..2 * BATCH + 1 {
        shard.history(&number.to_string(), &query, 0).unwrap();
    }
    let mut left = Vec::new();
    for now in [999, 1000, 1000, 1000, 1000] {
        shard.tick(now);
        left.push(shard.size().0);
    }
    assert_eq!(left, [2 * BATCH + 1, BATCH + 1, 1, 0, 0]);
}

#[test]
fn alarms_do_not_pile_up() {
    let mut shard = Shard::default();
    let query =
        |meta_ttl| HistoryQuery { meta_ttl: Duration::from_millis(meta_ttl), ..HistoryQuery::default() };
    for step in 0..10_000 {
        // The short one calls for an earlier alarm, each time that the one before has gone off.
        let now = step * 100;
        shard.history("ring", &query(150), now).unwrap();
        shard.history("ring", &query(1_000_000_000), now + 10).unwrap();
        shard.tick(now + 10);
        assert!(shard.alarms() <= 2 * shard.size().0 + 64, "{} alarms", shard.alarms());
    }
    assert_eq!(shard.size().0, 1);
}

#[test]
fn keys_are_bounded_and_the_next_to_expire_goes_first() {
    let (engine, clock) = engine();
    let attempt = |key: usize, ttl: u64| {
        let idempotency = Idempotency { key: key.to_string(), ttl: Duration::from_secs(ttl) };
        let keep = Keep { ttl: Duration::from_secs(1000), ..KEEP };
        publish(&engine, "ring", Publish { idempotency: Some(idempotency), ..publication(keep) })
            .dropped
            .is_none()
    };
    assert!(attempt(0, 100));
    assert!(attempt(1, 50));
    for key in 2..=MOST {
        assert!(attempt(key, 200), "key {key} is new");
    }
    // That was one too many.
    assert!(!attempt(0, 100), "this one stays longer");
    assert!(attempt(1, 300), "this one was the next to expire");
    let last = MOST;
    assert!(!attempt(last, 200));
    clock.advance(201_000);
    assert!(attempt(last, 200), "it has expired");
    for _ in 0..MOST.div_ceil(512) {
        engine.tick();
    }
    let mut keys = 0;
    for shard in &engine.shards {
        keys += shard.lock().unwrap().keys();
    }
    assert_eq!(keys, 2, "the rest is forgotten");
}

/// Panics once.
#[derive(Debug, Default)]
struct Broken(AtomicBool);

impl Sink for Broken {
    fn deliver(&self, _channel: &str, _event: Event) {
        assert!(self.0.swap(true, Ordering::Relaxed), "the sink is broken");
    }
}

#[test]
fn a_sink_that_panics_leaves_the_channel_whole() {
    let engine = MemoryEngine::new(Arc::new(Broken::default()), Arc::new(ManualClock::at(0)));
    catch_unwind(AssertUnwindSafe(|| publish(&engine, "ring", publication(KEEP)))).unwrap_err();
    assert_eq!(publish(&engine, "ring", publication(KEEP)).position.offset, 2);
    assert_eq!(engine.stats().publications, 2);
}
