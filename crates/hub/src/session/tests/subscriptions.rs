//! Subscribing: who may, what is promised, what is delivered.

use serde_json::json;

use super::common::{Peer, Seen, View, World, token};
use super::{Client, book, kept, namespace, open, publication, publish_in};
use crate::backend::{Overrides, SubscribeGrant};
use crate::engine::{Keep, Publish};
use crate::filter::FilterNode;
use crate::options::{ChannelOptions, DeltaType};
use crate::protocol::{ClientError, ConnectRequest, Encoding, Refusal, SubscribeRequest};

fn world() -> World {
    World::new(book(|book| {
        book.namespaces = vec![
            namespace("kept", kept()),
            namespace("seen", ChannelOptions { presence: true, join_leave: true, ..open() }),
            namespace("told", ChannelOptions { join_leave: true, force_push_join_leave: true, ..open() }),
            namespace("hook", ChannelOptions { subscribe_proxy_enabled: true, ..open() }),
            namespace(
                "shut",
                ChannelOptions {
                    history_size: 5,
                    history_ttl: crate::Span::seconds(9),
                    ..Default::default()
                },
            ),
        ];
    }))
}

/// What a subscription is said to be.
fn promised(heard: &str) -> (bool, bool) {
    (heard.contains(r#""positioned":true"#), heard.contains(r#""recoverable":true"#))
}

#[test]
fn a_subscription_is_what_was_asked_for_as_far_as_that_is_allowed() {
    let world = world();
    for (channel, request, expected) in [
        ("kept:a", "", (false, false)),
        ("kept:a", r#","positioned":true"#, (true, false)),
        ("kept:a", r#","recoverable":true"#, (true, true)),
        ("kept:a", r#","recover":true,"offset":1"#, (false, false)),
    ] {
        let heard = Client::connected(&world)
            .say(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"{request}}}}}"#));
        assert!(heard.contains(r#""subscribe":{"#), "{heard}");
        assert_eq!(promised(&heard), expected, "{request}");
    }
    // What a token or the options say counts without being asked for.
    let overrides = Overrides { force_recovery: Some(true), ..Overrides::default() };
    let grant = SubscribeGrant { overrides, data: "{\"x\":1}".into(), ..SubscribeGrant::default() };
    world.application.answers(|answers| answers.subscribe = Ok(grant));
    let heard = Client::connected(&world).say(r#"{"id":2,"subscribe":{"channel":"hook:a"}}"#);
    assert_eq!(promised(&heard), (true, true));
    assert!(heard.contains(r#""data":{"x":1}"#), "{heard}");
    assert_eq!(world.application.asked(), ["subscribe  hook:a"]);
}

#[test]
fn the_backend_may_refuse() {
    let world = world();
    for (refusal, heard) in [
        (
            Refusal::Error(ClientError::INTERNAL),
            r#"{"id":2,"error":{"code":100,"message":"internal server error","temporary":true}}"#,
        ),
        (Refusal::Disconnect(crate::protocol::Disconnect { code: 4001, reason: "no".into() }), "4001"),
    ] {
        world.application.answers(|answers| answers.subscribe = Err(refusal));
        let mut client = Client::connected(&world);
        assert_eq!(client.say(r#"{"id":2,"subscribe":{"channel":"hook:a"}}"#), heard);
    }
    world.assert_vacant();
}

#[test]
fn a_token_opens_its_channel_to_its_user() {
    let world = world();
    let connect = token(&json!({ "sub": "ada" }));
    let until = world.unix() + 60;
    let denied = r#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#;
    let expired = r#"{"id":2,"error":{"code":109,"message":"token expired"}}"#;
    for (claims, channel, heard) in [
        (json!({ "sub": "ada", "channel": "$a" }), "$a", r#"{"id":2,"subscribe":{}}"#),
        (json!({ "sub": "ada", "channel": "shut:a" }), "shut:a", r#"{"id":2,"subscribe":{}}"#),
        (
            json!({ "sub": "ada", "channel": "$a", "exp": until }),
            "$a",
            r#"{"id":2,"subscribe":{"expires":true,"ttl":60}}"#,
        ),
        (json!({ "sub": "ada", "channel": "$b" }), "$a", "3500"),
        (json!({ "sub": "bob", "channel": "$a" }), "$a", "3500"),
        (json!({ "sub": "ada", "channel": "$a", "client": "other" }), "$a", "3500"),
        (json!({ "sub": "ada", "channel": "$a", "exp": 1000 }), "$a", expired),
    ] {
        let mut client = Client::connected_with(&world, &json!({ "token": connect }).to_string());
        let request = json!({ "id": 2, "subscribe": { "channel": channel, "token": token(&claims) } });
        assert_eq!(client.say(&request.to_string()), heard, "{claims}");
    }
    let mut client = Client::connected_with(&world, &json!({ "token": connect }).to_string());
    assert_eq!(client.say(r#"{"id":2,"subscribe":{"channel":"$a","token":"junk"}}"#), denied);
    world.node.revocations().revoke_user("ada", world.unix(), until).unwrap();
    let request = json!({ "id": 2, "subscribe": { "channel": "$a", "token": token(&json!({ "sub": "ada", "channel": "$a" })) } });
    assert_eq!(client.say(&request.to_string()), "3500", "all of the user's tokens are revoked");
}

#[test]
fn channels_of_a_client_are_limited() {
    let world = World::new(book(|book| book.client.channel_limit = 2));
    let mut client = Client::connected(&world);
    for (channel, answer) in [
        ("a", r#""subscribe":{}"#),
        ("b", r#""subscribe":{}"#),
        ("c", r#""error":{"code":106,"message":"limit exceeded"}"#),
    ] {
        let heard = client.say(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#));
        assert_eq!(heard, format!(r#"{{"id":2,{answer}}}"#));
    }
    client.say(r#"{"id":3,"unsubscribe":{"channel":"a"}}"#);
    client.subscribe("c");
    drop(client);
    world.assert_vacant();
}

#[test]
fn connections_of_a_user_are_limited() {
    let world = World::new(book(|book| book.client.user_connection_limit = 1));
    let request = json!({ "token": token(&json!({ "sub": "ada" })) }).to_string();
    let first = Client::connected_with(&world, &request);
    let connect = format!(r#"{{"id":1,"connect":{request}}}"#);
    assert_eq!(Client::new(&world).say(&connect), "3504");
    assert_eq!(world.node.users(), 1);
    drop(first);
    Client::connected_with(&world, &request);
    // Nobody knows whose the anonymous ones are.
    let _both = (Client::connected(&world), Client::connected(&world));
}

#[test]
fn who_joins_and_leaves_is_told_and_seen() {
    let world = world();
    let (mut ada, mut bob) = (Client::connected(&world), Client::connected(&world));
    ada.say(r#"{"id":2,"subscribe":{"channel":"seen:a","join_leave":true}}"#);
    bob.subscribe("seen:a");
    let push = |kind: &str, who: &Client<'_>| {
        let id = who.id();
        format!(r#"{{"push":{{"channel":"seen:a","{kind}":{{"info":{{"user":"","client":"{id}"}}}}}}}}"#)
    };
    assert_eq!(ada.turn(), push("join", &bob));
    let heard = bob.say(r#"{"id":3,"presence_stats":{"channel":"seen:a"}}"#);
    assert_eq!(heard, r#"{"id":3,"presence_stats":{"num_clients":2,"num_users":1}}"#);
    let heard = bob.say(r#"{"id":4,"presence":{"channel":"seen:a"}}"#);
    assert!(heard.contains(&ada.id()) && heard.contains(&bob.id()), "{heard}");
    bob.peer.hang_up();
    assert_eq!(ada.turn(), push("leave", &bob));
    let heard = ada.say(r#"{"id":3,"presence_stats":{"channel":"seen:a"}}"#);
    assert_eq!(heard, r#"{"id":3,"presence_stats":{"num_clients":1,"num_users":1}}"#);
    // Forced, nobody has to ask.
    let mut carl = Client::connected(&world);
    carl.subscribe("told:a");
    ada.subscribe("told:a");
    assert_eq!(carl.turn(), push("join", &ada).replace("seen:a", "told:a"));
}

/// A client that knows the rules of the protocol, in either encoding.
struct Reader {
    peer: Peer,
    view: View,
}

impl Reader {
    fn new(world: &World, encoding: Encoding) -> Self {
        let (peer, mut view) = (Peer::new(world, 0, encoding), View::new(encoding));
        peer.receive(view.connect(ConnectRequest::default()));
        let mut reader = Self { peer, view };
        reader.turn(world);
        reader
    }

    fn turn(&mut self, world: &World) {
        self.peer.turn(world);
        self.view.hear_all(&self.peer.take());
    }

    fn subscribe(&mut self, world: &World, request: SubscribeRequest) {
        self.peer.receive(self.view.subscribe(request));
        self.turn(world);
    }

    fn data(&self, channel: &str) -> Vec<String> {
        let data = |seen: &Seen| match seen {
            Seen::Publication { data, .. } => Some(String::from_utf8(data.to_vec()).unwrap()),
            _ => None,
        };
        self.view.seen(channel).iter().filter_map(data).collect()
    }
}

fn text(number: u64) -> String {
    format!(r#"{{"number":{number},"text":"long enough that a difference is the shorter of the two"}}"#)
}

/// A publication that is not kept lies between two others, of which the later must not be a difference to the earlier.
#[test]
fn differences_make_what_was_published() {
    let options = ChannelOptions {
        allowed_delta_types: vec![DeltaType::Fossil],
        delta_publish: true,
        allow_tags_filter: true,
        ..kept()
    };
    let world = World::new(book(|book| book.without_namespace = options));
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        let channel = format!("{encoding:?}");
        let request = SubscribeRequest {
            channel: channel.clone(),
            recoverable: true,
            delta: "fossil".into(),
            ..SubscribeRequest::default()
        };
        let filter = FilterNode { key: "odd".into(), cmp: "ex".into(), ..FilterNode::default() };
        let mut reader = Reader::new(&world, encoding);
        let mut chooser = Reader::new(&world, encoding);
        let mut late = Reader::new(&world, encoding);
        reader.subscribe(&world, request.clone());
        chooser.subscribe(&world, SubscribeRequest { tf: Some(filter), ..request.clone() });
        late.view.assume(&channel, reader.view.position(&channel).unwrap().clone());
        for number in 1..=6 {
            let mut publish = publication(&world, &channel, &text(number));
            if number == 3 {
                publish.keep = Keep::default();
            }
            if number % 2 == 1 {
                publish.tags.insert("odd".into(), "1".into());
            }
            world.publish(&channel, publish);
        }
        reader.turn(&world);
        chooser.turn(&world);
        late.subscribe(&world, request);
        publish_in(&world, &channel, &text(7));
        reader.turn(&world);
        late.turn(&world);
        let texts = |numbers: &[u64]| numbers.iter().map(|number| text(*number)).collect::<Vec<_>>();
        assert_eq!(reader.data(&channel), texts(&[1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(chooser.data(&channel), texts(&[1, 3, 5]));
        assert_eq!(late.data(&channel), texts(&[1, 2, 4, 5, 6, 7]), "what was not kept is not recovered");
    }
}

#[test]
fn differences_are_sent_where_they_are_shorter() {
    let options =
        ChannelOptions { allowed_delta_types: vec![DeltaType::Fossil], delta_publish: true, ..kept() };
    let world = World::new(book(|book| book.without_namespace = options));
    let mut client = Client::connected(&world);
    client.say(r#"{"id":2,"subscribe":{"channel":"a","delta":"fossil"}}"#);
    let publish = |data: &str| world.publish("a", Publish { delta: true, ..publication(&world, "a", data) });
    for (data, is_delta) in [(text(1), false), (text(2), true), ("1".to_owned(), false), (text(3), false)] {
        publish(&data);
        let heard = client.turn();
        assert_eq!(heard.contains(r#""delta":true"#), is_delta, "{heard}");
    }
}
