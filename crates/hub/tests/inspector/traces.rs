//! What passes on a connection, written down.

use antiphon_hub::inspect::{Direction, NotTraced, TRACES, TracePage};
use antiphon_hub::protocol::Disconnect;

use super::*;

fn start(world: &World, peer: &Peer) -> Result<(), NotTraced> {
    answered(world, world.node.inspector().trace(peer.session().id()))
}

fn traced(world: &World, peer: &Peer) -> TracePage {
    world.node.inspector().traced(peer.session().id(), 0).unwrap()
}

/// What was written down, with an arrow for the direction.
fn lines(page: &TracePage) -> Vec<String> {
    let arrow = |direction| match direction {
        Direction::In => '<',
        Direction::Out => '>',
        Direction::Event => '!',
    };
    page.entries.iter().map(|entry| format!("{} {}", arrow(entry.direction), entry.text)).collect()
}

/// A push without the time at which it was published.
fn timeless(line: &str) -> String {
    let (before, after) = line.split_once(r#","time":"#).unwrap_or((line, ""));
    format!("{before}{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
}

#[test]
fn what_comes_goes_and_happens_is_written_down() {
    let world = world(1);
    let mut peer = connected(&world, 0, json!({ "ext": { "session": 1 } }));
    start(&world, &peer).unwrap();
    assert!(list(&world, Query::default()).connections[0].is_traced);
    world.pass(1.0);
    say(&world, &mut peer, &json!({ "id": 2, "n": 1, "subscribe": { "channel": "a" } }));
    world.publish("a", common::publish(common::json("[1]"), world.keep("a")));
    world.locals[0].deliver();
    say(&world, &mut peer, &json!({ "id": 3, "n": 2, "publish": { "channel": "" } }));
    let page = traced(&world, &peer);
    let written: Vec<_> = lines(&page).iter().map(|line| timeless(line)).collect();
    assert_eq!(
        written,
        [
            r#"< {"id":2,"subscribe":{"channel":"a"},"n":1}"#,
            r#"> {"id":2,"subscribe":{}}"#,
            r#"> {"push":{"channel":"a","pub":{"data":[1]}}}"#,
            r#"< {"id":3,"publish":{},"n":2}"#,
            "! it ended: 3501 bad request",
        ]
    );
    let first = &page.entries[0];
    assert_eq!((first.n, first.at, page.next, page.lost), (1, common::BEGIN + 1000, 5, 0));
    assert_eq!(first.size, r#"{"id":2,"n":1,"subscribe":{"channel":"a"}}"#.len());
    // It can be read why, for a while.
    assert!(!page.is_on);
    assert_eq!(start(&world, &peer), Err(NotTraced::NotThere));
    world.pass(59.9);
    world.node.tick();
    let last = world.node.inspector().traced(peer.session().id(), 4).unwrap();
    assert_eq!(lines(&last), ["! it ended: 3501 bad request"]);
    world.pass(0.1);
    world.node.tick();
    assert_eq!(world.node.inspector().traced(peer.session().id(), 0), None);
}

#[test]
fn a_change_of_transport_is_written_down() {
    let world = world(1);
    let mut peer = Peer::with(origin(Transport::WebSocket, None), &world, 0);
    let answer = say(&world, &mut peer, &json!({ "id": 1, "connect": { "ext": { "session": 1 } } }));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let secret = answer["connect"]["session"].as_str().unwrap();
    start(&world, &peer).unwrap();
    assert!(peer.detach(&world));
    let mut new = Peer::with(origin(Transport::Sse, Some([10, 0, 0, 1].into())), &world, 0);
    let request = json!({ "ext": { "session": 1 }, "session": secret, "ack": 0 });
    new.receive(json!({ "id": 7, "connect": request }).to_string());
    new.turn(&world);
    let Some(Heard::TakeOver(take_over)) = new.take().pop() else { panic!("it does not go on") };
    peer.take_over(&world, *take_over);
    peer.turn(&world);
    let page = traced(&world, &peer);
    assert_eq!(
        lines(&page),
        [
            "! its transport has gone; the session waits for it for 60 s",
            "! it goes on over sse from 10.0.0.1, after websocket"
        ]
    );
    assert!(page.is_on && page.until == Some(common::BEGIN + 600_000));
}

#[test]
fn no_secret_is_written_down() {
    let world = world(1);
    let mut peer = connected(&world, 0, of("ada"));
    start(&world, &peer).unwrap();
    let token = token(&json!({ "sub": "ada", "channel": "a", "exp": world.unix() + 60 }));
    say(&world, &mut peer, &json!({ "id": 2, "subscribe": { "channel": "a", "token": token } }));
    say(&world, &mut peer, &json!({ "id": 3, "sub_refresh": { "channel": "a", "token": token } }));
    say(&world, &mut peer, &of("ada").as_object().map(|it| json!({ "id": 4, "refresh": it })).unwrap());
    say(&world, &mut peer, &json!({ "id": 5, "connect": { "token": token, "session": token } }));
    let page = traced(&world, &peer);
    assert_eq!(page.entries.iter().filter(|entry| entry.direction == Direction::In).count(), 4);
    // All tokens begin alike.
    let written = lines(&page).join("\n");
    assert!(!written.contains(&token[..10]), "{written}");
    assert_eq!(written.matches('…').count(), 5, "{written}");
}

#[test]
fn it_ends_when_told_to_and_begins_again() {
    let world = world(1);
    let mut peer = connected(&world, 0, json!({}));
    subscribe(&world, &mut peer, "a");
    let ping = json!({ "id": 2, "ping": {} });
    say(&world, &mut peer, &ping);
    assert_eq!(world.node.inspector().traced(peer.session().id(), 0), None);
    start(&world, &peer).unwrap();
    say(&world, &mut peer, &ping);
    answered(&world, world.node.inspector().end_trace(peer.session().id()));
    let count = || traced(&world, &peer).entries.len();
    assert_eq!(count(), 2);
    let publish = || {
        world.publish("a", common::publish(common::json("1"), world.keep("a")));
        world.locals[0].deliver();
    };
    publish();
    assert_eq!((count(), traced(&world, &peer).is_on), (2, false));
    start(&world, &peer).unwrap();
    publish();
    assert_eq!((count(), traced(&world, &peer).is_on), (3, true));
    // By itself, at the first thing that comes too late.
    world.pass(600.0);
    publish();
    publish();
    assert_eq!((count(), traced(&world, &peer).is_on), (3, false));
    assert!(!list(&world, Query::default()).connections[0].is_traced);
}

#[test]
fn what_was_held_for_a_subscription_is_written_down() {
    let world = world(1);
    let mut peer = connected(&world, 0, json!({}));
    start(&world, &peer).unwrap();
    // It hears of its own publication, which comes while it is held, behind the answer.
    let batch = [r#"{"id":2,"subscribe":{"channel":"a"}}"#, r#"{"id":3,"publish":{"channel":"a","data":1}}"#];
    peer.receive(batch.join("\n"));
    peer.work(world.now());
    world.locals[0].deliver();
    peer.say();
    let written: Vec<_> = lines(&traced(&world, &peer)).iter().map(|line| timeless(line)).collect();
    let expected = [
        format!("< {}", batch.join("\n")),
        r#"> {"id":2,"subscribe":{}}"#.into(),
        format!(
            r#"> {{"push":{{"channel":"a","pub":{{"data":1,"info":{{"user":"","client":"{}"}}}}}}}}"#,
            peer.session().id()
        ),
        r#"> {"id":3,"publish":{}}"#.into(),
    ];
    assert_eq!(written, expected);
}

#[test]
fn so_many_are_traced_at_once() {
    let world = world(2);
    let peers: Vec<_> = (0..TRACES + 1).map(|n| connected(&world, n % 2, json!({}))).collect();
    let unknown = || answered(&world, world.node.inspector().trace("nobody"));
    assert_eq!(unknown(), Err(NotTraced::NotThere));
    assert_eq!(world.node.inspector().traced("nobody", 0), None);
    peers[..TRACES].iter().for_each(|peer| start(&world, peer).unwrap());
    assert_eq!(start(&world, &peers[TRACES]), Err(NotTraced::TooMany));
    answered(&world, world.node.inspector().end_trace(peers[3].session().id()));
    start(&world, &peers[TRACES]).unwrap();
    assert_eq!(unknown(), Err(NotTraced::TooMany));
    // An end by the server frees one as well.
    let whom = antiphon_hub::Whom { client: Some(peers[0].session().id().to_string()), ..Default::default() };
    world.node.api().disconnect(whom, Disconnect::FORCE_NO_RECONNECT).unwrap();
    let mut peers = peers;
    world.settle(&mut peers.iter_mut().collect::<Vec<_>>());
    start(&world, &peers[3]).unwrap();
}

#[test]
fn protobuf_is_shown_as_json() {
    let world = world(1);
    let mut peer = Peer::new(&world, 0, Encoding::Protobuf);
    let mut command = common::command(1);
    command.connect = Some(Box::default());
    peer.receive(common::encode(&command, Encoding::Protobuf));
    peer.turn(&world);
    start(&world, &peer).unwrap();
    let mut command = common::command(2);
    command.subscribe = Some(Box::new(antiphon_hub::protocol::SubscribeRequest {
        channel: "a".into(),
        ..Default::default()
    }));
    peer.receive(common::encode(&command, Encoding::Protobuf));
    peer.turn(&world);
    world.publish("a", common::publish(common::json("{\"x\":1}"), world.keep("a")));
    world.publish("a", common::publish(antiphon_hub::data::Data::Binary(vec![0, 1].into()), world.keep("a")));
    world.locals[0].deliver();
    let page = traced(&world, &peer);
    let written: Vec<_> = lines(&page).iter().map(|line| timeless(line)).collect();
    assert_eq!(written[..2], [r#"< {"id":2,"subscribe":{"channel":"a"}}"#, r#"> {"id":2,"subscribe":{}}"#]);
    assert_eq!(written[2], r#"> {"push":{"channel":"a","pub":{"data":{"x":1}}}}"#);
    assert!(written[3].starts_with(r#"> pub in "a" at offset 0: "#), "{}", written[3]);
}
