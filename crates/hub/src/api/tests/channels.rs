use std::sync::Arc;

use super::rig::{Rig, json, seconds};
use crate::api::Message;
use crate::engine::suite::block_on;
use crate::protocol::{ClientInfo, Position};

#[test]
fn presence_is_told_where_it_is_kept() {
    let rig = Rig::new();
    for (client, user) in [("c1", "ann"), ("c2", "ann"), ("c3", "bob")] {
        let info = ClientInfo { client: client.into(), user: user.into(), ..ClientInfo::default() };
        block_on(rig.node.presence.add("kept:a", Arc::new(info))).unwrap();
    }
    for (channel, expected) in [
        ("kept:a", Ok((3, 2))),
        ("kept:empty", Ok((0, 0))),
        ("plain", Err(108)),
        ("json:a", Err(108)),
        ("unknown:a", Err(102)),
        ("", Err(107)),
    ] {
        let stats = block_on(rig.node.api().presence_stats(channel));
        let stats = stats.map(|stats| (stats.clients, stats.users)).map_err(|error| error.error.code);
        assert_eq!(stats, expected, "{channel:?}");
        let list = block_on(rig.node.api().presence(channel));
        let count = list.map(|list| list.len()).map_err(|error| error.error.code);
        assert_eq!(count, expected.map(|(clients, _)| clients), "{channel:?}");
    }
}

#[test]
fn history_gives_what_is_asked_for() {
    let rig = Rig::new();
    let mut epoch = String::new();
    for n in ["1", "2", "3", "4", "5"] {
        epoch = block_on(rig.node.api().publish("kept:a", &Message::new(json(n)))).unwrap().epoch;
    }
    let at = |offset: u64, epoch: &str| Some(Position { offset, epoch: epoch.to_owned() });
    for (channel, since, limit, reverse, expected) in [
        ("kept:a", None, Some(0), false, Ok(vec![])),
        ("kept:a", None, None, false, Ok(vec![3, 4, 5])),
        ("kept:a", None, Some(2), false, Ok(vec![3, 4])),
        ("kept:a", None, Some(2), true, Ok(vec![5, 4])),
        ("kept:a", at(3, &epoch), None, false, Ok(vec![4, 5])),
        ("kept:a", at(5, ""), None, true, Ok(vec![4, 3])),
        ("kept:a", at(5, &epoch), None, false, Ok(vec![])),
        ("kept:a", at(3, "other"), None, false, Err(112)),
        ("kept:a", at(6, &epoch), None, false, Err(112)),
        ("kept:a", at(0, &epoch), None, true, Err(107)),
        ("late:a", None, None, false, Ok(vec![])),
        ("plain", None, None, false, Err(108)),
        ("unknown:a", None, None, false, Err(102)),
        ("", None, None, false, Err(107)),
        ("broken:a", None, None, false, Err(100)),
    ] {
        let told = format!("{channel:?} {since:?} {limit:?} {reverse}");
        let history = block_on(rig.node.api().history(channel, since, limit, reverse));
        let offsets = history.map(|history| {
            history.publications.iter().map(|publication| publication.offset).collect::<Vec<_>>()
        });
        assert_eq!(offsets.map_err(|error| error.error.code), expected, "{told}");
    }
}

#[test]
fn a_removed_history_leaves_its_position() {
    let rig = Rig::new();
    let place = block_on(rig.node.api().publish("kept:a", &Message::new(json("1")))).unwrap();
    for (channel, expected) in [
        ("kept:a", Ok(())),
        ("plain", Err(108)),
        ("unknown:a", Err(102)),
        ("", Err(107)),
        ("broken:a", Err(100)),
    ] {
        let outcome = block_on(rig.node.api().history_remove(channel));
        assert_eq!(outcome.map_err(|error| error.error.code), expected, "{channel:?}");
    }
    let history = block_on(rig.node.api().history("kept:a", None, None, false)).unwrap();
    assert_eq!((history.publications.len(), history.position), (0, place));
}

#[test]
fn channels_are_listed_with_their_subscribers() {
    let rig = Rig::new();
    let two = [rig.join("kept:a"), rig.join("kept:a")];
    let _one = rig.join("plain");
    let list = |pattern: &str| {
        let list = rig.node.api().channels(pattern).map_err(|error| error.error.code);
        list.map(|mut list| {
            list.sort();
            list.into_iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
        })
    };
    for (pattern, expected) in [
        ("", Ok("kept:a 2, plain 1")),
        ("*", Ok("kept:a 2, plain 1")),
        ("kept:*", Ok("kept:a 2")),
        ("kept", Ok("")),
        ("{", Err(107)),
    ] {
        assert_eq!(list(pattern), expected.map(str::to_owned), "{pattern:?}");
    }
    let [one, other] = two;
    drop(one);
    assert_eq!(list("kept:*").as_deref(), Ok("kept:a 1"));
    drop(other);
    assert_eq!(list("").as_deref(), Ok("plain 1"));
}

#[test]
fn a_node_says_how_much_it_holds() {
    let rig = Rig::new();
    rig.node.metrics().clients.add(3);
    rig.node.metrics().subscriptions.add(5);
    for user in ["ann", "ann", "bob"] {
        assert!(rig.node.census.enter(user, 0));
    }
    let _held = [rig.join("kept:a"), rig.join("kept:a"), rig.join("plain")];
    rig.clock.advance(u64::try_from(seconds(90).as_millis()).unwrap());
    let [info] = &rig.node.api().info()[..] else { panic!("there is one node") };
    let counts = (info.clients, info.users, info.subscriptions, info.channels, info.uptime);
    assert_eq!(counts, (3, 2, 5, 2, 90));
    assert_eq!((info.version.as_str(), &info.name), ("1.2.3", &info.uid));
    assert_eq!(info.uid.len(), 32);
    let named = Rig::new().node.with_name("here");
    assert_eq!(named.api().info()[0].name, "here");
    assert_ne!(named.api().info()[0].uid, info.uid);
}
