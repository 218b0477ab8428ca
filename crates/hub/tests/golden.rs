//! The messages of `spec/cases/protocol.json`, which the tests of other languages read too.

use std::collections::BTreeSet;

use antiphon_hub::protocol::{EmulationRequest, Encoding, Reply, Writer};
use prost::Message;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const CASES: &str = include_str!("../../../spec/cases/protocol.json");

#[derive(Deserialize)]
struct File {
    /// Messages of clients, as they are written.
    commands: Vec<Case>,
    /// Messages of servers, as they are written.
    replies: Vec<Case>,
    /// Messages of clients that are written otherwise by us.
    lenient: Vec<Case>,
    /// Bodies of requests, as they are read.
    emulation: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Missing where the data cannot stand in JSON.
    json: Option<String>,
    protobuf: String,
}

fn cases() -> File {
    serde_json::from_str(CASES).expect("the cases")
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn decoded<T: Message + Default>(mut message: &[u8]) -> Vec<T> {
    let mut items = Vec::new();
    while !message.is_empty() {
        items.push(T::decode_length_delimited(&mut message).expect("Protobuf"));
    }
    items
}

fn parsed<T: DeserializeOwned>(message: &str) -> Vec<T> {
    message.split('\n').map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn commands_are_read_and_written() {
    for Case { name, json, protobuf } in cases().commands {
        let protobuf = bytes(&protobuf);
        let commands = Encoding::Protobuf.decode(&protobuf).expect(&name);
        assert_eq!(
            commands.iter().flat_map(Message::encode_length_delimited_to_vec).collect::<Vec<_>>(),
            protobuf,
            "{name}"
        );
        if let Some(json) = json {
            assert_eq!(Encoding::Json.decode(json.as_bytes()).expect(&name), commands, "{name}");
            let lines: Vec<String> =
                commands.iter().map(|command| serde_json::to_string(command).unwrap()).collect();
            assert_eq!(lines.join("\n"), json, "{name}");
        }
    }
}

#[test]
fn replies_are_read_and_written() {
    let written = |encoding, replies: &[Reply]| {
        let mut writer = Writer::new(encoding);
        replies.iter().for_each(|reply| writer.push(reply));
        writer.into_message()
    };
    for Case { name, json, protobuf } in cases().replies {
        let protobuf = bytes(&protobuf);
        let replies: Vec<Reply> = decoded(&protobuf);
        assert_eq!(written(Encoding::Protobuf, &replies), protobuf, "{name}");
        if let Some(json) = json {
            assert_eq!(parsed::<Reply>(&json), replies, "{name}");
            assert_eq!(String::from_utf8(written(Encoding::Json, &replies)).unwrap(), json, "{name}");
        }
    }
}

#[test]
fn commands_written_otherwise_are_read() {
    for Case { name, json, protobuf } in cases().lenient {
        let commands = Encoding::Json.decode(json.unwrap().as_bytes()).expect(&name);
        assert_eq!(Encoding::Protobuf.decode(&bytes(&protobuf)), Ok(commands), "{name}");
    }
}

#[test]
fn bodies_of_requests_are_read() {
    for Case { name, json, protobuf } in cases().emulation {
        let read = EmulationRequest::decode_body(Encoding::Protobuf, &bytes(&protobuf)).expect(&name);
        let json = json.unwrap();
        assert_eq!(
            EmulationRequest::decode_body(Encoding::Json, json.as_bytes()),
            Ok(read.clone()),
            "{name}"
        );
        assert_eq!(read.encode_to_vec(), bytes(&protobuf), "{name}");
    }
}

#[test]
fn every_kind_is_among_the_cases() {
    let names = |cases: &[Case], within: Option<&str>| -> BTreeSet<String> {
        let items = cases.iter().filter_map(|case| case.json.as_deref()).flat_map(parsed::<Value>);
        let objects =
            items.filter_map(|item| within.map_or(Some(item.clone()), |name| item.get(name).cloned()));
        objects.flat_map(|object| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>()).collect()
    };
    let file = cases();
    let expected = |names: &str| names.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    let both = "id connect subscribe unsubscribe publish presence presence_stats history ping rpc refresh sub_refresh";
    assert_eq!(names(&file.commands, None), expected(&format!("{both} send n ack")));
    assert_eq!(names(&file.replies, None), expected(&format!("{both} error push")));
    let pushes = "channel pub join leave unsubscribe message subscribe disconnect refresh";
    assert_eq!(names(&file.replies, Some("push")), expected(pushes));
    let kinds = |within: &str, cases| names(cases, Some(within));
    assert!(
        kinds("connect", &file.commands)
            .is_superset(&expected("token data subs name version headers ext session ack"))
    );
    assert!(kinds("connect", &file.replies).is_superset(&expected("session node ext resumed n session_ttl")));
}
