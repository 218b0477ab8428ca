use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::rig::{Rig, json};
use crate::api::{ApiError, BROADCAST_CHANNELS, Message, PATTERN_CHANNELS};
use crate::data::Data;
use crate::engine::suite::block_on;
use crate::protocol::Position;

/// The offset, or the code of the error.
fn short(outcome: Result<Position, ApiError>) -> Result<u64, u32> {
    outcome.map(|position| position.offset).map_err(|error| error.error.code)
}

#[test]
fn a_publication_needs_a_channel_and_its_data() {
    let rig = Rig::new();
    let long = "a".repeat(256);
    for (channel, data, expected) in [
        ("plain", json("1"), Ok(0)),
        ("kept:a", json("1"), Ok(1)),
        ("kept:a", Data::Binary("\u{1}".into()), Ok(2)),
        ("kept:b", json("1"), Ok(1)),
        ("late:a", json("1"), Ok(1)),
        ("", json("1"), Err(107)),
        (&long, json("1"), Err(107)),
        ("kept:\n", json("1"), Err(107)),
        ("unknown:a", json("1"), Err(102)),
        ("plain", json(""), Err(107)),
        ("json:a", json("[1]"), Err(107)),
        ("json:a", json("{}"), Ok(0)),
        ("broken:a", json("1"), Err(100)),
    ] {
        let outcome = block_on(rig.node.api().publish(channel, &Message::new(data.clone())));
        assert_eq!(short(outcome), expected, "{channel:?} {data:?}");
    }
}

#[test]
fn what_is_published_reaches_members_and_history() {
    let rig = Rig::new();
    let (member, _held) = rig.join("kept:a");
    let message =
        Message { tags: [("lang".to_owned(), "en".to_owned())].into(), ..Message::new(json(r#"{"n":1}"#)) };
    let place = block_on(rig.node.api().publish("kept:a", &message)).unwrap();
    let skipped = Message { skip_history: true, ..Message::new(json("2")) };
    assert_eq!(short(block_on(rig.node.api().publish("kept:a", &skipped))), Ok(0));
    rig.local.deliver();
    assert_eq!(member.frames.get(), 2);
    let history = block_on(rig.node.api().history("kept:a", None, None, false)).unwrap();
    assert_eq!(history.position, place);
    let [kept] = &history.publications[..] else { panic!("{history:?}") };
    assert_eq!((&kept.data, &kept.tags, &kept.info), (&message.data, &message.tags, &None));
}

#[test]
fn keys_and_versions_drop_what_is_not_new() {
    let rig = Rig::new();
    let keyed = |key: &str| Message { idempotency_key: key.to_owned(), ..Message::new(json("1")) };
    let versioned = |version: u64, epoch: &str| Message {
        version,
        version_epoch: epoch.to_owned(),
        ..Message::new(json("1"))
    };
    for (channel, message, expected) in [
        ("kept:keys", keyed("a"), 1),
        ("kept:keys", keyed("a"), 1),
        ("kept:keys", keyed("b"), 2),
        ("kept:others", keyed("a"), 1),
        ("kept:versions", versioned(5, ""), 1),
        ("kept:versions", versioned(5, ""), 1),
        ("kept:versions", versioned(4, "x"), 2),
        ("kept:versions", versioned(3, "x"), 2),
        ("kept:versions", versioned(0, ""), 3),
    ] {
        let outcome = short(block_on(rig.node.api().publish(channel, &message)));
        assert_eq!(outcome, Ok(expected), "{channel} {message:?}");
    }
    rig.clock.advance(300_000);
    let late = short(block_on(rig.node.api().publish("kept:others", &keyed("a"))));
    assert_eq!(late, Ok(2), "a key is forgotten after five minutes");
}

#[test]
fn a_broadcast_answers_for_each_channel() {
    let rig = Rig::new();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let channels = names(&["kept:a", "unknown:a", "", "late:a", "broken:a", "kept:a"]);
    let message = Message::new(json("1"));
    let outcomes = block_on(rig.node.api().broadcast(&channels, &message)).unwrap();
    let outcomes: Vec<_> = outcomes.into_iter().map(short).collect();
    assert_eq!(outcomes, [Ok(1), Err(102), Err(107), Ok(1), Err(100), Ok(2)]);
    for (count, expected) in [
        (0, Err(107)),
        (1, Ok(1)),
        (BROADCAST_CHANNELS, Ok(BROADCAST_CHANNELS)),
        (BROADCAST_CHANNELS + 1, Err(106)),
    ] {
        let channels = vec!["plain".to_owned(); count];
        let outcomes = block_on(rig.node.api().broadcast(&channels, &message));
        assert_eq!(outcomes.map(|all| all.len()).map_err(|error| error.error.code), expected, "{count}");
    }
}

#[test]
fn a_broadcast_by_pattern_reaches_channels_with_subscribers() {
    let rig = Rig::new();
    let held = ["kept:a", "kept:b", "plain"].map(|channel| rig.join(channel));
    let message = Message::new(json("1"));
    block_on(rig.node.api().publish("kept:alone", &message)).unwrap();
    let mut found = block_on(rig.node.api().broadcast_matching("kept:*", &message)).unwrap();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let found: Vec<_> = found.into_iter().map(|(name, outcome)| (name, short(outcome))).collect();
    assert_eq!(found, [("kept:a".to_owned(), Ok(1)), ("kept:b".to_owned(), Ok(1))]);
    rig.local.deliver();
    assert_eq!(held.each_ref().map(|(member, _)| member.frames.get()), [1, 1, 0]);
    for (pattern, expected) in [("nobody:*", Ok(0)), ("", Err(107)), ("[", Err(107))] {
        let outcome = block_on(rig.node.api().broadcast_matching(pattern, &message));
        assert_eq!(outcome.map(|all| all.len()).map_err(|error| error.error.code), expected, "{pattern:?}");
    }
}

#[test]
fn a_pattern_may_not_match_too_much() {
    let rig = Rig::new();
    let held: Vec<_> = (0..=PATTERN_CHANNELS).map(|n| rig.join(&format!("kept:{n}"))).collect();
    let outcome = block_on(rig.node.api().broadcast_matching("*", &Message::new(json("1"))));
    assert_eq!(outcome.unwrap_err().error.code, 106);
    assert_eq!(held[0].0.frames.get(), 0, "nothing is published");
}

#[test]
fn a_publisher_waits_while_a_worker_is_behind() {
    let rig = Rig::new();
    let _held = rig.join("plain");
    let large = Message::new(Data::Binary(vec![0; 17 * 1024 * 1024].into()));
    block_on(rig.node.api().publish("plain", &large)).unwrap();
    let cx = &mut Context::from_waker(Waker::noop());
    let api = rig.node.api();
    let small = Message::new(json("1"));
    let mut waiting = pin!(api.publish("plain", &small));
    assert!(waiting.as_mut().poll(cx).is_pending());
    rig.local.deliver();
    assert!(matches!(waiting.as_mut().poll(cx), Poll::Ready(Ok(_))));
}
