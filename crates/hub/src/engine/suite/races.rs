//! Many at once.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

use super::Make;
use super::rig::{Heard, KEEP, Rig, kept, key, offsets, text, version};
use crate::engine::{Dropped, Event, Keep, Publish, Published};

const THREADS: usize = 4;

/// Does something on some threads, all of which begin at once. What came of it, by thread.
fn at_once<T: Send>(threads: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let begin = Barrier::new(threads);
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|number| {
                let (begin, act) = (&begin, &act);
                scope.spawn(move || {
                    begin.wait();
                    act(number)
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().expect("the thread keeps its promises")).collect()
    })
}

/// A publication that keeps everything that a case publishes.
fn roomy(data: &str) -> Publish {
    Publish { keep: Keep { size: 10_000, ..KEEP }, ..kept(data) }
}

pub(super) fn publishers_do_not_overtake_each_other(make: Make<'_>) {
    const EACH: usize = 300;
    const CHANNELS: [&str; 3] = ["a", "b", "c"];

    let rig = Rig::watching(make, &CHANNELS);
    let answers = at_once(THREADS, |thread| {
        let publish = |number: usize| {
            let channel = CHANNELS[(thread + number) % CHANNELS.len()];
            let data = format!("{thread}-{number:03}");
            let position = rig.publish(channel, Publish { delta: true, ..roomy(&data) }).position;
            ((channel, position.offset), data)
        };
        (0..EACH).map(publish).collect::<Vec<_>>()
    });
    let answers: BTreeMap<_, _> = answers.into_iter().flatten().collect();
    assert_eq!(answers.len(), THREADS * EACH, "each has a place of its own");

    for channel in CHANNELS {
        let count = answers.keys().filter(|(of, _)| *of == channel).count();
        let events = rig.seen.events(channel, count);
        let expected = (1..=count as u64).map(|offset| Heard::Publication {
            offset,
            data: answers[&(channel, offset)].clone(),
            previous: (offset > 1).then(|| offset - 1),
        });
        let heard: Vec<_> = events.iter().map(Heard::from).collect();
        assert_eq!(heard, expected.collect::<Vec<_>>(), "{channel} is handed on in the order of its offsets");

        let publication = |event| match event {
            Event::Publication { publication, .. } => publication,
            other => panic!("{other:?}"),
        };
        let handed_on: Vec<_> = events.into_iter().map(publication).collect();
        let history = rig.all(channel);
        assert_eq!(history.publications, handed_on, "the history of {channel} is what was handed on");
        assert_eq!(history.position.offset, count as u64);

        // Who waits for each answer is heard in that order.
        for thread in 0..THREADS {
            let own: Vec<_> = handed_on
                .iter()
                .map(|it| text(it))
                .filter(|it| it.starts_with(&format!("{thread}-")))
                .collect();
            assert!(own.is_sorted(), "{own:?}");
        }
    }
}

pub(super) fn history_has_what_was_handed_on_before(make: Make<'_>) {
    const EACH: u64 = 300;
    const PUBLISHERS: usize = 2;

    let rig = Rig::watching(make, &["busy"]);
    let last = |events: &[Event]| match events.last() {
        Some(Event::Publication { publication, .. }) => publication.offset,
        _ => 0,
    };
    at_once(THREADS, |thread| {
        if thread < PUBLISHERS {
            for _ in 0..EACH {
                let position = rig.publish("busy", roomy("x")).position;
                assert!(rig.all("busy").position.offset >= position.offset, "what was answered is there");
            }
            return;
        }
        for _ in 0..2 * EACH {
            let before = last(&rig.seen.so_far("busy"));
            let history = rig.all("busy");
            let top = history.position.offset;
            assert!(top >= before, "{before} was handed on before the history up to {top} was asked for");
            assert_eq!(
                offsets(&history),
                (1..=top).collect::<Vec<_>>(),
                "publications and position of one moment"
            );
        }
    });
    assert_eq!(rig.all("busy").position.offset, PUBLISHERS as u64 * EACH);
}

pub(super) fn a_key_publishes_once_though_many_try(make: Make<'_>) {
    const KEYS: usize = 100;

    let rig = Rig::watching(make, &["once"]);
    let answers = at_once(THREADS, |_| {
        let publish =
            |number| rig.publish("once", Publish { idempotency: key(&format!("{number}")), ..roomy("x") });
        (0..KEYS).map(publish).collect::<Vec<_>>()
    });
    for number in 0..KEYS {
        let of_key: Vec<&Published> = answers.iter().map(|of_thread| &of_thread[number]).collect();
        assert_eq!(of_key.iter().filter(|it| it.dropped.is_none()).count(), 1, "key {number}: {of_key:?}");
        assert!(of_key.iter().all(|it| it.position == of_key[0].position), "key {number}: {of_key:?}");
    }
    assert_eq!(rig.seen.heard("once", KEYS).len(), KEYS);
    assert_eq!(rig.all("once").position.offset, KEYS as u64);
}

pub(super) fn one_of_many_versions_is_the_last(make: Make<'_>) {
    const VERSIONS: u64 = 300;

    let rig = Rig::watching(make, &["state"]);
    at_once(THREADS, |thread| {
        for number in 1..=VERSIONS {
            let publish =
                Publish { version: version(number, "e"), ..roomy(&format!("{number:03}-{thread}")) };
            let came = rig.publish("state", publish);
            assert_ne!(came.dropped, Some(Dropped::Repeated));
        }
    });
    let history = rig.all("state");
    let numbers: Vec<String> = history.publications.iter().map(|it| text(it)[..3].to_owned()).collect();
    assert!(numbers.is_sorted_by(|before, after| before < after), "{numbers:?}");
    assert_eq!(numbers.last().map(String::as_str), Some("300"));
}

pub(super) fn a_new_stream_has_one_epoch_for_all(make: Make<'_>) {
    for _ in 0..20 {
        let rig = Rig::new(make);
        let epochs = at_once(THREADS, |thread| {
            if thread % 2 == 0 {
                rig.publish("new", kept("x")).position.epoch
            } else {
                rig.all("new").position.epoch
            }
        });
        assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "{epochs:?}");
    }
}
