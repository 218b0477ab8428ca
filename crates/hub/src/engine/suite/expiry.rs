//! What is forgotten, and when. Nothing here depends on the very moment: there is a second on either side of it.

use std::time::Duration;

use super::Make;
use super::rig::{Heard, KEEP, Rig, dropped, kept, key, published, version};
use crate::engine::{Dropped, History, HistoryQuery, Keep, Publish};
use crate::protocol::Position;

const SECOND: Duration = Duration::from_secs(1);

/// Two ways of letting time pass: with the engine told of it all the time, and without.
fn ways(case: impl Fn(fn(&Rig, u64))) {
    case(Rig::pass);
    case(|rig, seconds| rig.clock.advance(seconds * 1000));
}

/// Kept for ten seconds, and the position for a hundred.
fn short(data: &str) -> Publish {
    Publish { keep: Keep { ttl: 10 * SECOND, meta_ttl: 100 * SECOND, ..KEEP }, ..kept(data) }
}

/// The history, asked for in a way that keeps the position for a hundred seconds from now on.
fn read(rig: &Rig) -> History {
    rig.history("stream", HistoryQuery { meta_ttl: 100 * SECOND, ..HistoryQuery::default() })
}

pub(super) fn publications_go_together_when_none_is_added(make: Make<'_>) {
    ways(|pass| {
        let rig = Rig::new(make);
        for _ in 0..3 {
            rig.publish("stream", short("x"));
            pass(&rig, 9);
        }
        assert_eq!(read(&rig).publications.len(), 3, "each publication has given the others more time");
        pass(&rig, 2);
        assert_eq!(read(&rig).publications.len(), 0, "the newest has expired");
        rig.publish("stream", Publish { keep: Keep { ttl: 50 * SECOND, ..short("").keep }, ..short("x") });
        rig.publish("stream", short("x"));
        pass(&rig, 11);
        assert_eq!(read(&rig).publications.len(), 0, "the newest says how long all are kept");
    });
}

pub(super) fn the_position_outlives_the_publications(make: Make<'_>) {
    ways(|pass| {
        let rig = Rig::watching(make, &["stream"]);
        rig.publish("stream", short("one"));
        let epoch = rig.publish("stream", short("two")).position.epoch;
        pass(&rig, 11);
        let position = Position { offset: 2, epoch: epoch.clone() };
        assert_eq!(read(&rig), History { publications: Vec::new(), position });
        assert_eq!(rig.publish("stream", Publish { delta: true, ..short("three") }), published(3, &epoch));
        let heard =
            [Heard::publication(1, "one"), Heard::publication(2, "two"), Heard::publication(3, "three")];
        assert_eq!(rig.seen.heard("stream", 3), heard, "what has expired does not come along either");
        assert_eq!(read(&rig).publications.len(), 1);
    });
}

pub(super) fn a_stream_that_is_not_used_begins_anew(make: Make<'_>) {
    ways(|pass| {
        let rig = Rig::watching(make, &["stream"]);
        let mut epochs = vec![rig.publish("stream", short("x")).position.epoch];
        pass(&rig, 101);
        let position = read(&rig).position;
        assert_eq!(position.offset, 0, "read");
        epochs.push(position.epoch);
        pass(&rig, 101);
        let position = rig.publish("stream", short("x")).position;
        assert_eq!(position.offset, 1, "published");
        epochs.push(position.epoch);
        // The position takes the publications with it.
        let keep = Keep { size: 9, ttl: 100 * SECOND, meta_ttl: 10 * SECOND };
        rig.publish("stream", Publish { keep, ..kept("x") });
        pass(&rig, 11);
        let position = rig.publish("stream", Publish { delta: true, keep, ..kept("y") }).position;
        assert_eq!((position.offset, read(&rig).publications.len()), (1, 1));
        assert_eq!(rig.seen.heard("stream", 4)[3], Heard::publication(1, "y"));
        epochs.push(position.epoch);

        let all = epochs.len();
        epochs.sort();
        epochs.dedup();
        assert_eq!(epochs.len(), all, "each life of a stream has an epoch of its own: {epochs:?}");
    });
}

pub(super) fn a_stream_without_an_end_stays(make: Make<'_>) {
    ways(|pass| {
        let rig = Rig::new(make);
        let query = HistoryQuery::default();
        let published = Publish { keep: Keep { meta_ttl: Duration::ZERO, ..KEEP }, ..kept("x") };
        let epoch = rig.publish("stream", published).position.epoch;
        let read = rig.history("read", query.clone()).position;
        pass(&rig, 100 * 365 * 86_400);
        assert_eq!(rig.history("stream", query.clone()).position, Position { offset: 1, epoch });
        assert_eq!(rig.history("read", query).position, read);
    });
}

pub(super) fn each_use_says_how_long_the_stream_stays(make: Make<'_>) {
    ways(|pass| {
        let rig = Rig::new(make);
        let epoch = rig.publish("stream", short("x")).position.epoch;
        let uses: [(&str, &dyn Fn()); 3] = [
            ("a read", &|| assert_eq!(read(&rig).position.epoch, epoch)),
            ("a publication", &|| assert_eq!(rig.publish("stream", short("x")).position.epoch, epoch)),
            ("a publication that is dropped", &|| {
                for number in [9, 1] {
                    let publish = Publish { version: version(number, ""), ..short("x") };
                    assert_eq!(rig.publish("stream", publish).position.epoch, epoch);
                }
            }),
        ];
        for (what, uses) in uses {
            pass(&rig, 99);
            uses();
            pass(&rig, 99);
            assert_eq!(read(&rig).position.epoch, epoch, "{what} is a use");
        }
        for (last, then, stays) in [(200, 199, true), (5, 6, false), (0, 100_000, true), (5, 6, false)] {
            let before = rig.all("stream").position.epoch;
            let query = HistoryQuery { meta_ttl: last * SECOND, ..HistoryQuery::default() };
            assert_eq!(rig.history("stream", query).position.epoch, before);
            pass(&rig, then);
            assert_eq!(
                rig.all("stream").position.epoch == before,
                stays,
                "{then} s after a use with {last} s"
            );
        }
    });
}

pub(super) fn a_key_is_forgotten(make: Make<'_>) {
    ways(|pass| {
        let rig = Rig::new(make);
        let again = || Publish { idempotency: key("k"), ..kept("x") };
        let epoch = rig.publish("stream", again()).position.epoch;
        pass(&rig, 29);
        assert_eq!(rig.publish("stream", again()), dropped(Dropped::Repeated, 1, &epoch));
        pass(&rig, 2);
        assert_eq!(rig.publish("stream", again()), published(2, &epoch), "the attempt did not prolong it");
        pass(&rig, 29);
        assert_eq!(rig.publish("stream", again()), dropped(Dropped::Repeated, 2, &epoch));
    });
}

pub(super) fn a_version_lasts_as_long_as_the_position(make: Make<'_>) {
    ways(|pass| {
        let rig = Rig::new(make);
        let state = |number| Publish { version: version(number, ""), ..short("x") };
        let epoch = rig.publish("stream", state(5)).position.epoch;
        pass(&rig, 11);
        assert_eq!(
            rig.publish("stream", state(5)),
            dropped(Dropped::Outdated, 1, &epoch),
            "after the publications"
        );
        rig.remove("stream");
        assert_eq!(rig.publish("stream", state(4)), dropped(Dropped::Outdated, 1, &epoch), "removed by hand");
        pass(&rig, 101);
        let anew = rig.publish("stream", state(1));
        assert_eq!((anew.position.offset, anew.dropped), (1, None), "another stream");
        assert_ne!(anew.position.epoch, epoch);
    });
}
