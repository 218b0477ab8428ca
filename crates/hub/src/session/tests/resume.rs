//! Sessions that outlive their transports.

use serde_json::{Value, json};

use super::common::{Heard, Peer, World};
use super::{Client, book, kept, namespace, publish_in};
use crate::options::ChannelOptions;
use crate::protocol::Encoding;
use crate::rules::RuleBook;
use crate::session::{NotTaken, Transport};

pub(super) fn world() -> World {
    world_with(|_| ())
}

pub(super) fn world_with(change: impl FnOnce(&mut RuleBook)) -> World {
    let seen = ChannelOptions { presence: true, join_leave: true, force_push_join_leave: true, ..kept() };
    World::new(book(|book| {
        book.namespaces = vec![namespace("kept", kept()), namespace("seen", seen)];
        change(book);
    }))
}

impl<'a> Client<'a> {
    pub(super) fn on(world: &'a World, transport: Transport) -> Self {
        Self { world, peer: Peer::on(transport, world, 0, Encoding::Json) }
    }

    /// One that has connected with this request besides asking for a session, and the secret.
    pub(super) fn with_session(world: &'a World, mut request: Value) -> (Self, String) {
        let mut client = Self::new(world);
        request["ext"] = json!({ "session": 1 });
        let connected = client.connect(&request);
        let secret = connected["session"].as_str().unwrap().to_owned();
        (client, secret)
    }

    /// The answer to this `connect`.
    pub(super) fn connect(&mut self, request: &Value) -> Value {
        let heard = self.say(&json!({ "id": 1, "connect": request }).to_string());
        let reply: Value = serde_json::from_str(&heard).unwrap_or_else(|e| panic!("{e}: {heard}"));
        reply["connect"].clone()
    }

    /// Its transport dies.
    pub(super) fn lose(&mut self) {
        assert!(self.peer.detach(self.world));
    }

    /// Goes on with the session, on the connection of `new`, which asks with this request. The answer, and what else it hears.
    pub(super) fn go_on(&mut self, mut new: Client<'_>, request: &Value) -> (Value, String) {
        new.peer.receive(json!({ "id": 7, "connect": request }).to_string());
        new.peer.turn(self.world);
        match new.peer.take().pop() {
            Some(Heard::TakeOver(take_over)) => self.peer.take_over(self.world, *take_over),
            other => panic!("{other:?}"),
        }
        let heard = self.turn();
        let (answer, rest) = heard.split_once('\n').unwrap_or((&heard, ""));
        let answer: Value = serde_json::from_str(answer).unwrap();
        assert_eq!(answer["id"], 7);
        (answer["connect"].clone(), rest.to_owned())
    }
}

/// What asks to go on with a session, of which so many messages have come.
pub(super) fn again(secret: &str, ack: u64) -> Value {
    json!({ "ext": { "session": 1 }, "session": secret, "ack": ack })
}

#[test]
fn a_session_is_for_those_who_ask_for_one() {
    let world = world();
    // Which of `session`, `node`, `ext` and `session_ttl` are told.
    let all = ["ext", "node", "session", "session_ttl"].as_slice();
    let some = ["node", "session"].as_slice();
    let cases = [
        (Transport::WebSocket, json!({}), [].as_slice()),
        (Transport::WebSocket, json!({ "ext": { "session": 0 } }), &[]),
        (Transport::WebSocket, json!({ "ext": { "other": 1 } }), &[]),
        (Transport::WebSocket, json!({ "ext": { "session": 1 } }), all),
        (Transport::WebSocket, json!({ "ext": { "session": 2, "other": 1 } }), all),
        (Transport::HttpStream, json!({}), some),
        (Transport::HttpStream, json!({ "ext": { "session": 1 } }), all),
        (Transport::Sse, json!({}), some),
        (Transport::Sse, json!({ "ext": { "session": 1 } }), all),
        (Transport::Poll, json!({}), all),
        (Transport::Poll, json!({ "ext": { "session": 1 } }), all),
    ];
    for (transport, request, expected) in cases {
        let mut client = Client::on(&world, transport);
        let connected = client.connect(&request);
        let told: Vec<_> = connected.as_object().unwrap().keys().map(String::as_str).collect();
        let of_sessions = ["ext", "node", "session", "session_ttl", "resumed", "n"];
        let told: Vec<_> = told.into_iter().filter(|key| of_sessions.contains(key)).collect();
        assert_eq!(told, expected, "{transport:?} {request}");
        if expected == all {
            assert_eq!(connected["ext"], json!({ "session": 1 }));
            assert_eq!(connected["session_ttl"], 60);
        }
        if !expected.is_empty() {
            assert_eq!(connected["node"], world.node.uid());
            let secret = connected["session"].as_str().unwrap();
            assert_eq!(secret.len(), 22, "128 bits");
            assert_eq!(world.node.directory().worker(secret), Some(0));
        }
        assert_eq!(client.peer.session().tie().is_resumable(), expected == all);
        assert_eq!(connected.get("ping").is_some(), transport != Transport::Poll, "{transport:?}");
        // Who has no session needs no numbers; who has one does.
        let heard = client.say(r#"{"id":2,"ping":{}}"#);
        let answered = r#"{"id":2,"ping":{}}"#;
        let gap = "3501";
        assert_eq!(heard, if expected == all { gap } else { answered }, "{transport:?} {request}");
        client.peer.hang_up();
        assert!(world.node.directory().is_empty());
    }
    world.assert_vacant();
}

#[test]
fn commands_are_taken_in_their_order_each_once() {
    let gap = |expected| Err(NotTaken::Gap { expected });
    let ping = |id: u32, n: u64| format!(r#"{{"id":{id},"ping":{{}},"n":{n}}}"#);
    let cases: [(&str, String, _, &[u32]); 13] = [
        ("the next", ping(1, 1), Ok(()), &[1]),
        ("the next two", format!("{}\n{}", ping(2, 2), ping(3, 3)), Ok(()), &[2, 3]),
        ("again", ping(4, 2), Ok(()), &[]),
        ("again, and the next", format!("{}\n{}", ping(3, 3), ping(4, 4)), Ok(()), &[4]),
        ("a gap", ping(6, 6), gap(5), &[]),
        ("a gap behind another", format!("{}\n{}\n{}", ping(5, 5), ping(7, 7), ping(6, 6)), gap(6), &[5]),
        ("no number", r#"{"id":6,"ping":{}}"#.to_owned(), gap(6), &[]),
        ("an ack alone", r#"{"ack":1}"#.to_owned(), Ok(()), &[]),
        ("a pong that nobody waits for", "{}".to_owned(), Ok(()), &[]),
        ("an ack and the next", format!("{{\"ack\":2}}\n{}", ping(6, 6)), Ok(()), &[6]),
        ("what cannot be read", "[]".to_owned(), Err(NotTaken::Malformed), &[]),
        ("behind what can", format!("{}\n[]", ping(7, 7)), Err(NotTaken::Malformed), &[7]),
        ("a gap before what cannot", format!("{}\n[]", ping(9, 9)), gap(8), &[]),
    ];
    let world = world();
    let (mut client, _) = Client::with_session(&world, json!({}));
    for (name, message, outcome, answered) in cases {
        assert_eq!(client.peer.session().tie().take(message.into()), outcome, "{name}");
        let expected: Vec<_> = answered.iter().map(|id| format!(r#"{{"id":{id},"ping":{{}}}}"#)).collect();
        assert_eq!(client.turn(), expected.join("\n"), "{name}");
    }
    assert_eq!(client.peer.session().tie().acked(), 2);
    assert_eq!(client.peer.kept(), 7 - 2);
}

#[test]
fn each_answer_is_one_message_and_pings_do_not_count() {
    let world = world();
    let mut client = Client::new(&world);
    let batch = [
        r#"{"id":1,"connect":{"ext":{"session":1}}}"#,
        r#"{"id":2,"ping":{},"n":1}"#,
        r#"{"id":3,"subscribe":{"channel":"a"},"n":2}"#,
        r#"{"id":4,"publish":{"channel":"a","data":1},"n":3}"#,
    ];
    client.peer.receive(batch.join("\n"));
    client.peer.turn(&world);
    world.pass(12.5);
    client.peer.turn(&world);
    let kinds: Vec<_> = client
        .peer
        .take()
        .into_iter()
        .map(|heard| match heard {
            Heard::Message(message) => (true, String::from_utf8(message.to_vec()).unwrap()),
            Heard::Aside(message) => (false, String::from_utf8(message.to_vec()).unwrap()),
            other => panic!("{other:?}"),
        })
        .collect();
    let counted: Vec<_> = kinds.iter().filter(|(counts, _)| *counts).map(|(_, text)| text.as_str()).collect();
    let expected = [
        r#"{"id":2,"ping":{}}"#,
        r#"{"id":3,"subscribe":{}}"#,
        r#"{"id":4,"publish":{}}"#,
        r#"{"push":{"channel":"a","pub":{"data":1"#,
    ];
    assert_eq!(counted.len(), expected.len());
    assert!(counted.iter().zip(expected).all(|(text, begin)| text.starts_with(begin)), "{counted:?}");
    let asides: Vec<_> = kinds.iter().filter(|(counts, _)| !counts).map(|(_, text)| text.as_str()).collect();
    assert_eq!(asides.len(), 2, "{asides:?}");
    assert!(asides[0].contains(r#""connect":{"#) && asides[1] == "{}", "{asides:?}");
    assert_eq!(client.peer.kept(), 4);
    assert_eq!(client.say(r#"{"ack":3}"#), "");
    assert_eq!(client.peer.kept(), 1);
}

#[test]
fn a_gap_behind_connect_ends_the_session() {
    let world = world();
    let mut client = Client::new(&world);
    let heard =
        client.say("{\"id\":1,\"connect\":{\"ext\":{\"session\":1}}}\n{\"id\":2,\"ping\":{},\"n\":2}");
    assert!(heard.ends_with("\n3501"), "{heard}");
    world.assert_vacant();
}

#[test]
fn a_client_that_comes_back_is_the_same_and_has_missed_nothing() {
    let world = world();
    world.told.take();
    let mut other = Client::connected(&world);
    other.subscribe("seen:a");
    let (mut client, secret) = Client::with_session(&world, json!({}));
    let id = client.id();
    client.say(r#"{"id":2,"subscribe":{"channel":"seen:a"},"n":1}"#);
    client.say(r#"{"id":3,"subscribe":{"channel":"b"},"n":2}"#);
    client.turn();
    let joined = other.turn();
    assert!(joined.contains(r#""join""#), "{joined}");
    world.told.take();

    client.lose();
    let present = world.engine.everyone();
    publish_in(&world, "b", "1");
    publish_in(&world, "seen:a", "2");
    world.locals[0].deliver();
    world.pass(59.0);
    assert_eq!(client.turn(), "", "nobody is there");
    // It had the answer to its first command, and its own join.
    let (answer, rest) = client.go_on(Client::new(&world), &again(&secret, 2));
    assert_eq!(
        (&answer["client"], &answer["session"], &answer["resumed"], &answer["n"]),
        (&json!(id), &json!(secret), &json!(true), &json!(2))
    );
    assert_eq!(answer.get("subs"), None);
    let rest: Vec<_> = rest.lines().collect();
    assert_eq!(rest[0], r#"{"id":3,"subscribe":{}}"#);
    assert!(rest[1].contains(r#""channel":"b","pub":{"data":1"#), "{rest:?}");
    assert!(rest[2].contains(r#""channel":"seen:a","pub":{"data":2"#), "{rest:?}");
    assert_eq!(rest.len(), 3);

    let heard = other.turn();
    assert!(!heard.contains("leave") && !heard.contains("join"), "{heard}");
    assert_eq!(world.engine.everyone(), present);
    assert_eq!(world.told.take(), Vec::<String>::new());
    assert_eq!(world.node.metrics().clients.value(), 2);
    assert_eq!(world.node.metrics().resumed.value(), 1);
    // What it asked and had no answer to is asked again.
    assert_eq!(client.say(r#"{"id":3,"subscribe":{"channel":"b"},"n":2}"#), "");
    assert_eq!(client.say(r#"{"id":4,"ping":{},"n":3}"#), r#"{"id":4,"ping":{}}"#);
    drop((client, other));
    world.assert_vacant();
}

#[test]
fn a_client_may_come_back_before_its_transport_is_known_to_be_dead() {
    let world = world();
    let (mut client, secret) = Client::with_session(&world, json!({}));
    client.say(r#"{"id":2,"subscribe":{"channel":"b"},"n":1}"#);
    publish_in(&world, "b", "1");
    world.locals[0].deliver();
    for _ in 0..2 {
        let (answer, rest) = client.go_on(Client::on(&world, Transport::HttpStream), &again(&secret, 1));
        assert_eq!((&answer["resumed"], &answer["n"]), (&json!(true), &json!(1)));
        assert!(rest.contains(r#""channel":"b","pub":{"data":1"#) && rest.lines().count() == 1, "{rest}");
    }
    assert_eq!(client.peer.session().tie().acked(), 1);
}
