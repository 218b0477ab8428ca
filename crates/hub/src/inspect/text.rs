//! What passed, as a text without secrets.

use prost::Message as _;

use crate::protocol::{Command, Encoding, Reply};

/// Stands for a secret.
const HIDDEN: &str = "…";

/// The beginning of a text, up to so many bytes.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}

/// A message of commands: a line of JSON for each, without its tokens.
///
/// Of what cannot be read nothing is shown: who knows what stands in it.
pub(crate) fn commands(encoding: Encoding, message: &[u8]) -> String {
    let (commands, is_whole) = match encoding.decode(message) {
        Ok(commands) => (commands, true),
        Err((before, _)) => (before, false),
    };
    let mut lines: Vec<String> = commands.into_iter().map(command).collect();
    if !is_whole {
        lines.push(format!("(in these {} bytes is something that is no command)", message.len()));
    }
    lines.join("\n")
}

fn command(mut command: Command) -> String {
    let mut hide = |secret: &mut String| {
        if !secret.is_empty() {
            HIDDEN.clone_into(secret);
        }
    };
    if let Some(connect) = &mut command.connect {
        hide(&mut connect.token);
        hide(&mut connect.session);
        // A client that cannot set headers says here what would stand in them: authorization, cookies.
        connect.headers.values_mut().for_each(&mut hide);
        connect.subs.values_mut().for_each(|sub| hide(&mut sub.token));
    }
    command.subscribe.iter_mut().for_each(|request| hide(&mut request.token));
    command.refresh.iter_mut().for_each(|request| hide(&mut request.token));
    command.sub_refresh.iter_mut().for_each(|request| hide(&mut request.token));
    // In Protobuf data may be anything, and JSON has only JSON.
    serde_json::to_string(&command).unwrap_or_else(|_| bare_command(&command))
}

/// A command whose data is no JSON.
fn bare_command(command: &Command) -> String {
    let Command { id, publish, send, rpc, connect, subscribe, .. } = command;
    let (what, about, size) = match (publish, send, rpc, connect, subscribe) {
        (Some(publish), ..) => ("publish", publish.channel.as_str(), publish.data.len()),
        (_, Some(send), ..) => ("send", "", send.data.len()),
        (_, _, Some(rpc), ..) => ("rpc", rpc.method.as_str(), rpc.data.len()),
        (.., Some(connect), _) => ("connect", "", connect.data.len()),
        (.., Some(subscribe)) => ("subscribe", subscribe.channel.as_str(), subscribe.data.len()),
        _ => ("command", "", command.encoded_len()),
    };
    format!("{what} {about:?} with the id {id} and {size} bytes that are no JSON")
}

/// A message of replies: a line of JSON for each, without the secret of a session.
pub(crate) fn replies(encoding: Encoding, message: &[u8]) -> String {
    let mut lines = Vec::new();
    match encoding {
        Encoding::Json => {
            let text = String::from_utf8_lossy(message);
            lines.extend(text.split('\n').map(|line| match line.contains("\"connect\"") {
                true => serde_json::from_str(line).map_or_else(|_| unread(line.len()), reply),
                false => line.to_owned(),
            }));
        }
        Encoding::Protobuf => {
            let mut rest = message;
            while !rest.is_empty() {
                let before = rest.len();
                match Reply::decode_length_delimited(&mut rest) {
                    Ok(decoded) => lines.push(reply(decoded)),
                    Err(_) => {
                        lines.push(unread(before));
                        break;
                    }
                }
            }
        }
    }
    lines.join("\n")
}

fn unread(bytes: usize) -> String {
    format!("({bytes} bytes that are no reply)")
}

fn reply(mut reply: Reply) -> String {
    if let Some(connect) = reply.connect.as_mut().filter(|connect| !connect.session.is_empty()) {
        HIDDEN.clone_into(&mut connect.session);
    }
    serde_json::to_string(&reply).unwrap_or_else(|_| bare_reply(&reply))
}

/// A reply in which some data is no JSON.
fn bare_reply(reply: &Reply) -> String {
    let size = reply.encoded_len();
    match reply.push.as_deref() {
        Some(push) => {
            let kinds = [
                (push.publication.is_some(), "pub"),
                (push.join.is_some(), "join"),
                (push.leave.is_some(), "leave"),
                (push.subscribe.is_some(), "subscribe"),
                (push.message.is_some(), "message"),
            ];
            let kind = kinds.iter().find(|(is_it, _)| *is_it).map_or("push", |(_, kind)| kind);
            let offset = push.publication.as_ref().map_or(0, |publication| publication.offset);
            format!(
                "{kind} in {:?} at offset {offset}: {size} bytes of Protobuf with data that is no JSON",
                push.channel
            )
        }
        None => format!("reply with the id {}: {size} bytes of Protobuf with data that is no JSON", reply.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ConnectResult, Publication, PublishRequest, Push};

    /// Every secret of the protocol is one of these words.
    const SECRET: &str = "hush";

    fn every_command() -> String {
        [
            r#"{"id":1,"connect":{"token":"hush","session":"hush","name":"js","headers":{"authorization":"hush"},"subs":{"a":{"token":"hush"}}}}"#,
            r#"{"id":2,"subscribe":{"channel":"a","token":"hush"},"n":1}"#,
            r#"{"id":3,"refresh":{"token":"hush"},"n":2}"#,
            r#"{"id":4,"sub_refresh":{"channel":"a","token":"hush"},"n":3}"#,
            r#"{"id":5,"publish":{"channel":"a","data":{"x":[1, 2]}},"n":4}"#,
            "{}",
        ]
        .join("\n")
    }

    #[test]
    fn no_secret_of_a_command_is_shown() {
        let message = every_command();
        let shown = commands(Encoding::Json, message.as_bytes());
        assert!(!shown.contains(SECRET), "{shown}");
        assert_eq!(shown.matches(HIDDEN).count(), 7, "{shown}");
        assert_eq!(shown.lines().count(), 6);
        assert!(
            shown.ends_with("{\"id\":5,\"publish\":{\"channel\":\"a\",\"data\":{\"x\":[1, 2]}},\"n\":4}\n{}"),
            "{shown}"
        );
        let bytes: Vec<u8> = Encoding::Json
            .decode(message.as_bytes())
            .unwrap()
            .iter()
            .flat_map(prost::Message::encode_length_delimited_to_vec)
            .collect();
        assert_eq!(commands(Encoding::Protobuf, &bytes), shown);
    }

    #[test]
    fn of_what_cannot_be_read_nothing_is_shown() {
        for message in
            [r#"{"connect":{"token":"hush""#, r#"["hush"]"#, "hush", "{}\n{\"refresh\":{\"token\":\"hush\"}"]
        {
            let shown = commands(Encoding::Json, message.as_bytes());
            assert!(!shown.contains(SECRET) && shown.ends_with("no command)"), "{shown}");
            assert!(!commands(Encoding::Protobuf, message.as_bytes()).contains(SECRET));
        }
    }

    #[test]
    fn data_that_is_no_json_is_counted() {
        let publish = Some(PublishRequest { channel: "a".into(), data: vec![0, 1].into(), kind: 0 });
        let message = Command { id: 7, publish, ..Command::default() }.encode_length_delimited_to_vec();
        let shown = commands(Encoding::Protobuf, &message);
        assert_eq!(shown, r#"publish "a" with the id 7 and 2 bytes that are no JSON"#);
        let publication = Some(Publication { data: vec![0, 1].into(), offset: 3, ..Publication::default() });
        let push = Push { channel: "a".into(), publication, ..Push::default() };
        let message = Encoding::Protobuf.encode(&Reply { push: Some(Box::new(push)), ..Reply::default() });
        let shown = replies(Encoding::Protobuf, &message);
        assert!(shown.starts_with(r#"pub in "a" at offset 3: "#), "{shown}");
    }

    #[test]
    fn the_secret_of_a_session_is_not_shown() {
        let connect =
            ConnectResult { client: "c".into(), session: SECRET.into(), ..ConnectResult::default() };
        let connected = Reply { id: 1, connect: Some(Box::new(connect)), ..Reply::default() };
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            let shown = replies(encoding, &encoding.encode(&connected));
            assert_eq!(shown, r#"{"id":1,"connect":{"client":"c","session":"…"}}"#);
            assert_eq!(replies(encoding, encoding.ping()), "{}");
        }
        assert!(!replies(Encoding::Json, b"{\"connect\":{\"session\":\"hush\"").contains(SECRET));
        assert!(!replies(Encoding::Protobuf, b"\x7fhush").contains(SECRET));
        let two =
            "{\"id\":2,\"ping\":{}}\n{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":\"\\\"connect\\\"\"}}}";
        assert_eq!(replies(Encoding::Json, two.as_bytes()), two);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!((cut("ééé", 3), cut("ééé", 4), cut("ab", 9)), ("é", "éé", "ab"));
    }
}
