//! Commands and their answers.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use prost::Message as _;

use super::common::{Peer, World, command, replies};
use super::{Client, book, kept, namespace, publish_in};
use crate::data::Data;
use crate::engine::Publish;
use crate::options::{ChannelOptions, ClientOptions, RpcOptions};
use crate::protocol::{Encoding, PublishRequest, SubscribeRequest};
use crate::rules::RuleBook;

fn world() -> World {
    World::new(book(|book| {
        let presence = ChannelOptions { presence: true, ..kept() };
        book.namespaces = vec![namespace("kept", kept()), namespace("seen", presence)];
    }))
}

#[test]
fn every_command_has_its_answer() {
    let world = world();
    let mut client = Client::connected(&world);
    let long = format!(r#"{{"id":9,"publish":{{"channel":"{}","data":1}}}}"#, "x".repeat(256));
    for (line, answer) in [
        (r#"{"id":2,"subscribe":{"channel":"a"}}"#, r#"{"id":2,"subscribe":{}}"#),
        (
            r#"{"id":3,"subscribe":{"channel":"a"}}"#,
            r#"{"id":3,"error":{"code":105,"message":"already subscribed"}}"#,
        ),
        (r#"{"id":4,"publish":{"channel":"b","data":{"x":1}}}"#, r#"{"id":4,"publish":{}}"#),
        (r#"{"id":5,"publish":{"channel":"a"}}"#, r#"{"id":5,"error":{"code":107,"message":"bad request"}}"#),
        (r#"{"id":6,"unsubscribe":{"channel":"a"}}"#, r#"{"id":6,"unsubscribe":{}}"#),
        (r#"{"id":7,"unsubscribe":{"channel":"a"}}"#, r#"{"id":7,"unsubscribe":{}}"#),
        (&long, r#"{"id":9,"error":{"code":107,"message":"bad request"}}"#),
        (
            r#"{"id":10,"subscribe":{"channel":"no:a"}}"#,
            r#"{"id":10,"error":{"code":102,"message":"unknown channel"}}"#,
        ),
        (
            r#"{"id":11,"history":{"channel":"a"}}"#,
            r#"{"id":11,"error":{"code":108,"message":"not available"}}"#,
        ),
        (
            r#"{"id":12,"presence":{"channel":"a"}}"#,
            r#"{"id":12,"error":{"code":108,"message":"not available"}}"#,
        ),
        (
            r#"{"id":13,"presence_stats":{"channel":"a"}}"#,
            r#"{"id":13,"error":{"code":108,"message":"not available"}}"#,
        ),
        (r#"{"id":14,"rpc":{"method":"x"}}"#, r#"{"id":14,"error":{"code":108,"message":"not available"}}"#),
        (
            r#"{"id":15,"subscribe":{"channel":"$a"}}"#,
            r#"{"id":15,"error":{"code":103,"message":"permission denied"}}"#,
        ),
        (
            r#"{"id":16,"subscribe":{"channel":"a","type":1}}"#,
            r#"{"id":16,"error":{"code":108,"message":"not available"}}"#,
        ),
        (
            r#"{"id":17,"publish":{"channel":"a","data":1,"type":1}}"#,
            r#"{"id":17,"error":{"code":108,"message":"not available"}}"#,
        ),
        (
            r#"{"id":18,"sub_refresh":{"channel":"a","token":"t"}}"#,
            r#"{"id":18,"error":{"code":103,"message":"permission denied"}}"#,
        ),
        (
            r#"{"id":19,"subscribe":{"channel":"a","tf":{"key":"k","cmp":"ex"}}}"#,
            r#"{"id":19,"error":{"code":107,"message":"bad request"}}"#,
        ),
        (r#"{"id":20,"ping":{}}"#, r#"{"id":20,"ping":{}}"#),
        (r#"{"id":21,"presence":{"channel":"seen:a"}}"#, r#"{"id":21,"presence":{"presence":{}}}"#),
        (
            r#"{"id":22,"presence_stats":{"channel":"seen:a"}}"#,
            r#"{"id":22,"presence_stats":{"num_clients":0,"num_users":0}}"#,
        ),
    ] {
        assert_eq!(client.say(line), answer, "{line}");
    }
    let told = ["connected \"\"", "occupied a", "subscribed a", "vacated a", "unsubscribed a 0"];
    assert_eq!(world.told.take(), told);
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    let world = world();
    for (line, code) in [
        (r#"{"id":2}"#, "3501"),
        (r#"{"id":2,"jump":{}}"#, "3501"),
        (r#"{"subscribe":{"channel":"a"}}"#, "3501"),
        (r#"{"id":2,"subscribe":{}}"#, "3501"),
        (r#"{"id":2,"subscribe":{"channel":"a","delta":"zip"}}"#, "3501"),
        (r#"{"id":2,"publish":{"data":1}}"#, "3501"),
        (r#"{"id":2,"unsubscribe":{"channel":""}}"#, "3501"),
        (r#"{"id":2,"history":{}}"#, "3501"),
        (r#"{"id":2,"presence":{}}"#, "3501"),
        (r#"{"id":2,"presence_stats":{}}"#, "3501"),
        (r#"{"id":2,"sub_refresh":{}}"#, "3501"),
        (r#"{"id":2,"refresh":{}}"#, "3501"),
        (r#"{"id":2,"refresh":{"token":"junk"}}"#, "3500"),
        (r#"{"id":2,"connect":{}}"#, "3501"),
        (r#"{"send":{"data":1}}"#, "3508"),
        ("{}", "3501"),
        ("junk", "3501"),
        ("", "3501"),
        ("[]", "3501"),
        (r#"{"id":2,"subscribe":{"channel":7}}"#, "3501"),
    ] {
        assert_eq!(Client::connected(&world).say(line), code, "{line}");
    }
    world.assert_vacant();
}

#[test]
fn nothing_goes_before_connect() {
    let world = world();
    for line in
        ["{}", r#"{"id":1,"subscribe":{"channel":"a"}}"#, r#"{"id":1,"ping":{}}"#, r#"{"connect":{}}"#]
    {
        assert_eq!(Client::new(&world).say(line), "3501", "{line}");
    }
    assert_eq!(Client::new(&world).say(r#"{"id":1,"connect":{"token":"t"}}"#), "3500");
    let closed = World::new(RuleBook::default());
    assert_eq!(Client::new(&closed).say(r#"{"id":1,"connect":{}}"#), "3501");
}

#[test]
fn after_a_refused_connect_nothing_is_taken() {
    let world = world();
    let large = format!(r#"{{"id":1,"connect":{{"data":{{"x":"{}"}}}}}}"#, "x".repeat(5000));
    for next in [r#"{"id":2,"connect":{}}"#, r#"{"id":2,"ping":{}}"#, "{}"] {
        let mut client = Client::new(&world);
        assert_eq!(client.say(&large), r#"{"id":1,"error":{"code":106,"message":"limit exceeded"}}"#);
        assert_eq!(client.say(next), "3501", "{next}");
    }
    world.assert_vacant();
}

#[test]
fn commands_of_one_message_are_answered_in_one() {
    let world = world();
    let mut client = Client::connected(&world);
    client.peer.receive(
        "{\"id\":2,\"ping\":{}}\n\n{\"id\":3,\"subscribe\":{\"channel\":\"a\"}}\n{\"id\":4,\"ping\":{}}",
    );
    client.peer.turn(&world);
    let heard = client.peer.take();
    assert_eq!(heard.len(), 2, "what was held for a subscription comes after its answer: {heard:?}");
    client.peer.receive("{\"id\":5,\"ping\":{}}\n{\"id\":6,\"ping\":{}}");
    assert_eq!(client.turn(), "{\"id\":5,\"ping\":{}}\n{\"id\":6,\"ping\":{}}");
    let with_junk = "{\"id\":7,\"ping\":{}}\njunk\n{\"id\":8,\"ping\":{}}";
    assert_eq!(
        client.say(with_junk),
        "{\"id\":7,\"ping\":{}}\n3501",
        "what stands before the junk is answered"
    );
    assert_eq!(client.say(r#"{"id":9,"ping":{}}"#), "", "after the end nothing is");
}

#[test]
fn without_permission_channels_are_closed() {
    let client = ClientOptions { allow_anonymous_connect_without_token: true, ..ClientOptions::default() };
    let options = ChannelOptions { presence: true, ..Default::default() };
    let options = ChannelOptions { history_size: 1, history_ttl: crate::Span::seconds(1), ..options };
    let world = World::new(RuleBook { client, without_namespace: options, ..RuleBook::default() });
    let mut client = Client::connected(&world);
    for request in [
        r#""subscribe":{"channel":"a"}"#,
        r#""publish":{"channel":"a","data":1}"#,
        r#""presence":{"channel":"a"}"#,
        r#""presence_stats":{"channel":"a"}"#,
        r#""history":{"channel":"a"}"#,
    ] {
        let heard = client.say(&format!(r#"{{"id":2,{request}}}"#));
        assert_eq!(heard, r#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#, "{request}");
    }
}

#[test]
fn an_object_in_connect_becomes_the_info() {
    let world = world();
    let mut listener = Client::connected(&world);
    listener.subscribe("a");
    let shown = |info: &str, client: &Client<'_>| {
        let info = if info.is_empty() { String::new() } else { format!(r#","conn_info":{info}"#) };
        let id = client.id();
        format!(
            r#"{{"push":{{"channel":"a","pub":{{"data":1,"info":{{"user":"","client":"{id}"{info}}},"time":"#
        )
    };
    for (data, info) in [(r#"{"name":"Ada"}"#, r#"{"name":"Ada"}"#), ("\"Ada\"", ""), ("null", "")] {
        let mut client = Client::connected_with(&world, &format!(r#"{{"data":{data}}}"#));
        client.say(r#"{"id":2,"publish":{"channel":"a","data":1}}"#);
        let heard = listener.turn();
        assert!(heard.starts_with(&shown(info, &client)), "{heard}");
    }
}

#[test]
fn history_is_what_was_asked_for() {
    let world = world();
    for number in 1..=5 {
        publish_in(&world, "kept:a", &number.to_string());
    }
    let epoch = world.engine.kept("kept:a", world.keep("kept:a")).position.epoch;
    let mut client = Client::connected(&world);
    for (request, expected) in [
        ("", Ok(vec![])),
        (r#","limit":2"#, Ok(vec![1, 2])),
        (r#","limit":-1"#, Ok(vec![1, 2, 3, 4, 5])),
        (r#","limit":2,"reverse":true"#, Ok(vec![5, 4])),
        (r#","limit":9,"since":{"offset":3,"epoch":"EPOCH"}"#, Ok(vec![4, 5])),
        (r#","limit":9,"since":{"offset":3}"#, Ok(vec![4, 5])),
        (r#","limit":9,"since":{"offset":3,"epoch":"EPOCH"},"reverse":true"#, Ok(vec![2, 1])),
        (r#","limit":9,"since":{"offset":3,"epoch":"other"}"#, Err(112)),
        (r#","limit":9,"since":{"offset":6,"epoch":"EPOCH"}"#, Ok(vec![])),
        (r#","limit":9,"since":{"offset":0,"epoch":"EPOCH"},"reverse":true"#, Err(107)),
    ] {
        let request = request.replace("EPOCH", &epoch);
        let heard = client.say(&format!(r#"{{"id":2,"history":{{"channel":"kept:a"{request}}}}}"#));
        let reply = replies(&heard.into(), Encoding::Json).remove(0);
        let outcome = match (reply.history, reply.error) {
            (Some(history), None) => {
                assert_eq!((history.offset, &history.epoch), (5, &epoch), "{request}");
                Ok(history.publications.iter().map(|publication| publication.offset).collect())
            }
            (_, error) => Err(error.unwrap().code),
        };
        assert_eq!(outcome, expected, "{request}");
    }
}

#[test]
fn calls_and_messages_go_to_the_application() {
    let world = World::new(book(|book| {
        book.rpc_without_namespace = RpcOptions { proxy_enabled: true, proxy_name: "p".into() };
        book.rpc_namespace_boundary = ":".into();
    }));
    let mut client = Client::connected(&world);
    world.application.answers(|answers| answers.rpc = Ok(Bytes::from_static(b"{\"sum\":3}")));
    let heard = client.say(r#"{"id":2,"rpc":{"method":"add","data":[1,2]}}"#);
    assert_eq!(heard, r#"{"id":2,"rpc":{"data":{"sum":3}}}"#);
    assert_eq!(world.application.asked(), [r#"rpc add b"[1,2]""#]);
    let heard = client.say(r#"{"id":3,"rpc":{"method":"no:add"}}"#);
    assert_eq!(heard, r#"{"id":3,"error":{"code":104,"message":"method not found"}}"#);

    world.told.take();
    world.told.takes_messages.store(true, Ordering::Relaxed);
    assert_eq!(client.say(r#"{"send":{"data":{"x":1}}}"#), "");
    assert_eq!(world.told.take(), [r#"message b"{\"x\":1}""#]);
}

#[test]
fn commands_are_limited_each_second() {
    let world = World::new(book(|book| book.client.command_rate_limit = 3));
    let mut client = Client::connected(&world);
    for answer in [
        r#""ping":{}"#,
        r#""ping":{}"#,
        r#""error":{"code":111,"message":"too many requests","temporary":true}"#,
    ] {
        assert_eq!(client.say(r#"{"id":2,"ping":{}}"#), format!(r#"{{"id":2,{answer}}}"#));
    }
    world.pass(0.5);
    assert_eq!(client.say(r#"{"id":3,"ping":{}}"#), r#"{"id":3,"ping":{}}"#);
}

/// Data keeps its kind on its way from one encoding to the other.
#[test]
fn json_and_protobuf_understand_each_other() {
    let world = world();
    let mut json = Client::connected(&world);
    json.subscribe("a");
    let mut protobuf = Peer::new(&world, 0, Encoding::Protobuf);
    let mut first = command(1);
    first.connect = Some(Box::default());
    let mut second = command(2);
    second.subscribe =
        Some(Box::new(SubscribeRequest { channel: "a".into(), ..SubscribeRequest::default() }));
    let message = [first, second].map(|command| command.encode_length_delimited_to_vec()).concat();
    protobuf.receive(message);
    protobuf.turn(&world);
    protobuf.take();
    for (data, in_json, in_protobuf) in [
        (&b"{\"x\": 1}"[..], r#"{"x": 1}"#, &b"{\"x\": 1}"[..]),
        (b"\xff\x00", r#""/wA=""#, b"\xff\x00"),
        (b"hello", r#""hello""#, b"hello"),
    ] {
        let mut command = command(3);
        let data = Bytes::from_static(data);
        command.publish = Some(PublishRequest { channel: "a".into(), data, kind: 0 });
        protobuf.receive(command.encode_length_delimited_to_vec());
        protobuf.turn(&world);
        let heard = json.turn();
        assert!(heard.contains(&format!(r#""pub":{{"data":{in_json},"#)), "{heard}");
        let heard = protobuf.take();
        let pushed = heard.iter().flat_map(|heard| match heard {
            super::Heard::Message(message) | super::Heard::Aside(message) => {
                replies(message, Encoding::Protobuf)
            }
            _ => Vec::new(),
        });
        let pushed: Vec<_> = pushed.filter_map(|reply| reply.push?.publication).collect();
        assert_eq!(pushed[0].data, in_protobuf);
    }
    let binary =
        Publish { data: Data::Binary(Bytes::from_static(b"\xfe")), ..super::publication(&world, "a", "1") };
    world.publish("a", binary);
    assert!(json.turn().contains(r#""data":"/g==""#));
}
