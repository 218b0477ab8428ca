//! Which connections are listed, and what is said of each.

use std::time::Duration;

use super::*;

/// What clients a list has, by the users' ids.
fn users(page: &Page) -> Vec<&str> {
    page.connections.iter().map(|connection| &*connection.user).collect()
}

fn query(change: impl FnOnce(&mut Query)) -> Query {
    let mut query = Query::default();
    change(&mut query);
    query
}

#[test]
fn the_newest_come_first_whichever_worker_has_them() {
    let world = world(3);
    let peers: Vec<_> = ["a", "b", "c", "d", "e"]
        .iter()
        .enumerate()
        .map(|(n, user)| connected(&world, n % 3, of(user)))
        .collect();
    let page = list(&world, Query::default());
    assert_eq!((users(&page), page.total, page.next), (vec!["e", "d", "c", "b", "a"], 5, None));
    let first = list(&world, Query { limit: 2, ..Query::default() });
    assert_eq!((users(&first), first.total), (vec!["e", "d"], 5));
    let second = list(&world, Query { limit: 2, after: first.next, ..Query::default() });
    assert_eq!((users(&second), second.total), (vec!["c", "b"], 5));
    let third = list(&world, Query { limit: 2, after: second.next, ..Query::default() });
    assert_eq!((users(&third), third.next), (vec!["a"], None));
    drop(peers);
    assert_eq!(list(&world, Query::default()), Page::default());
}

#[test]
fn who_has_not_connected_is_not_listed() {
    let world = world(1);
    let _fresh = Peer::new(&world, 0, Encoding::Json);
    let mut refused = Peer::new(&world, 0, Encoding::Json);
    say(&world, &mut refused, &json!({ "id": 1, "connect": { "token": "no token" } }));
    assert_eq!(list(&world, Query::default()).total, 0);
}

#[test]
fn each_condition_narrows_the_list() {
    let world = world(2);
    let address = |text: &str| Some(text.parse().unwrap());
    let mut ada = connected_from(&world, 0, origin(Transport::WebSocket, address("10.0.0.1")), of("ada"));
    let mut bob = connected_from(&world, 1, origin(Transport::Sse, address("10.0.12.2")), of("Bobby"));
    let mut cy = connected_from(&world, 0, origin(Transport::Poll, address("::ffff:192.0.2.7")), of("cy"));
    let named = json!({ "name": "Gadget", "version": "1.2" });
    let anonymous = connected_from(&world, 1, origin(Transport::WebSocket, None), named);
    subscribe(&world, &mut ada, "news");
    for channel in ["news", "Sport-bob"] {
        say(&world, &mut bob, &json!({ "id": 2, "subscribe": { "channel": channel } }));
    }
    say(&world, &mut cy, &json!({ "id": 2, "n": 1, "subscribe": { "channel": "newspaper" } }));
    let id = ada.session().id().to_string();
    let cases: [(&str, Query, &[&str]); 24] = [
        ("all", Query::default(), &["", "cy", "Bobby", "ada"]),
        ("search: a user", query(|it| it.search = "AD".into()), &["", "ada"]),
        (
            "search: a connection",
            query(|it| it.search = id[..24].to_uppercase()),
            &["", "cy", "Bobby", "ada"],
        ),
        ("search: its whole id", query(|it| it.search.clone_from(&id)), &["ada"]),
        ("search: a program", query(|it| it.search = "gadget".into()), &[""]),
        ("search: not its version", query(|it| it.search = "1.2".into()), &[]),
        ("search: an address", query(|it| it.search = "0.12.".into()), &["Bobby"]),
        ("search: channels", query(|it| it.search = "EWS".into()), &["cy", "Bobby", "ada"]),
        ("search: nothing", query(|it| it.search = "nobody".into()), &[]),
        ("user", query(|it| it.user = "ada".into()), &["ada"]),
        ("user: exactly", query(|it| it.user = "Ada".into()), &[]),
        ("client", query(|it| it.client.clone_from(&id)), &["ada"]),
        ("client: exactly", query(|it| it.client = id[..8].into()), &[]),
        ("channel", query(|it| it.channel = "news".into()), &["Bobby", "ada"]),
        ("channel: exactly", query(|it| it.channel = "sport-bob".into()), &[]),
        ("address", query(|it| it.address = "10.0.0.1".into()), &["ada"]),
        ("address: its beginning", query(|it| it.address = "10.0.".into()), &["Bobby", "ada"]),
        ("address: in IPv4", query(|it| it.address = "192.0.2.".into()), &["cy"]),
        ("address: not its end", query(|it| it.address = "0.0.1".into()), &[]),
        ("transport", query(|it| it.transport = Some(Transport::WebSocket)), &["", "ada"]),
        ("transport: none", query(|it| it.transport = Some(Transport::EventSource)), &[]),
        ("two", query(|it| (it.channel, it.search) = ("news".into(), "sport".into())), &["Bobby"]),
        ("two of which one fails", query(|it| (it.user, it.client) = ("cy".into(), id.clone())), &[]),
        ("user and channel", query(|it| (it.user, it.channel) = ("cy".into(), "newspaper".into())), &["cy"]),
    ];
    for (name, query, expected) in cases {
        let page = list(&world, query);
        assert_eq!((users(&page), page.total), (expected.to_vec(), expected.len()), "{name}");
    }
    drop(anonymous);
}

#[test]
fn a_row_says_what_there_is_to_say() {
    let world = world(1);
    world.pass(100.0);
    let mut request = of("ada");
    request["name"] = json!("js");
    request["version"] = json!("é".repeat(40));
    let from = origin(Transport::WebSocket, Some([10, 0, 0, 1].into()));
    let mut ada = connected_from(&world, 0, from, request);
    subscribe(&world, &mut ada, "news");
    let row = list(&world, Query::default()).connections.remove(0);
    assert_eq!((&row.client, &*row.user), (ada.session().id(), "ada"));
    assert_eq!((&*row.name, &*row.version), ("js", &*"é".repeat(32)));
    assert_eq!((row.transport, row.encoding), (Transport::WebSocket, Encoding::Json));
    assert_eq!((row.address, row.connected_at), (Some([10, 0, 0, 1].into()), common::BEGIN + 100_000));
    assert_eq!((row.is_waiting, row.channels, row.queue_bytes), (false, 1, 0));
    assert_eq!((row.round_trip, row.is_traced), (None, false));
}

/// The client answers as soon as it hears, a quarter of a second after it was asked.
#[test]
fn the_round_trip_is_from_a_ping_to_its_answer() {
    let world = world(1);
    let mut peer = connected(&world, 0, json!({}));
    let round_trip = || list(&world, Query::default()).connections[0].round_trip;
    world.pass(12.5);
    peer.turn(&world);
    assert_eq!((heard(&peer).as_str(), round_trip()), ("{}", None));
    world.pass(0.25);
    assert_eq!(say(&world, &mut peer, &json!({})), "");
    assert_eq!(round_trip(), Some(Duration::from_millis(250)));
    world.pass(24.75);
    peer.turn(&world);
    assert_eq!(
        (heard(&peer).as_str(), round_trip()),
        ("{}", Some(Duration::from_millis(250))),
        "the last one stands"
    );
    assert_eq!(say(&world, &mut peer, &json!({})), "");
    assert_eq!(round_trip(), Some(Duration::from_micros(1)), "it took no time, and there is one");
}
