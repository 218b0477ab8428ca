//! What is not published: keys that were seen, versions that are not newer.

use super::Make;
use super::rig::{Heard, Rig, dropped, kept, key, published, unkept, version};
use crate::engine::{Dropped, Publish};

pub(super) fn a_key_publishes_once(make: Make<'_>) {
    let rig = Rig::watching(make, &["a", "b"]);
    let epoch = rig.publish("a", Publish { idempotency: key("k1"), ..kept("one") }).position.epoch;
    rig.publish("a", kept("two"));
    for attempt in 0..3 {
        let again = rig.publish("a", Publish { idempotency: key("k1"), ..kept("one again") });
        assert_eq!(again, dropped(Dropped::Repeated, 1, &epoch), "attempt {attempt}");
    }
    assert_eq!(rig.publish("a", Publish { idempotency: key("k2"), ..kept("three") }), published(3, &epoch));
    let other = rig.publish("b", Publish { idempotency: key("k1"), ..kept("other") });
    assert_eq!((other.position.offset, other.dropped), (1, None), "a key is one within its channel");
    assert_eq!(rig.offsets("a"), [1, 2, 3]);
    let heard = [Heard::publication(1, "one"), Heard::publication(2, "two"), Heard::publication(3, "three")];
    assert_eq!(rig.seen.heard("a", 3), heard);
}

pub(super) fn channel_and_key_are_not_run_together(make: Make<'_>) {
    const BOTH: &str = "channel-and-key-that-make-one-word-however-it-is-split";

    let rig = Rig::new(make);
    for (channel, name) in (0..BOTH.len()).map(|at| BOTH.split_at(at)) {
        let first = rig.publish(channel, Publish { idempotency: key(name), ..kept("x") });
        assert_eq!((first.position.offset, first.dropped), (1, None), "{name:?} in {channel:?}");
    }
}

pub(super) fn a_key_holds_where_nothing_is_kept(make: Make<'_>) {
    let rig = Rig::watching(make, &["news"]);
    assert_eq!(rig.publish("news", Publish { idempotency: key("k"), ..unkept("one") }), published(0, ""));
    let again = rig.publish("news", Publish { idempotency: key("k"), ..unkept("one again") });
    assert_eq!(again, dropped(Dropped::Repeated, 0, ""));
    rig.publish("news", unkept("two"));
    assert_eq!(rig.seen.heard("news", 2), [Heard::publication(0, "one"), Heard::publication(0, "two")]);
}

pub(super) fn only_newer_versions_are_published(make: Make<'_>) {
    let rig = Rig::watching(make, &["state"]);
    // The version of each publication in turn, and whether it is published.
    let steps = [
        (version(5, ""), true),
        (version(5, ""), false),
        (version(4, ""), false),
        (version(7, ""), true),
        // None, or none at all: the newest stays what it was.
        (None, true),
        (version(0, ""), true),
        (version(7, ""), false),
        (version(6, ""), false),
        // Another epoch: not compared.
        (version(3, "e1"), true),
        (version(3, "e1"), false),
        (version(2, "e2"), true),
        (version(2, "e1"), true),
        // Without one: compared with any.
        (version(2, ""), false),
        (version(3, ""), true),
        (version(1, "e1"), true),
        (version(u64::MAX, "e1"), true),
        (version(u64::MAX, "e1"), false),
    ];
    let epoch = rig.all("state").position.epoch;
    let mut heard = Vec::new();
    for (step, (version, newer)) in steps.into_iter().enumerate() {
        let data = format!("step {step}");
        let came = rig.publish("state", Publish { version: version.clone(), ..kept(&data) });
        let top = heard.len() as u64;
        if newer {
            assert_eq!(came, published(top + 1, &epoch), "{data}: {version:?}");
            heard.push(Heard::publication(top + 1, &data));
        } else {
            assert_eq!(came, dropped(Dropped::Outdated, top, &epoch), "{data}: {version:?}");
        }
    }
    rig.publish("state", kept("end"));
    heard.push(Heard::publication(heard.len() as u64 + 1, "end"));
    assert_eq!(rig.seen.heard("state", heard.len()), heard);
    assert_eq!(rig.offsets("state"), (1..=heard.len() as u64).collect::<Vec<_>>());
}

pub(super) fn a_repeated_key_outweighs_a_newer_version(make: Make<'_>) {
    let rig = Rig::new(make);
    let both = |name, number| Publish { idempotency: key(name), version: version(number, ""), ..kept("x") };
    let epoch = rig.publish("state", both("k1", 5)).position.epoch;
    rig.publish("state", kept("x"));
    assert_eq!(rig.publish("state", both("k1", 6)), dropped(Dropped::Repeated, 1, &epoch));
    assert_eq!(rig.publish("state", both("k2", 5)), dropped(Dropped::Outdated, 2, &epoch));
    // What was dropped for its version leaves no key.
    assert_eq!(rig.publish("state", both("k2", 6)), published(3, &epoch));
}
