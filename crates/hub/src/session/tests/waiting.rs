//! Sessions and time: without a transport, and on one that is dead.

use bytes::Bytes;
use serde_json::json;

use super::common::World;
use super::resume::{again, world, world_with};
use super::{Client, publish_in};
use crate::channels::{Control, Order, Whom};
use crate::options::RpcOptions;
use crate::protocol::{Disconnect, Unsubscribed};
use crate::session::{NotTaken, Transport};

fn order(world: &World, client: &Client<'_>, order: Order) {
    let whom = Whom { client: Some(client.id()), ..Whom::default() };
    world.node.hub().control(Control { whom, order });
    world.locals[0].deliver();
}

#[test]
fn a_client_that_does_not_come_back_leaves() {
    let world = world();
    let mut other = Client::connected(&world);
    other.subscribe("seen:a");
    let (mut client, secret) = Client::with_session(&world, json!({}));
    client.say(r#"{"id":2,"subscribe":{"channel":"seen:a"},"n":1}"#);
    other.turn();
    client.lose();
    world.told.take();
    world.pass(59.9);
    client.turn();
    assert!(!client.peer.session().is_ended() && world.told.take().is_empty());
    world.pass(0.1);
    client.turn();
    assert!(client.peer.session().is_ended());
    assert_eq!(world.told.take(), ["unsubscribed seen:a 1", r#"disconnected "" 3000"#]);
    let heard = other.turn();
    assert!(heard.contains(r#""leave":{"info""#), "{heard}");
    let mut late = Client::new(&world);
    assert!(late.connect(&again(&secret, 0)).get("resumed").is_none());
    drop((client, other, late));
    world.assert_vacant();
}

#[test]
fn a_client_without_a_session_is_not_waited_for() {
    let world = world();
    for transport in [Transport::WebSocket, Transport::HttpStream, Transport::Sse] {
        let mut client = Client::on(&world, transport);
        client.connect(&json!({}));
        assert!(!client.peer.detach(&world), "{transport:?}");
        assert!(client.peer.session().is_ended() && world.node.directory().is_empty(), "{transport:?}");
    }
}

#[test]
fn orders_are_carried_out_while_nobody_is_there() {
    let world = world();
    let unsubscribe = Order::Unsubscribe { channel: "a".into(), reason: Unsubscribed::BY_SERVER };
    let (mut client, secret) = Client::with_session(&world, json!({}));
    client.say(r#"{"id":2,"subscribe":{"channel":"a"},"n":1}"#);
    client.lose();
    order(&world, &client, unsubscribe);
    client.turn();
    publish_in(&world, "a", "1");
    let (_, rest) = client.go_on(Client::new(&world), &again(&secret, 1));
    assert!(rest.starts_with(r#"{"push":{"channel":"a","unsubscribe":{"code":2000"#), "{rest}");
    assert_eq!(rest.lines().count(), 1, "{rest}");
    let ends = [
        Order::Disconnect(Disconnect::FORCE_RECONNECT),
        Order::Refresh { expired: true, expire_at: 0, info: Bytes::new() },
        Order::Refresh { expired: false, expire_at: 1, info: Bytes::new() },
    ];
    for end in ends {
        let (mut client, secret) = Client::with_session(&world, json!({}));
        client.lose();
        order(&world, &client, end.clone());
        client.turn();
        assert!(client.peer.session().is_ended(), "{end:?}");
        assert_eq!(world.node.directory().worker(&secret), None, "{end:?}");
    }
}

#[test]
fn a_client_that_answers_no_ping_loses_its_transport_only() {
    let world = world();
    let (mut client, secret) = Client::with_session(&world, json!({}));
    world.pass(12.5);
    assert_eq!(client.turn(), "{}");
    world.pass(8.0);
    assert_eq!(client.turn(), "drop 3012");
    // However long the transport takes to end, it is not told again.
    assert!(client.peer.session().deadline().is_none_or(|deadline| deadline > world.now()));
    world.pass(100.0);
    assert_eq!(client.turn(), "");
    client.lose();
    let (answer, _) = client.go_on(Client::new(&world), &again(&secret, 0));
    assert_eq!(answer["resumed"], true);
    // An answer to a ping of before.
    assert_eq!(client.say("{}"), "");
    world.pass(12.5);
    assert_eq!(client.turn(), "{}");
    assert_eq!(client.say("{}"), "");
    world.pass(24.9);
    assert_eq!(client.turn(), "");
    world.pass(0.1);
    assert_eq!(client.turn(), "{}");
}

#[test]
fn a_poll_has_no_pings() {
    let world = world();
    let mut client = Client::on(&world, Transport::Poll);
    let secret = client.connect(&json!({}))["session"].as_str().unwrap().to_owned();
    for _ in 0..10 {
        world.pass(25.0);
        assert_eq!(client.turn(), "");
    }
    let (answer, _) = client.go_on(Client::new(&world), &again(&secret, 0));
    assert_eq!((&answer["ping"], &answer["pong"]), (&json!(25), &json!(true)));
    world.pass(12.5);
    assert_eq!(client.turn(), "{}");
    // The ping is not answered any more.
    let (answer, _) = client.go_on(Client::on(&world, Transport::Poll), &again(&secret, 0));
    assert_eq!((answer.get("ping"), answer.get("pong")), (None, None));
    world.pass(250.0);
    assert_eq!(client.turn(), "");
    // Between two polls nobody is there; with each it stays.
    for _ in 0..3 {
        client.lose();
        world.pass(59.0);
        assert_eq!(client.turn(), "");
        client.peer.session().tie().hold();
        world.pass(59.0);
        assert_eq!(client.turn(), "");
    }
}

#[test]
fn what_waits_is_bounded() {
    let world = world_with(|book| {
        book.rpc_without_namespace = RpcOptions { proxy_enabled: true, ..Default::default() };
    });
    world.desk.slow_down(&["rpc"]);
    let (mut client, _) = Client::with_session(&world, json!({}));
    assert_eq!(client.say(r#"{"id":1,"rpc":{"method":"m"},"n":1}"#), "");
    let ping = |n: u64| Bytes::from(json!({ "id": n, "ping": {}, "n": n }).to_string());
    let take = |n: u64| client.peer.session().tie().take(ping(n));
    for n in 2..=257 {
        assert_eq!(take(n), Ok(()));
    }
    assert_eq!(take(258), Err(NotTaken::Busy));
    world.desk.do_next();
    assert_eq!(client.turn().lines().count(), 257);
    // It was not taken, and is so now.
    assert_eq!(client.say(std::str::from_utf8(&ping(258)).unwrap()), r#"{"id":258,"ping":{}}"#);
}

#[test]
fn a_command_under_way_is_answered_on_the_next_transport() {
    let world = world_with(|book| {
        book.rpc_without_namespace = RpcOptions { proxy_enabled: true, ..Default::default() };
    });
    world.desk.slow_down(&["rpc"]);
    let (mut client, secret) = Client::with_session(&world, json!({}));
    let command = r#"{"id":1,"rpc":{"method":"m"},"n":1}"#;
    assert_eq!(client.say(command), "");
    client.lose();
    let (answer, rest) = client.go_on(Client::new(&world), &again(&secret, 0));
    assert_eq!((&answer["n"], rest.as_str()), (&json!(1), ""));
    assert_eq!(client.say(command), "");
    world.desk.do_next();
    assert_eq!(client.turn(), r#"{"id":1,"rpc":{"data":{}}}"#);
    assert_eq!(world.desk.do_next(), None, "it was asked once");
}

#[test]
fn who_stays_away_too_long_for_what_is_kept_does_not_come_back() {
    let world = world_with(|book| book.client.queue_max_size = 200);
    let (mut client, _) = Client::with_session(&world, json!({}));
    client.say(r#"{"id":1,"subscribe":{"channel":"a"},"n":1}"#);
    client.say(r#"{"ack":1}"#);
    client.lose();
    let publish = || {
        publish_in(&world, "a", &format!("\"{}\"", "x".repeat(40)));
        world.locals[0].deliver();
    };
    publish();
    client.turn();
    assert!(!client.peer.session().is_ended());
    publish();
    publish();
    client.turn();
    assert!(client.peer.session().is_ended());
}
