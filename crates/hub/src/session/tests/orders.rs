//! Orders of the server.

use serde_json::json;

use super::common::{World, token};
use super::{Client, book, kept, namespace, publish_in};
use crate::backend::{Overrides, SubscribeGrant};
use crate::channels::{Control, Order, TokenWhom, Whom};
use crate::options::ChannelOptions;
use crate::protocol::{Disconnect, Position, Unsubscribed};

fn world() -> World {
    World::new(book(|book| {
        book.namespaces = vec![namespace("kept", ChannelOptions { presence: true, ..kept() })];
        book.client.channel_limit = 3;
    }))
}

/// A client of a user, with a token of this id that was issued then.
fn client<'a>(world: &'a World, user: &str, id: &str, issued_at: u64) -> Client<'a> {
    let token = token(&json!({ "sub": user, "jti": id, "iat": issued_at }));
    Client::connected_with(world, &json!({ "token": token }).to_string())
}

fn whom(user: &str) -> Whom {
    Whom { user: Some(user.to_owned()), ..Whom::default() }
}

fn order(world: &World, whom: Whom, order: Order) {
    world.node.hub().control(Control { whom, order });
}

/// Whom an order is for, out of clients with these ids.
type Choice<'a> = &'a dyn Fn(&[String]) -> Whom;

#[test]
fn orders_reach_those_they_are_for() {
    let of_token =
        |user: &str, token| Whom { user: Some(user.to_owned()), token: Some(token), ..Whom::default() };
    let everybody = |token| Whom { token: Some(token), ..Whom::default() };
    // Ada has two connections, with tokens "a" of 100 and "b" of 200; Bob has one, "c" of 200; one client has none.
    let cases: [(Choice<'_>, [bool; 4]); 9] = [
        (&|_| whom("ada"), [true, true, false, false]),
        (&|_| whom(""), [false, false, false, true]),
        (&|_| Whom::default(), [false; 4]),
        (&|ids| Whom { client: Some(ids[1].clone()), ..Whom::default() }, [false, true, false, false]),
        (&|ids| Whom { client: Some(ids[1].clone()), ..whom("bob") }, [false; 4]),
        (&|ids| Whom { except: vec![ids[0].clone()], ..whom("ada") }, [false, true, false, false]),
        (&|_| of_token("ada", TokenWhom::IssuedUntil(100)), [true, false, false, false]),
        (&|_| of_token("ada", TokenWhom::Id("b".into())), [false, true, false, false]),
        (&|_| everybody(TokenWhom::Id("c".into())), [false, false, true, false]),
    ];
    for (index, (whom, expected)) in cases.into_iter().enumerate() {
        let world = world();
        let mut clients = [
            client(&world, "ada", "a", 100),
            client(&world, "ada", "b", 200),
            client(&world, "bob", "c", 200),
            Client::connected(&world),
        ];
        let ids = clients.each_ref().map(Client::id);
        order(&world, whom(&ids), Order::Disconnect(Disconnect::FORCE_RECONNECT));
        world.locals[0].deliver();
        let ended = clients.each_mut().map(|client| client.turn() == "3011");
        assert_eq!(ended, expected, "case {index}");
        drop(clients);
        world.assert_vacant();
    }
}

#[test]
fn the_server_unsubscribes() {
    let world = world();
    let mut ada = client(&world, "ada", "", 0);
    ["a", "b", "kept:c"].iter().for_each(|channel| ada.subscribe(channel));
    let reason = Unsubscribed { code: 2000, reason: "why not".into() };
    let unsubscribe =
        |channel: &str| Order::Unsubscribe { channel: channel.to_owned(), reason: reason.clone() };
    order(&world, whom("ada"), unsubscribe("a"));
    let told = |channel: &str| {
        format!(r#"{{"push":{{"channel":"{channel}","unsubscribe":{{"code":2000,"reason":"why not"}}}}}}"#)
    };
    world.locals[0].deliver();
    assert_eq!(ada.turn(), told("a"));
    order(&world, whom("ada"), unsubscribe("a"));
    world.locals[0].deliver();
    assert_eq!(ada.turn(), "", "it is not there any more");
    order(&world, whom("ada"), unsubscribe(""));
    world.locals[0].deliver();
    let mut heard: Vec<_> = ada.turn().lines().map(str::to_owned).collect();
    heard.sort();
    assert_eq!(heard, [told("b"), told("kept:c")], "of all channels");
    let unsubscribes = world.node.metrics().unsubscribes.values().filter(|(_, count)| *count > 0);
    assert_eq!(unsubscribes.collect::<Vec<_>>(), [(Some(2000), 3)]);
    assert_eq!(world.engine.everyone().len(), 0);
}

#[test]
fn the_server_subscribes() {
    let world = world();
    let mut ada = client(&world, "ada", "", 0);
    for number in 1..=3 {
        publish_in(&world, "kept:a", &number.to_string());
    }
    let epoch = world.engine.kept("kept:a", world.keep("kept:a")).position.epoch;
    let overrides = Overrides { force_recovery: Some(true), ..Overrides::default() };
    let grant = SubscribeGrant { overrides, data: "7".into(), ..SubscribeGrant::default() };
    let subscribe =
        |channel: &str, since| Order::Subscribe { channel: channel.to_owned(), grant: grant.clone(), since };
    order(&world, whom("ada"), subscribe("kept:a", Some(Position { offset: 1, epoch: epoch.clone() })));
    world.locals[0].deliver();
    publish_in(&world, "kept:a", "4");
    let heard = ada.turn();
    let lines: Vec<_> = heard.lines().collect();
    let begins = format!(
        r#"{{"push":{{"channel":"kept:a","subscribe":{{"recoverable":true,"epoch":"{epoch}","offset":1,"positioned":true,"data":7}}}}}}"#
    );
    assert_eq!(lines[0], begins);
    let offsets: Vec<_> =
        lines[1..].iter().map(|line| line.split(r#""offset":"#).nth(1).unwrap()[..1].to_owned()).collect();
    assert_eq!(offsets, ["2", "3", "4"]);
    // Again, or where it is not allowed: nothing happens.
    for channel in ["kept:a", "no:a"] {
        order(&world, whom("ada"), subscribe(channel, None));
        world.locals[0].deliver();
        assert_eq!(ada.turn(), "", "{channel}");
    }
    for channel in ["b", "c", "d"] {
        order(&world, whom("ada"), subscribe(channel, None));
    }
    world.locals[0].deliver();
    assert!(ada.turn().ends_with("3505"), "one channel too many");
    world.assert_vacant();
}

#[test]
fn the_server_refreshes_and_all_see_it() {
    let world = world();
    let mut ada = client(&world, "ada", "", 0);
    ada.subscribe("kept:a");
    let until = world.unix() + 50;
    let refresh = |expired, expire_at| Order::Refresh { expired, expire_at, info: r#"{"n":2}"#.into() };
    order(&world, whom("ada"), refresh(false, until));
    world.locals[0].deliver();
    assert_eq!(ada.turn(), r#"{"push":{"refresh":{"expires":true,"ttl":50}}}"#);
    assert_eq!(world.engine.present("kept:a")[0].conn_info, r#"{"n":2}"#, "who asks is told the new info");
    ada.say(r#"{"id":3,"publish":{"channel":"kept:a","data":1}}"#);
    let published = world.engine.kept("kept:a", world.keep("kept:a")).publications.remove(0);
    assert_eq!(published.info.as_ref().unwrap().conn_info, r#"{"n":2}"#, "and so is who hears of it");
    order(&world, whom("ada"), refresh(false, 0));
    world.locals[0].deliver();
    assert!(ada.turn().ends_with(r#"{"push":{"refresh":{}}}"#));
    for late in [refresh(true, 0), refresh(false, world.unix() - 1)] {
        let mut bob = client(&world, "bob", "", 0);
        order(&world, whom("bob"), late);
        world.locals[0].deliver();
        assert_eq!(bob.turn(), "3005");
    }
}

#[test]
fn whoever_has_not_connected_has_no_orders() {
    let world = world();
    let mut fresh = Client::new(&world);
    order(
        &world,
        Whom { client: Some(fresh.id()), ..Whom::default() },
        Order::Disconnect(Disconnect::SHUTDOWN),
    );
    world.locals[0].deliver();
    assert_eq!(fresh.turn(), "");
}

#[test]
fn a_user_with_one_connection_keeps_the_newest() {
    let world = World::new(book(|book| {
        book.namespaces =
            vec![namespace("mine", ChannelOptions { allow_user_limited_channels: true, ..kept() })];
        let personal = &mut book.client.personal_channel;
        (personal.enabled, personal.single_connection) = (true, true);
        personal.personal_channel_namespace = "mine".into();
    }));
    let mut old = client(&world, "ada", "", 0);
    assert_eq!(
        old.peer.session().channels().iter().map(|name| name.to_string()).collect::<Vec<_>>(),
        ["mine:#ada"]
    );
    let mut new = client(&world, "ada", "", 0);
    assert_eq!(old.turn(), "3504");
    assert_eq!(new.turn(), "");
}
