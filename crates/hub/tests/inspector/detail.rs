//! One connection in full.

use antiphon_hub::inspect::{Carried, ConnectionDetail, SubscriptionDetail, TRANSPORTS};
use antiphon_hub::protocol::Position;
use common::BEGIN;

use super::*;

fn look(world: &World, peer: &Peer) -> ConnectionDetail {
    look_for(world, peer.session().id()).unwrap()
}

fn look_for(world: &World, client: &str) -> Option<ConnectionDetail> {
    answered(world, world.node.inspector().connection(client))
}

#[test]
fn there_is_nothing_to_see_of_nobody() {
    let world = world(2);
    assert_eq!(look_for(&world, "nobody"), None);
    let peer = connected(&world, 1, json!({}));
    let id = peer.session().id().to_string();
    assert!(look_for(&world, &id).is_some());
    drop(peer);
    assert_eq!(look_for(&world, &id), None);
}

#[test]
fn subscriptions_have_positions_that_move() {
    let world = world(1);
    let subs = json!({ "by": {} });
    let token =
        token(&json!({ "sub": "ada", "subs": subs, "info": { "name": "Ada" }, "exp": BEGIN / 1000 + 600 }));
    let mut ada = connected(&world, 0, json!({ "token": token }));
    let kept = json!({ "channel": "kept:a", "recoverable": true, "join_leave": true });
    say(&world, &mut ada, &json!({ "id": 2, "subscribe": kept }));
    subscribe(&world, &mut ada, "plain");
    let publish = common::publish(common::json("1"), world.keep("kept:a"));
    let first = world.publish("kept:a", publish.clone());
    world.locals[0].deliver();

    let detail = look(&world, &ada);
    let plain = |channel: &str, is_server_side| SubscriptionDetail {
        channel: channel.into(),
        position: None,
        is_recoverable: false,
        sees_joins: false,
        is_server_side,
    };
    let position = |offset| Some(Position { offset, epoch: first.position.epoch.clone() });
    let kept = |offset| SubscriptionDetail {
        position: position(offset),
        is_recoverable: true,
        sees_joins: true,
        ..plain("kept:a", false)
    };
    assert_eq!(detail.subscriptions, [plain("by", true), kept(1), plain("plain", false)]);
    assert_eq!((&*detail.info, detail.expires_at), (br#"{"name":"Ada"}"#.as_slice(), Some(BEGIN + 600_000)));
    assert_eq!((detail.is_resumable, detail.waiting_until), (false, None));
    // connect, subscribe twice; their answers, its own join, the publication.
    assert_eq!((detail.messages_in, detail.messages_out), (3, 5));
    assert_eq!(detail.connection.channels, 3);

    world.publish("kept:a", publish);
    world.locals[0].deliver();
    assert_eq!(look(&world, &ada).subscriptions[1], kept(2));
}

/// Goes on with a session over another transport.
fn go_on(world: &World, peer: &mut Peer, secret: &str, to: Origin) {
    let mut new = Peer::with(to, world, 0);
    let request = json!({ "ext": { "session": 1 }, "session": secret, "ack": 0 });
    new.receive(json!({ "id": 7, "connect": request }).to_string());
    new.turn(world);
    match new.take().pop() {
        Some(Heard::TakeOver(take_over)) => peer.take_over(world, *take_over),
        other => panic!("{other:?}"),
    }
    peer.turn(world);
    peer.take();
}

#[test]
fn a_session_remembers_what_it_has_listened_on() {
    let world = world(1);
    let address = |last: u8| Some(IpAddr::from([10, 0, 0, last]));
    let mut peer = Peer::with(origin(Transport::WebSocket, address(1)), &world, 0);
    let answer = say(&world, &mut peer, &json!({ "id": 1, "connect": { "ext": { "session": 1 } } }));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let secret = answer["connect"]["session"].as_str().unwrap();
    let carried =
        |after: u64, transport, last| Carried { at: BEGIN + after * 1000, transport, address: address(last) };
    let first = carried(0, Transport::WebSocket, 1);
    let detail = look(&world, &peer);
    assert_eq!(
        (detail.transports, detail.is_resumable, detail.waiting_until),
        (vec![first.clone()], true, None)
    );

    world.pass(5.0);
    assert!(peer.detach(&world));
    let detail = look(&world, &peer);
    assert!(detail.connection.is_waiting);
    assert_eq!(detail.waiting_until, Some(BEGIN + 65_000));
    world.pass(5.0);
    go_on(&world, &mut peer, secret, origin(Transport::Sse, address(2)));
    let detail = look(&world, &peer);
    assert_eq!(detail.transports, [first, carried(10, Transport::Sse, 2)]);
    let row = &detail.connection;
    assert_eq!((row.is_waiting, row.transport, row.address), (false, Transport::Sse, address(2)));
    assert_eq!((row.connected_at, detail.waiting_until), (BEGIN, None), "it is the same connection");
    assert_eq!(list(&world, Query { address: "10.0.0.2".into(), ..Query::default() }).total, 1);
    assert_eq!(list(&world, Query { address: "10.0.0.1".into(), ..Query::default() }).total, 0);

    for n in 3..20 {
        go_on(&world, &mut peer, secret, origin(Transport::Poll, address(n)));
    }
    let transports = look(&world, &peer).transports;
    assert_eq!(
        (transports.len(), transports[0].address, transports[15].address),
        (TRANSPORTS, address(4), address(19))
    );
}

#[test]
fn what_a_waiting_client_has_not_had_waits_for_it() {
    let world = world(1);
    let mut peer = connected(&world, 0, json!({ "ext": { "session": 1 } }));
    say(&world, &mut peer, &json!({ "id": 2, "subscribe": { "channel": "a" }, "n": 1 }));
    say(&world, &mut peer, &json!({ "ack": 1 }));
    assert!(peer.detach(&world));
    assert_eq!(look(&world, &peer).connection.queue_bytes, 0);
    world.publish("a", common::publish(common::json("[1,2,3]"), world.keep("a")));
    world.locals[0].deliver();
    let push = r#"{"push":{"channel":"a","pub":{"data":[1,2,3]}}}"#;
    let waiting = look(&world, &peer).connection.queue_bytes;
    // With the time at which it was published.
    assert!(waiting >= push.len() && waiting < push.len() + 30, "{waiting}");
}
