//! Positions, and what is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::Make;
use super::rig::{BEGIN, Heard, KEEP, Rig, client, kept, offsets, published, text, unkept};
use crate::data::Data;
use crate::engine::{Event, History, HistoryQuery, Keep, Publication, Publish};
use crate::protocol::Position;

pub(super) fn a_publication_arrives_as_it_was_published(make: Make<'_>) {
    let rig = Rig::watching(make, &["kinds"]);
    let info = client("ann", "c1");
    let tags = BTreeMap::from([("lang".to_owned(), "de".to_owned()), (String::new(), "ü".to_owned())]);
    let kinds = [
        Data::Json(Bytes::from_static(b"{\"a\":\n1}")),
        Data::Text("grüezi \"you\"".into()),
        Data::Binary(Bytes::from_static(&[0, 255, 10, 0])),
        Data::Binary(Bytes::new()),
    ];
    let mut expected = Vec::new();
    for (offset, data) in (1..).zip(kinds) {
        let publish =
            Publish { data: data.clone(), info: Some(Arc::clone(&info)), tags: tags.clone(), ..kept("") };
        rig.publish("kinds", publish);
        let time = BEGIN.cast_signed();
        expected.push(Publication { data, info: Some(Arc::clone(&info)), tags: tags.clone(), offset, time });
    }
    let history = rig.all("kinds");
    let read: Vec<_> = history.publications.iter().map(|publication| (**publication).clone()).collect();
    assert_eq!(read, expected, "in the history");
    for (event, expected) in rig.seen.events("kinds", 4).into_iter().zip(&expected) {
        let Event::Publication { publication, previous, epoch } = event else { panic!("{event:?}") };
        assert_eq!(*publication, *expected, "handed on");
        assert_eq!(
            (previous, &*epoch),
            (None, history.position.epoch.as_str()),
            "handed on with {expected:?}"
        );
    }
}

pub(super) fn offsets_count_from_one_in_each_channel(make: Make<'_>) {
    let rig = Rig::watching(make, &["a", "b"]);
    for (channel, offset) in [("a", 1), ("a", 2), ("b", 1), ("a", 3), ("b", 2)] {
        let position = rig.publish(channel, kept(&format!("{channel}{offset}"))).position;
        let stream = rig.all(channel).position;
        assert_eq!((position.offset, &position), (offset, &stream), "{channel}");
        assert_ne!(stream.epoch, "", "a stream has an epoch");
    }
    let heard = |channel: &str, offset| Heard::publication(offset, &format!("{channel}{offset}"));
    assert_eq!(rig.seen.heard("a", 3), [heard("a", 1), heard("a", 2), heard("a", 3)]);
    assert_eq!(rig.seen.heard("b", 2), [heard("b", 1), heard("b", 2)]);
}

pub(super) fn a_channel_that_keeps_none_has_no_position(make: Make<'_>) {
    for keep in [Keep::default(), Keep { size: 0, ..KEEP }, Keep { ttl: Keep::default().ttl, ..KEEP }] {
        let rig = Rig::watching(make, &["news"]);
        for data in ["one", "two"] {
            assert_eq!(
                rig.publish("news", Publish { keep, delta: true, ..kept(data) }),
                published(0, ""),
                "{keep:?}"
            );
        }
        assert_eq!(rig.seen.heard("news", 2), [Heard::publication(0, "one"), Heard::publication(0, "two")]);
        for event in rig.seen.so_far("news") {
            assert!(matches!(&event, Event::Publication { epoch, .. } if epoch.is_empty()), "{event:?}");
        }
        assert_eq!(rig.all("news").position.offset, 0, "{keep:?}");
        assert_eq!(rig.offsets("news"), [0; 0], "{keep:?}");
    }
}

pub(super) fn what_is_not_kept_does_not_move_the_stream(make: Make<'_>) {
    let rig = Rig::watching(make, &["mixed"]);
    let first = rig.publish("mixed", kept("one"));
    assert_eq!(rig.publish("mixed", unkept("typing")), published(0, ""));
    assert_eq!(rig.publish("mixed", kept("two")), published(2, &first.position.epoch));
    assert_eq!(rig.offsets("mixed"), [1, 2]);
    let heard = [Heard::publication(1, "one"), Heard::publication(0, "typing"), Heard::publication(2, "two")];
    assert_eq!(rig.seen.heard("mixed", 3), heard);
}

pub(super) fn a_channel_without_a_stream_gets_one_when_it_is_read(make: Make<'_>) {
    let rig = Rig::new(make);
    let History { publications, position } = rig.all("new");
    assert_eq!((publications.len(), position.offset), (0, 0));
    assert_ne!(position.epoch, "", "there is something to recover from");
    assert_eq!(rig.all("new").position, position, "read again");
    assert_eq!(rig.publish("new", kept("one")), published(1, &position.epoch));
    assert_eq!(rig.offsets("new"), [1]);
}

pub(super) fn the_oldest_goes_when_there_is_no_room(make: Make<'_>) {
    let rig = Rig::new(make);
    // What each publication says of the size, and what is there after it.
    for (size, left) in [
        (3, vec![1]),
        (3, vec![1, 2]),
        (3, vec![1, 2, 3]),
        (3, vec![2, 3, 4]),
        (5, vec![2, 3, 4, 5]),
        (5, vec![2, 3, 4, 5, 6]),
        (2, vec![6, 7]),
        (1, vec![8]),
        (1, vec![9]),
        (usize::MAX, vec![9, 10]),
    ] {
        rig.publish("ring", Publish { keep: Keep { size, ..KEEP }, ..kept("x") });
        assert_eq!(rig.offsets("ring"), left, "with size {size}");
    }
}

/// Since which offset, at most how many, whether in reverse; and which offsets come.
type Asked = (Option<u64>, Option<usize>, bool, &'static [u64]);

pub(super) fn history_is_what_was_asked_for(make: Make<'_>) {
    const FORWARD: bool = false;
    const REVERSE: bool = true;
    const MAX: u64 = u64::MAX;

    let rig = Rig::new(make);
    for number in 1..=10 {
        rig.publish("ring", Publish { keep: Keep { size: 5, ..KEEP }, ..kept(&format!("{number}")) });
    }
    let position = rig.all("ring").position;
    assert_eq!(position.offset, 10);

    let cases: &[Asked] = &[
        (None, None, FORWARD, &[6, 7, 8, 9, 10]),
        (None, None, REVERSE, &[10, 9, 8, 7, 6]),
        (None, Some(0), FORWARD, &[]),
        (None, Some(0), REVERSE, &[]),
        (None, Some(2), FORWARD, &[6, 7]),
        (None, Some(2), REVERSE, &[10, 9]),
        (None, Some(5), FORWARD, &[6, 7, 8, 9, 10]),
        (None, Some(usize::MAX), REVERSE, &[10, 9, 8, 7, 6]),
        (Some(0), None, FORWARD, &[6, 7, 8, 9, 10]),
        (Some(0), Some(1), FORWARD, &[6]),
        (Some(4), None, FORWARD, &[6, 7, 8, 9, 10]),
        (Some(5), None, FORWARD, &[6, 7, 8, 9, 10]),
        (Some(6), None, FORWARD, &[7, 8, 9, 10]),
        (Some(7), Some(2), FORWARD, &[8, 9]),
        (Some(7), Some(0), FORWARD, &[]),
        (Some(9), None, FORWARD, &[10]),
        (Some(9), Some(3), FORWARD, &[10]),
        (Some(10), None, FORWARD, &[]),
        (Some(11), None, FORWARD, &[]),
        (Some(MAX), None, FORWARD, &[]),
        (Some(0), None, REVERSE, &[]),
        (Some(1), None, REVERSE, &[]),
        (Some(5), None, REVERSE, &[]),
        (Some(6), None, REVERSE, &[]),
        (Some(7), None, REVERSE, &[6]),
        (Some(9), Some(2), REVERSE, &[8, 7]),
        (Some(9), Some(0), REVERSE, &[]),
        (Some(10), None, REVERSE, &[9, 8, 7, 6]),
        (Some(11), None, REVERSE, &[10, 9, 8, 7, 6]),
        (Some(11), Some(1), REVERSE, &[10]),
        (Some(MAX), Some(2), REVERSE, &[10, 9]),
    ];
    for (since, limit, reverse, expected) in cases {
        for epoch in [position.epoch.as_str(), "another"] {
            let since = since.map(|offset| Position { offset, epoch: epoch.to_owned() });
            let query = HistoryQuery { since, limit: *limit, reverse: *reverse, meta_ttl: KEEP.meta_ttl };
            let history = rig.history("ring", query.clone());
            assert_eq!(offsets(&history), *expected, "{query:?}");
            assert_eq!(history.position, position, "{query:?}");
            for publication in &history.publications {
                assert_eq!(text(publication), publication.offset.to_string(), "{query:?}");
            }
        }
    }
}

pub(super) fn removed_publications_leave_the_position(make: Make<'_>) {
    let rig = Rig::new(make);
    rig.remove("ring");
    for data in ["one", "two", "three"] {
        rig.publish("ring", kept(data));
    }
    let position = rig.all("ring").position;
    for _ in 0..2 {
        rig.remove("ring");
        assert_eq!(rig.all("ring"), History { publications: Vec::new(), position: position.clone() });
    }
    for (since, reverse) in [(0, false), (2, false), (3, true), (9, true)] {
        let since = Some(Position { offset: since, epoch: position.epoch.clone() });
        let query = HistoryQuery { since, reverse, meta_ttl: KEEP.meta_ttl, ..HistoryQuery::default() };
        assert_eq!(offsets(&rig.history("ring", query)), [0; 0], "reverse: {reverse}");
    }
    assert_eq!(rig.publish("ring", kept("four")), published(4, &position.epoch));
    assert_eq!(rig.offsets("ring"), [4]);
}
