//! What is missed is told, to whom it concerns.

use super::common::{World, json, publish};
use super::{Client, book, kept, namespace, publish_in};
use crate::engine::{Engine as _, Event};
use crate::options::ChannelOptions;
use crate::protocol::{ClientInfo, Encoding};

const LOST: &str = r#"{"push":{"channel":"a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#;

fn world() -> World {
    World::new(book(|book| {
        book.without_namespace = ChannelOptions {
            history_meta_ttl: crate::Span::seconds(60),
            join_leave: true,
            force_push_join_leave: true,
            ..kept()
        };
        book.namespaces = vec![namespace("forced", ChannelOptions { force_recovery: true, ..kept() })];
    }))
}

/// More is held than is kept for anybody.
fn flood(world: &World, channel: &str) {
    let text = format!("\"{}\"", "x".repeat(300_000));
    for _ in 0..4 {
        drop(world.node.publish(channel, publish(json(&text), world.keep(channel))));
    }
    world.locals[0].deliver();
}

#[test]
fn what_is_too_much_to_hold_is_lost_and_told() {
    for held in [r#","recoverable":true"#, ""] {
        let world = world();
        world.desk.slow_down(&["history", "watch"]);
        let mut client = Client::connected(&world);
        client.say(&format!(r#"{{"id":2,"subscribe":{{"channel":"a"{held}}}}}"#));
        world.desk.do_next();
        client.turn();
        flood(&world, "a");
        world.desk.do_next();
        let heard = client.turn();
        let lines: Vec<_> = heard.lines().collect();
        match held {
            // Without a history to read, it is not held for so long.
            "" => assert_eq!((lines.len(), heard.contains("unsubscribe")), (4, false)),
            _ => assert_eq!((lines.len(), lines[1]), (2, LOST), "after the answer, and no more"),
        }
        world.desk.slow_down(&[]);
        let heard = client.say(r#"{"id":3,"unsubscribe":{"channel":"a"}}"#);
        assert!(heard.ends_with(r#"{"id":3,"unsubscribe":{}}"#));
    }
}

#[test]
fn another_stream_is_a_loss() {
    let world = world();
    publish_in(&world, "a", "1");
    let mut client = Client::connected(&world);
    client.say(r#"{"id":2,"subscribe":{"channel":"a","recoverable":true}}"#);
    let mut other = Client::connected(&world);
    other.subscribe("a");
    client.turn();
    other.turn();
    world.clock.advance(61_000);
    publish_in(&world, "a", "2");
    world.locals[0].deliver();
    client.peer.session().handle_deadline(world.now(), false);
    client.peer.work(world.now());
    client.peer.say();
    let heard = client.heard();
    assert!(heard.ends_with(LOST), "{heard}");
    assert!(other.heard().contains(r#""data":2"#), "without a position there is nothing to be missed");
    assert_eq!(client.peer.session().channels().len(), 0);
}

#[test]
fn what_the_server_subscribed_to_is_lost_with_the_connection() {
    let world = World::new(book(|book| {
        book.without_namespace =
            ChannelOptions { history_meta_ttl: crate::Span::seconds(60), force_recovery: true, ..kept() };
        book.client.ping_interval = crate::Span::ZERO;
    }));
    publish_in(&world, "a", "1");
    let mut client = Client::connected_with(&world, r#"{"subs":{"a":{}}}"#);
    world.pass(61.0);
    publish_in(&world, "a", "2");
    assert_eq!(client.turn(), "3010");
    world.assert_vacant();
}

/// A client that sends everything at once: what was lost of its first subscription has nothing to do with its second.
#[test]
fn a_loss_concerns_the_subscription_that_it_was_in() {
    let world = world();
    world.desk.slow_down(&["history"]);
    let mut client = Client::connected(&world);
    let subscribe = r#"{"id":2,"subscribe":{"channel":"a","recoverable":true}}"#;
    client.peer.receive(subscribe);
    client.turn();
    client.peer.receive(format!("{{\"id\":3,\"unsubscribe\":{{\"channel\":\"a\"}}}}\n{subscribe}"));
    flood(&world, "a");
    world.desk.do_next();
    client.turn();
    world.desk.slow_down(&[]);
    while world.desk.do_next().is_some() {}
    let heard = client.turn();
    assert!(!heard.contains("2500"), "{}", &heard[..heard.len().min(500)]);
    assert_eq!(client.peer.session().channels().len(), 1);
}

/// The answer to a subscription lets through what was held for that one, not for the next one in the channel, whose answer is
/// still to come.
#[test]
fn what_is_held_for_a_subscription_waits_for_its_answer() {
    let world = world();
    let mut client = Client::connected(&world);
    let commands = [
        r#"{"id":2,"subscribe":{"channel":"a","recoverable":true}}"#,
        r#"{"id":3,"unsubscribe":{"channel":"a"}}"#,
        r#"{"id":4,"subscribe":{"channel":"a","recoverable":true}}"#,
        r#"{"id":5,"subscribe":{"channel":"forced:b"}}"#,
    ];
    let engine = std::sync::Arc::clone(&world.engine);
    // Somebody publishes while the last command is worked on, which has the worker deliver.
    world.desk.slow_down(&["watch"]);
    client.peer.receive(commands.join("\n"));
    for _ in 0..2 {
        client.peer.work(world.now());
        world.desk.do_next();
        client.peer.work(world.now());
        while world.desk.do_next().is_some_and(|kind| kind != "unwatch") {}
    }
    client.peer.work(world.now());
    world.node.publish("a", publish(json("1"), world.keep("a")));
    drop(engine.announce("a", Event::Join(ClientInfo::default().into())));
    world.locals[0].deliver();
    while world.desk.do_next().is_some() {
        client.peer.work(world.now());
    }
    client.peer.say();
    let heard = client.heard();
    let answer = heard.find(r#"{"id":4,"subscribe""#).unwrap();
    let push = heard.find(r#""pub":"#).unwrap();
    assert!(answer < push, "{heard}");
    assert_eq!(client.peer.encoding, Encoding::Json);
}
