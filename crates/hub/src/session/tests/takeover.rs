//! Who may go on with a session, and what holds then.

use serde_json::{Value, json};

use super::common::{Heard, Peer, World, WorldParts, token};
use super::resume::{again, world, world_with};
use super::{Client, book};
use crate::backend::ConnectGrant;
use crate::channels::{Control, Order, TokenWhom, Whom};
use crate::options::PersonalChannel;
use crate::protocol::{Disconnect, Encoding};
use crate::session::Transport;

/// A request with a token of this user, with more claims.
fn of(user: &str, claims: Value) -> Value {
    let mut all = claims;
    all["sub"] = user.into();
    json!({ "token": token(&all) })
}

/// The same, to go on with a session.
fn again_as(user: &str, claims: Value, secret: &str, ack: u64) -> Value {
    let mut request = again(secret, ack);
    request["token"] = of(user, claims)["token"].clone();
    request
}

fn refusals(world: &World) -> u64 {
    world.node.metrics().not_resumed.value()
}

#[test]
fn who_cannot_go_on_gets_a_session_of_its_own() {
    let world = world();
    let (mut ada, of_ada) = Client::with_session(&world, of("ada", json!({})));
    let (mut nobody, of_nobody) = Client::with_session(&world, json!({}));
    let (gone, of_gone) = Client::with_session(&world, of("ada", json!({})));
    drop(gone);
    let mut fleeting = Client::on(&world, Transport::HttpStream);
    let of_fleeting = fleeting.connect(&of("ada", json!({})))["session"].as_str().unwrap().to_owned();
    let cases = [
        ("another user's", again_as("bob", json!({}), &of_ada, 0)),
        ("nobody's", again(&of_ada, 0)),
        ("somebody's", again_as("ada", json!({}), &of_nobody, 0)),
        ("unknown", again_as("ada", json!({}), "__________________AAAA", 0)),
        ("over", again_as("ada", json!({}), &of_gone, 0)),
        ("one that does not wait", again_as("ada", json!({}), &of_fleeting, 0)),
    ];
    for (index, (name, request)) in cases.into_iter().enumerate() {
        let mut client = Client::new(&world);
        let connected = client.connect(&request);
        assert_eq!(connected["client"], client.id(), "{name}");
        assert!(connected.get("resumed").is_none() && connected.get("n").is_none(), "{name}: {connected}");
        assert_ne!(connected["session"], request["session"], "{name}");
        assert_eq!(refusals(&world), index as u64 + 1, "{name}");
        assert_eq!(client.say(r#"{"id":2,"ping":{},"n":1}"#), r#"{"id":2,"ping":{}}"#, "{name}");
    }
    // Another encoding.
    let mut peer = Peer::new(&world, 0, Encoding::Protobuf);
    let request: crate::protocol::ConnectRequest = serde_json::from_value(again(&of_nobody, 0)).unwrap();
    let mut command = super::common::command(1);
    command.connect = Some(Box::new(request));
    peer.receive(super::common::encode(&command, Encoding::Protobuf));
    peer.turn(&world);
    assert!(matches!(peer.take().as_slice(), [Heard::Aside(_)]));
    assert_eq!(refusals(&world), 7);
    // Who does not ask for a session does not get one by its secret.
    let mut plain = Client::new(&world);
    assert!(plain.connect(&json!({ "session": of_nobody })).get("session").is_none());
    // Nobody noticed.
    for client in [&mut ada, &mut nobody] {
        assert_eq!(client.say(r#"{"id":2,"ping":{},"n":1}"#), r#"{"id":2,"ping":{}}"#);
    }
    assert_eq!(fleeting.say(r#"{"id":2,"ping":{}}"#), r#"{"id":2,"ping":{}}"#);
    assert_eq!(world.node.metrics().resumed.value(), 0);
}

#[test]
fn what_proves_who_the_client_is_holds_from_then_on() {
    let world = world();
    let expires =
        |after: u64, id: &str| json!({ "exp": world.unix() + after, "jti": id, "info": { "of": id } });
    let (mut ada, secret) = Client::with_session(&world, of("ada", expires(100, "first")));
    ada.say(r#"{"id":2,"subscribe":{"channel":"seen:a"},"n":1}"#);
    assert_eq!(&*world.engine.present("seen:a")[0].conn_info, br#"{"of":"first"}"#);
    world.pass(50.0);
    ada.lose();
    let request = again_as("ada", expires(300, "second"), &secret, 1);
    let (answer, _) = ada.go_on(Client::new(&world), &request);
    assert_eq!((&answer["expires"], &answer["ttl"]), (&json!(true), &json!(300)));
    assert_eq!(&*world.engine.present("seen:a")[0].conn_info, br#"{"of":"second"}"#);
    // The first token would have ended it by now, had the second not come.
    world.pass(90.0);
    ada.turn();
    ada.say("{}");
    assert!(!ada.peer.session().is_ended());
    let order = |id: &str| {
        let whom =
            Whom { user: Some("ada".into()), token: Some(TokenWhom::Id(id.into())), ..Whom::default() };
        world.node.hub().control(Control { whom, order: Order::Disconnect(Disconnect::FORCE_RECONNECT) });
        world.locals[0].deliver();
    };
    order("first");
    assert_eq!(ada.turn(), "");
    order("second");
    assert_eq!(ada.turn(), "3011");
}

#[test]
fn a_session_ends_with_the_token_that_it_went_on_with() {
    let world = world();
    let (mut ada, secret) = Client::with_session(&world, of("ada", json!({ "exp": world.unix() + 1000 })));
    let request = again_as("ada", json!({ "exp": world.unix() + 10 }), &secret, 0);
    assert_eq!(ada.go_on(Client::new(&world), &request).0["ttl"], 10);
    ada.lose();
    world.pass(34.9);
    assert_eq!(ada.turn(), "");
    world.pass(0.1);
    ada.turn();
    assert!(ada.peer.session().is_ended());
    let ends = world.node.metrics().disconnects.values().find(|(code, _)| *code == Some(3005));
    assert_eq!(ends.map(|(_, count)| count), Some(1));
}

#[test]
fn a_token_with_other_channels_begins_anew() {
    let world = world();
    let subs = |names: &[&str]| {
        let subs: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
        json!({ "subs": subs })
    };
    for (channels, goes) in [(["a"].as_slice(), true), (&[], false), (&["a", "b"], false), (&["b"], false)] {
        let (mut ada, secret) = Client::with_session(&world, of("ada", subs(&["a"])));
        let mut new = Client::new(&world);
        new.peer
            .receive(json!({ "id": 7, "connect": again_as("ada", subs(channels), &secret, 0) }).to_string());
        new.peer.turn(&world);
        let Some(Heard::TakeOver(take_over)) = new.peer.take().pop() else { panic!("{channels:?}") };
        ada.peer.take_over(&world, *take_over);
        assert_eq!(ada.turn().ends_with("\n3010"), !goes, "{channels:?}");
        assert_eq!(ada.peer.session().is_ended(), !goes, "{channels:?}");
    }
}

#[test]
fn a_token_that_is_not_taken_leaves_the_session_as_it_is() {
    let world = world();
    let (mut ada, secret) = Client::with_session(&world, of("ada", json!({})));
    let expired = again_as("ada", json!({ "exp": world.unix() - 1 }), &secret, 0);
    let mut forged = again(&secret, 0);
    forged["token"] = "a.b.c".into();
    for (request, expected) in [(expired, r#""code":109"#), (forged, "3500")] {
        let heard = Client::new(&world).say(&json!({ "id": 1, "connect": request }).to_string());
        assert!(heard.contains(expected), "{heard}");
    }
    assert_eq!(ada.say(r#"{"id":2,"ping":{},"n":1}"#), r#"{"id":2,"ping":{}}"#);
}

#[test]
fn the_backend_is_asked_again() {
    let world = world_with(|book| book.client.connect_proxy_enabled = true);
    let says = |user: &str, data: &'static str| {
        let grant = ConnectGrant { user: user.into(), data: data.into(), ..ConnectGrant::default() };
        world.application.answers(|answers| answers.connect = Ok(grant));
    };
    says("ada", "1");
    let (mut ada, secret) = Client::with_session(&world, json!({}));
    world.application.asked();
    says("ada", "2");
    let (answer, _) = ada.go_on(Client::new(&world), &again(&secret, 0));
    assert_eq!((&answer["resumed"], &answer["data"]), (&json!(true), &json!(2)));
    assert_eq!(world.application.asked().len(), 1);
    says("bob", "3");
    let mut bob = Client::new(&world);
    assert!(bob.connect(&again(&secret, 0)).get("resumed").is_none());
    assert_eq!((&*bob.peer.session().user(), &*ada.peer.session().user()), ("bob", "ada"));
    // Its answer may come when the session has ended.
    says("ada", "4");
    world.desk.slow_down(&["connect"]);
    let mut late = Client::new(&world);
    assert_eq!(late.say(&json!({ "id": 1, "connect": again(&secret, 0) }).to_string()), "");
    ada.peer.hang_up();
    world.desk.do_next();
    assert!(!late.turn().contains("resumed"));
}

#[test]
fn a_take_over_is_no_other_connection() {
    let world = world_with(|book| {
        book.client.user_connection_limit = 1;
        book.client.personal_channel =
            PersonalChannel { enabled: true, single_connection: true, ..PersonalChannel::default() };
    });
    let (mut ada, secret) = Client::with_session(&world, of("ada", json!({})));
    ada.lose();
    let (answer, _) = ada.go_on(Client::new(&world), &again_as("ada", json!({}), &secret, 0));
    assert_eq!(answer["resumed"], true);
    world.locals[0].deliver();
    assert_eq!(ada.turn(), "");
    assert_eq!((world.node.users(), world.node.metrics().clients.value()), (1, 1));
    drop(ada);
    world.assert_vacant();
}

/// Each connects before it hears of the other.
#[test]
fn of_two_connections_that_come_at_once_one_stays() {
    let single = PersonalChannel { enabled: true, single_connection: true, ..PersonalChannel::default() };
    let book = book(|book| book.client.personal_channel = single);
    let world = World::with(WorldParts { book, workers: 2, ..WorldParts::default() });
    let connect = json!({ "id": 1, "connect": of("ada", json!({})) }).to_string();
    let mut peers = [0, 1, 0].map(|worker| Peer::new(&world, worker, Encoding::Json));
    for peer in &mut peers {
        peer.receive(connect.clone());
        // A turn without a delivery: the other worker has had no time.
        peer.work(world.now());
    }
    let [first, second, third] = &mut peers;
    world.settle(&mut [first, second, third]);
    let ended = peers.each_ref().map(|peer| match peer.take().last() {
        Some(Heard::End(disconnect)) => Some(disconnect.code),
        _ => None,
    });
    assert_eq!(ended, [Some(3504), Some(3504), None], "the last stays");
}

#[test]
fn what_the_client_lacks_must_be_kept() {
    let world = world_with(|book| book.client.queue_max_size = 300);
    let (mut ada, secret) = Client::with_session(&world, json!({}));
    for n in 1..=20 {
        let ping = json!({ "id": n, "ping": {}, "n": n }).to_string();
        ada.peer.receive(ping);
    }
    ada.turn();
    let kept = ada.peer.kept();
    assert!((10..20).contains(&kept), "{kept}");
    let (answer, rest) = ada.go_on(Client::new(&world), &again(&secret, 20 - kept));
    assert_eq!((&answer["n"], rest.lines().count() as u64), (&json!(20), kept));
    for ack in [20 - kept - 1, 21] {
        let (mut ada, secret) = Client::with_session(&world, json!({}));
        for n in 1..=20 {
            ada.peer.receive(json!({ "id": n, "ping": {}, "n": n }).to_string());
        }
        ada.turn();
        let mut new = Client::new(&world);
        new.peer.receive(json!({ "id": 7, "connect": again(&secret, ack) }).to_string());
        new.peer.turn(&world);
        let Some(Heard::TakeOver(take_over)) = new.peer.take().pop() else { panic!("{ack}") };
        ada.peer.take_over(&world, *take_over);
        assert_eq!(ada.turn(), "3010", "{ack}");
    }
}

#[test]
fn a_session_of_a_refused_connect_is_none() {
    let world = world_with(|book| book.client.connect_proxy_enabled = true);
    let subs = [("no:such".to_owned(), Default::default())].into();
    let grant = ConnectGrant { subs, ..ConnectGrant::default() };
    world.application.answers(|answers| answers.connect = Ok(grant));
    let mut client = Client::new(&world);
    let heard = client.say(r#"{"id":1,"connect":{"ext":{"session":1}}}"#);
    assert!(heard.contains(r#""code":102"#), "{heard}");
    assert!(world.node.directory().is_empty());
    assert!(client.peer.session().tie().secret().is_none());
    world.pass(10.0);
    assert_eq!(client.turn(), "3502");
    world.assert_vacant();
}
