use antiphon_hub::protocol::{Encoding, Malformed, Reply, Writer};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

use crate::values::{binary, command, json, reply, written};

fn read(encoding: Encoding, mut message: &[u8]) -> Vec<Reply> {
    match encoding {
        Encoding::Json => message
            .split(|byte| *byte == b'\n')
            .map(|line| serde_json::from_slice(line).expect("JSON"))
            .collect(),
        Encoding::Protobuf => {
            let mut replies = Vec::new();
            while !message.is_empty() {
                replies.push(Reply::decode_length_delimited(&mut message).expect("Protobuf"));
            }
            replies
        }
    }
}

/// Commands, or replies, with the encodings that can hold their data.
fn with_encoding<T, S: Strategy<Value = T>>(
    items: fn(&BoxedStrategy<bytes::Bytes>) -> S,
) -> impl Strategy<Value = (Encoding, Vec<T>)>
where
    T: std::fmt::Debug,
{
    prop_oneof![
        vec(items(&json()), 1..4).prop_map(|items| (Encoding::Json, items)),
        vec(items(&json()), 1..4).prop_map(|items| (Encoding::Protobuf, items)),
        vec(items(&binary()), 1..4).prop_map(|items| (Encoding::Protobuf, items)),
    ]
}

proptest! {
    #[test]
    fn commands_come_back((encoding, commands) in with_encoding(command)) {
        prop_assert_eq!(encoding.decode(&written(encoding, &commands)), Ok(commands));
    }

    #[test]
    fn replies_come_back((encoding, replies) in with_encoding(reply)) {
        let mut writer = Writer::new(encoding);
        replies.iter().for_each(|reply| writer.push(reply));
        let (length, message) = (writer.len(), writer.into_message());
        prop_assert_eq!(length, message.len());
        prop_assert_eq!(read(encoding, &message), replies);
    }

    #[test]
    fn what_stands_before_a_fault_is_given((encoding, commands) in with_encoding(command), junk in "[\\[x][a-z]{0,9}") {
        let mut message = written(encoding, &commands);
        match encoding {
            Encoding::Json => message.push(b'\n'),
            // Longer than what follows.
            Encoding::Protobuf => message.push(0x7f),
        }
        message.extend_from_slice(junk.as_bytes());
        prop_assert_eq!(encoding.decode(&message), Err((commands, Malformed)));
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in vec(any::<u8>(), 0..200), text in "[\\[\\]{}\":,0-9a-z\n]{0,60}") {
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            let _ = encoding.decode(&bytes);
            let _ = encoding.decode(text.as_bytes());
        }
    }

    #[test]
    fn commands_with_faults_are_read_without_harm(
        (encoding, commands) in with_encoding(command),
        faults in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut message = written(encoding, &commands);
        for (at, byte) in faults {
            let at = at.index(message.len());
            message[at] = byte;
        }
        let (Ok(commands) | Err((commands, Malformed))) = encoding.decode(&message);
        // What was taken for a command can be written.
        prop_assert_eq!(Encoding::Protobuf.decode(&written(Encoding::Protobuf, &commands)).unwrap_or_default(), commands);
    }
}
