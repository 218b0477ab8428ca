//! Answers that come late, or never: whenever a session ends, nothing is left of it.

use serde_json::json;

use super::common::{World, token};
use super::{Client, book, kept, namespace};
use crate::backend::{ConnectGrant, RefreshAnswer, SubscribeGrant};
use crate::options::{ChannelOptions, RpcOptions};
use crate::protocol::Disconnect;

const SLOW: &[&str] = &[
    "connect",
    "refresh",
    "subscribe",
    "may publish",
    "sub_refresh",
    "rpc",
    "publish",
    "history",
    "watch",
    "unwatch",
    "announce",
    "add",
    "remove",
    "list",
    "stats",
];

fn world() -> World {
    let world = World::new(book(|book| {
        let hook = ChannelOptions {
            presence: true,
            join_leave: true,
            force_recovery: true,
            subscribe_proxy_enabled: true,
            publish_proxy_enabled: true,
            sub_refresh_proxy_enabled: true,
            ..kept()
        };
        let mine = ChannelOptions { allow_user_limited_channels: true, ..hook.clone() };
        book.namespaces = vec![namespace("hook", hook), namespace("mine", mine)];
        book.rpc_without_namespace = RpcOptions { proxy_enabled: true, ..RpcOptions::default() };
        book.client.connect_proxy_enabled = true;
        book.client.refresh_proxy_enabled = true;
        book.client.personal_channel.enabled = true;
        book.client.personal_channel.personal_channel_namespace = "mine".into();
    }));
    let until = world.unix() + 5;
    let goes = RefreshAnswer::Goes { expire_at: until + 100, info: "{}".into(), meta: "{}".into() };
    let sub = SubscribeGrant { expire_at: until, ..SubscribeGrant::default() };
    let grant = ConnectGrant {
        user: "ada".into(),
        expire_at: until,
        subs: [("hook:of grant".to_owned(), SubscribeGrant::default())].into(),
        ..ConnectGrant::default()
    };
    world.application.answers(|answers| {
        answers.connect = Ok(grant);
        answers.subscribe = Ok(sub);
        (answers.refresh, answers.sub_refresh) = (Ok(goes.clone()), Ok(goes));
    });
    world.desk.slow_down(SLOW);
    world
}

const COMMANDS: [&str; 9] = [
    r#"{"id":1,"connect":{}}"#,
    r#"{"id":2,"subscribe":{"channel":"hook:a"}}"#,
    r#"{"id":3,"publish":{"channel":"hook:a","data":1}}"#,
    r#"{"id":4,"presence":{"channel":"hook:a"}}"#,
    r#"{"id":5,"presence_stats":{"channel":"hook:a"}}"#,
    r#"{"id":6,"history":{"channel":"hook:a","limit":1}}"#,
    r#"{"id":7,"rpc":{"method":"m"}}"#,
    r#"{"id":8,"unsubscribe":{"channel":"hook:a"}}"#,
    r#"{"id":9,"subscribe":{"channel":"hook:b"}}"#,
];

/// Plays it all, with as many answers as are given. How many answers that were, and what was heard.
fn play(world: &World, client: &mut Client<'_>, answers: usize) -> (usize, String) {
    client.peer.receive(COMMANDS.join("\n"));
    let mut heard = String::new();
    let mut given = 0;
    for _ in 0..200 {
        heard += &client.turn();
        if client.peer.is_busy() {
            if given == answers {
                return (given, heard);
            }
            while client.peer.is_busy() && world.desk.do_next().is_some() {
                given += 1;
                client.peer.work(world.now());
                if given == answers {
                    break;
                }
            }
        } else {
            // Connection and subscription expire, and the backend is asked whether they go on.
            world.pass(1.0);
        }
    }
    (given, heard)
}

#[test]
fn whenever_a_session_ends_nothing_is_left() {
    let whole = world();
    let (all, heard) = play(&whole, &mut Client::new(&whole), usize::MAX);
    for id in 1..=9 {
        assert!(heard.contains(&format!("{{\"id\":{id},")), "command {id} is answered: {heard}");
    }
    let asked = whole.application.asked().join(", ");
    assert!(asked.contains("refresh ada, sub_refresh ada hook:b"), "{asked}");
    whole.assert_vacant();

    for answers in 0..all {
        for is_told in [false, true] {
            let world = world();
            let mut client = Client::new(&world);
            let (given, _) = play(&world, &mut client, answers);
            assert_eq!(given, answers);
            if is_told {
                // The session ends while its work is still there, as when the transport finds that the client is too slow.
                client.peer.session().end(Disconnect::SLOW);
                client.turn();
            }
            drop(client);
            world.assert_vacant();
        }
    }
    println!("{all} answers that may not come");
}

#[test]
fn commands_wait_for_each_other() {
    let world = world();
    world.desk.slow_down(&["rpc"]);
    let mut client = Client::connected(&world);
    assert_eq!(client.say(r#"{"id":2,"rpc":{"method":"m"}}"#), "");
    client.peer.receive(r#"{"id":3,"ping":{}}"#);
    assert_eq!(client.turn(), "");
    world.desk.do_next();
    assert_eq!(client.turn(), "{\"id\":2,\"rpc\":{\"data\":{}}}\n{\"id\":3,\"ping\":{}}");
    let _ = token(&json!({}));
}
