//! Messages of the transport: several commands or replies in one.

use bytes::BufMut as _;
use prost::Message as _;

use super::{Command, Reply};

/// How commands and replies are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Lines of JSON.
    Json,
    /// Protobuf messages, each behind its length.
    Protobuf,
}

/// How many commands one message may have: an empty one takes a byte on the wire, and some hundred in memory.
pub const MAX_COMMANDS: usize = 1024;

/// How many subscriptions in `connect` and nodes of filters the commands of one message may have in all, for the same reason.
pub const MAX_PARTS: usize = 2048;

/// Bytes that are no commands.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

impl Encoding {
    /// The subprotocol that stands for it; a client that names none gets JSON.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "centrifuge-json",
            Self::Protobuf => "centrifuge-protobuf",
        }
    }

    /// Reads the commands of one message. Unknown fields are passed over.
    ///
    /// # Errors
    /// When there is none, one is not well formed, or one is more than [`MAX_COMMANDS`] and [`MAX_PARTS`] allow: then what
    /// stood before it is given as well.
    pub fn decode(self, message: &[u8]) -> Result<Vec<Command>, (Vec<Command>, Malformed)> {
        let mut commands = Commands::default();
        let outcome = match self {
            Self::Json => decode_json(message, &mut commands),
            Self::Protobuf => decode_protobuf(message, &mut commands),
        };
        match outcome {
            Ok(()) if !commands.list.is_empty() => Ok(commands.list),
            _ => Err((commands.list, Malformed)),
        }
    }

    /// The message of one reply.
    ///
    /// In JSON, the data in it must be JSON values without line breaks; a reply that cannot be written becomes an empty message.
    pub fn encode(self, reply: &Reply) -> Vec<u8> {
        let mut writer = Writer::new(self);
        writer.push(reply);
        writer.into_message()
    }

    /// The ping: an empty reply.
    pub const fn ping(self) -> &'static [u8] {
        match self {
            Self::Json => b"{}",
            Self::Protobuf => &[0],
        }
    }
}

/// The commands of one message so far.
#[derive(Default)]
struct Commands {
    list: Vec<Command>,
    parts: usize,
}

impl Commands {
    fn push(&mut self, command: Command) -> Result<(), Malformed> {
        self.parts += command.parts();
        if self.list.len() == MAX_COMMANDS || self.parts > MAX_PARTS {
            return Err(Malformed);
        }
        self.list.push(command);
        Ok(())
    }
}

fn decode_json(message: &[u8], commands: &mut Commands) -> Result<(), Malformed> {
    for line in message.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        // serde would take a struct's fields from an array as well.
        if !line.starts_with(b"{") {
            return Err(Malformed);
        }
        commands.push(serde_json::from_slice(line).map_err(|_| Malformed)?)?;
    }
    Ok(())
}

fn decode_protobuf(mut message: &[u8], commands: &mut Commands) -> Result<(), Malformed> {
    while !message.is_empty() {
        let length = prost::decode_length_delimiter(&mut message).map_err(|_| Malformed)?;
        let (command, rest) = message.split_at_checked(length).ok_or(Malformed)?;
        // From a slice: the data is copied, as a part of shared bytes would keep the whole message in memory.
        commands.push(Command::decode(command).map_err(|_| Malformed)?)?;
        message = rest;
    }
    Ok(())
}

/// Gathers replies into one message.
#[derive(Debug)]
pub struct Writer {
    encoding: Encoding,
    message: Vec<u8>,
}

impl Writer {
    /// An empty message.
    pub fn new(encoding: Encoding) -> Self {
        Self { encoding, message: Vec::new() }
    }

    /// Whether there is no reply in it.
    pub fn is_empty(&self) -> bool {
        self.message.is_empty()
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.message.len()
    }

    /// Adds a reply.
    pub fn push(&mut self, reply: &Reply) {
        match self.encoding {
            Encoding::Json => {
                let before = self.message.len();
                if before > 0 {
                    self.message.put_u8(b'\n');
                }
                if let Err(error) = serde_json::to_writer(&mut self.message, reply) {
                    tracing::error!(%error, "a reply cannot be written as JSON");
                    self.message.truncate(before);
                }
            }
            Encoding::Protobuf => {
                // A vector grows as it must.
                let _ = reply.encode_length_delimited(&mut self.message);
            }
        }
    }

    /// The message.
    pub fn into_message(self) -> Vec<u8> {
        self.message
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::{ClientError, ConnectResult, Empty, ErrorReply, PublishRequest, RpcResult};
    use super::*;

    fn json(line: &str) -> Result<Vec<Command>, (Vec<Command>, Malformed)> {
        Encoding::Json.decode(line.as_bytes())
    }

    #[test]
    fn what_is_no_command_is_malformed() {
        for line in [
            "",
            "\n \n",
            "[]",
            "1",
            "null",
            "{",
            "{}{}",
            r#"{"id":-1}"#,
            r#"{"id":4294967296}"#,
            r#"{"id":"1"}"#,
            r#"{"id":1,"publish":1}"#,
            r#"[1,{}]"#,
            r#"{"id":1,"subscribe":{"channel":1}}"#,
            r#"{"id":1,"id":1}"#,
            r#"{"id":1,"connect":[]}"#,
            r#"{"id":1,"ping":[]}"#,
            r#"{"id":1,"ping":true}"#,
            r#"{"id":1,"publish":["a",1,0]}"#,
            r#"{"id":1,"history":{"channel":"a","since":[1,"e"]}}"#,
            r#"{"id":1,"subscribe":{"channel":"a","tf":["and"]}}"#,
        ] {
            assert!(json(line).is_err(), "{line}");
        }
        for bytes in [&[][..], &[5, 8], &[1, 0xff], &[0xff; 11]] {
            assert!(Encoding::Protobuf.decode(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn what_stands_before_the_fault_is_given() {
        let (commands, Malformed) = json("{\"id\":1}\njunk\n{\"id\":2}").unwrap_err();
        assert_eq!(commands.len(), 1);
        assert_eq!(commands[0].id, 1);
    }

    #[test]
    fn data_stays_as_it_came() {
        let commands =
            json(r#"{"id":7,"publish":{"channel":"a\u0062","data":{"x": 1.50, "y":"é\n"}},"ext":{}}"#)
                .unwrap();
        let publish = commands[0].publish.as_ref().unwrap();
        assert_eq!(publish.channel, "ab");
        assert_eq!(publish.data, r#"{"x": 1.50, "y":"é\n"}"#);
        assert!(
            json(r#"{"id":1,"publish":{"channel":"a","data":null}}"#).unwrap()[0]
                .publish
                .as_ref()
                .unwrap()
                .data
                .is_empty()
        );
    }

    #[test]
    fn replies_stand_on_lines_of_one_message() {
        let mut writer = Writer::new(Encoding::Json);
        let connected = ConnectResult {
            client: "c".into(),
            version: "1".into(),
            ping: 25,
            pong: true,
            ..Default::default()
        };
        writer.push(&Reply { id: 1, connect: Some(connected.into()), ..Default::default() });
        writer.push(&Reply { id: 2, publish: Some(Empty {}), ..Default::default() });
        let error = Some(ErrorReply::from(ClientError::ALREADY_SUBSCRIBED));
        writer.push(&Reply { id: 3, error, ..Default::default() });
        let expected = concat!(
            r#"{"id":1,"connect":{"client":"c","version":"1","ping":25,"pong":true}}"#,
            "\n",
            r#"{"id":2,"publish":{}}"#,
            "\n",
            r#"{"id":3,"error":{"code":105,"message":"already subscribed"}}"#,
        );
        assert_eq!(String::from_utf8(writer.into_message()).unwrap(), expected);
        assert_eq!(Encoding::Json.encode(&Reply::default()), Encoding::Json.ping());
        assert_eq!(Encoding::Protobuf.encode(&Reply::default()), Encoding::Protobuf.ping());
    }

    #[test]
    fn a_reply_that_cannot_be_json_is_left_out() {
        let rpc =
            |data| Reply { rpc: Some(RpcResult { data: Bytes::from_static(data) }), ..Default::default() };
        for data in [&b"{"[..], b"text", b"1 2", b"\xff", b"\"\xff\""] {
            let mut writer = Writer::new(Encoding::Json);
            for reply in [rpc(b"1"), rpc(data), rpc(b"2")] {
                writer.push(&reply);
            }
            assert_eq!(writer.into_message(), b"{\"rpc\":{\"data\":1}}\n{\"rpc\":{\"data\":2}}", "{data:?}");
            assert_eq!(Encoding::Json.encode(&rpc(data)), b"", "{data:?}");
        }
    }

    #[test]
    fn protobuf_commands_stand_behind_their_lengths() {
        let publish = PublishRequest { channel: "a".into(), data: Bytes::from_static(&[0, 255]), kind: 0 };
        let command = Command { id: 3, publish: Some(publish), ..Default::default() };
        let message =
            [command.encode_length_delimited_to_vec(), vec![0], command.encode_length_delimited_to_vec()]
                .concat();
        let commands = Encoding::Protobuf.decode(&message).unwrap();
        assert_eq!(commands, [command.clone(), Command::default(), command]);
    }
}
