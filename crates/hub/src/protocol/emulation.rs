//! What a client says over HTTP while it listens to a stream. Field names and numbers are those of Centrifugo's emulation layer.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Encoding, Malformed};

/// Commands for a session whose client cannot send on its transport.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct EmulationRequest {
    /// The node that holds the session; empty where the client was told none.
    #[prost(string, tag = "1")]
    pub node: String,
    /// The session.
    #[prost(string, tag = "2")]
    pub session: String,
    /// A message of commands, in the encoding of the session.
    #[prost(bytes = "bytes", tag = "3")]
    pub data: Bytes,
    /// End the session instead. Antiphon's own.
    #[prost(bool, tag = "1001")]
    pub close: bool,
}

/// The same in JSON, where a message of commands stands in a string.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Lines {
    node: String,
    session: String,
    data: String,
    close: bool,
}

impl EmulationRequest {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// When it is none, or names no session.
    pub fn decode_body(encoding: Encoding, body: &[u8]) -> Result<Self, Malformed> {
        let request = match encoding {
            Encoding::Json => {
                let Lines { node, session, data, close } = object(body)?;
                Self { node, session, data: data.into(), close }
            }
            Encoding::Protobuf => prost::Message::decode(body).map_err(|_| Malformed)?,
        };
        if request.session.is_empty() { Err(Malformed) } else { Ok(request) }
    }
}

/// A request for whatever is newer than what the client has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PollRequest {
    /// The node that holds the session; empty where the client was told none.
    pub node: String,
    /// The session; empty in the first request, whose first command is `connect`.
    pub session: String,
    /// How many messages the client has had.
    pub ack: u64,
    /// A message of commands in JSON; may be empty.
    pub commands: Bytes,
    /// End the session instead.
    pub close: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Poll<'a> {
    node: String,
    session: String,
    ack: u64,
    #[serde(borrow)]
    commands: Vec<&'a RawValue>,
    close: bool,
}

impl PollRequest {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode_body(body: &[u8]) -> Result<Self, Malformed> {
        let Poll { node, session, ack, commands, close } = object(body)?;
        let mut message = String::new();
        for command in commands {
            // One a line: a break between the tokens of one would end it.
            message.extend(command.get().chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
            message.push('\n');
        }
        Ok(Self { node, session, ack, commands: message.into(), close })
    }
}

/// serde would take a struct's fields from an array as well.
fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Malformed> {
    let body = body.trim_ascii();
    if !body.starts_with(b"{") {
        return Err(Malformed);
    }
    serde_json::from_slice(body).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_as_they_are_written() {
        let read = |body: &str| EmulationRequest::decode_body(Encoding::Json, body.as_bytes());
        let request = read(r#"{"session":"s","node":"n","data":"{\"id\":1}\n{}"}"#).unwrap();
        assert_eq!((&*request.session, &*request.node, request.close), ("s", "n", false));
        assert_eq!(request.data, "{\"id\":1}\n{}");
        assert!(read(r#"{"session":"s","close":true}"#).unwrap().close);
        for bad in [
            "",
            "[]",
            "{}",
            "1",
            r#"["n","s","d",false]"#,
            r#"{"session":""}"#,
            r#"{"session":"s","data":1}"#,
        ] {
            assert_eq!(read(bad), Err(Malformed), "{bad}");
        }
        let bytes = prost::Message::encode_to_vec(&request);
        assert_eq!(EmulationRequest::decode_body(Encoding::Protobuf, &bytes), Ok(request));
        assert_eq!(EmulationRequest::decode_body(Encoding::Protobuf, &[0xff]), Err(Malformed));
    }

    #[test]
    fn the_commands_of_a_poll_become_lines() {
        let request =
            PollRequest::decode_body(b"{\"session\":\"s\",\"ack\":3,\"commands\":[{\"id\":\n1},{}]}")
                .unwrap();
        assert_eq!((&*request.session, request.ack), ("s", 3));
        assert_eq!(request.commands, "{\"id\": 1}\n{}\n");
        assert_eq!(PollRequest::decode_body(b"{}").unwrap(), PollRequest::default());
        for bad in ["", "[]", r#"{"ack":-1}"#, r#"{"commands":{}}"#, r#"{"session":1}"#] {
            assert_eq!(PollRequest::decode_body(bad.as_bytes()), Err(Malformed), "{bad}");
        }
    }
}
