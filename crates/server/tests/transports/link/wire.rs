//! Commands and replies on the wire. The tests see both as JSON, whatever the encoding.

use antiphon_hub::protocol::{Command, Encoding, Reply};
use prost::Message as _;
use serde_json::Value;

/// Commands as one message.
pub(crate) fn encode(encoding: Encoding, commands: &[Value]) -> Vec<u8> {
    match encoding {
        Encoding::Json => {
            let lines: Vec<_> = commands.iter().map(Value::to_string).collect();
            lines.join("\n").into_bytes()
        }
        Encoding::Protobuf => {
            let command = |value: &Value| -> Command { serde_json::from_str(&value.to_string()).unwrap() };
            commands.iter().flat_map(|value| command(value).encode_length_delimited_to_vec()).collect()
        }
    }
}

/// The replies of a whole message.
pub(crate) fn decode(encoding: Encoding, message: &[u8]) -> Vec<Value> {
    let mut rest = message.to_vec();
    if encoding == Encoding::Json && !rest.ends_with(b"\n") {
        rest.push(b'\n');
    }
    let replies: Vec<_> = std::iter::from_fn(|| take(encoding, &mut rest)).collect();
    assert!(rest.is_empty(), "{:?} is cut short", String::from_utf8_lossy(message));
    replies
}

/// Takes one reply from what was read, once it is whole.
pub(crate) fn take(encoding: Encoding, read: &mut Vec<u8>) -> Option<Value> {
    match encoding {
        Encoding::Json => {
            let end = read.iter().position(|byte| *byte == b'\n')?;
            let line: Vec<u8> = read.drain(..=end).collect();
            Some(parse(&line))
        }
        Encoding::Protobuf => {
            let mut slice = &read[..];
            let length: usize = prost::decode_length_delimiter(&mut slice).ok()?;
            let reply = Reply::decode(slice.get(..length)?).unwrap();
            let used = read.len() - slice.len() + length;
            read.drain(..used);
            Some(parse(&Encoding::Json.encode(&reply)))
        }
    }
}

pub(crate) fn parse(text: &[u8]) -> Value {
    serde_json::from_slice(text)
        .unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(text)))
}
