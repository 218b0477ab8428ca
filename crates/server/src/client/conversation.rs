//! The client protocol from a client's side, in JSON: commands out, replies in.

use antiphon_hub::protocol::{Command, ConnectRequest, ConnectResult, Reply};

/// The answer to a ping.
pub(crate) const PONG: &str = "{}";

/// Ends a sentence about what does not speak the client protocol.
const WAY_OUT: &str = "; does the URL end in /connection/websocket?";

/// The `connect` command of a tool, with id 1.
pub(crate) fn connect_command(token: Option<&str>) -> Command {
    let request = ConnectRequest {
        token: token.unwrap_or_default().to_owned(),
        name: "antiphon".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..ConnectRequest::default()
    };
    Command { id: 1, connect: Some(request.into()), ..Command::default() }
}

/// Commands as one text message.
pub(crate) fn text_of(commands: &[Command]) -> String {
    // The data in them was checked to be JSON; nothing else can fail.
    let lines: Vec<_> = commands.iter().filter_map(|command| serde_json::to_string(command).ok()).collect();
    lines.join("\n")
}

/// The replies of a text message, each from a line of its own.
///
/// # Errors
/// A sentence, for a line that is no reply: what is at the other end does not speak the client protocol.
pub(crate) fn replies(message: &str) -> impl Iterator<Item = Result<Reply, String>> {
    message.split('\n').filter(|line| !line.trim_ascii().is_empty()).map(reply)
}

fn reply(line: &str) -> Result<Reply, String> {
    serde_json::from_str(line).map_err(|_| {
        let start: String = line.chars().take(80).collect();
        format!("{start:?} is no reply of the client protocol in JSON{WAY_OUT}")
    })
}

/// What came of `connect`: with the id that every client is given.
///
/// # Errors
/// A sentence, where there is none: an echo, for one, answers with the command itself.
pub(crate) fn connected(result: Option<Box<ConnectResult>>) -> Result<ConnectResult, String> {
    let result = result.filter(|result| !result.client.is_empty()).map(|result| *result);
    result.ok_or_else(|| format!("connect was answered without a client id{WAY_OUT}"))
}

#[cfg(test)]
mod tests {
    use antiphon_hub::protocol::{ChannelRequest, PublishRequest};

    use super::*;

    #[test]
    fn commands_stand_on_lines() {
        let publish = PublishRequest { channel: "a\"".into(), data: r#"{"x": 1.50}"#.into(), kind: 0 };
        let commands = [
            connect_command(Some("t")),
            Command { id: 2, publish: Some(publish), ..Command::default() },
            Command {
                id: 3,
                unsubscribe: Some(ChannelRequest { channel: "b".into() }),
                ..Command::default()
            },
        ];
        let version = env!("CARGO_PKG_VERSION");
        let connect =
            format!(r#"{{"id":1,"connect":{{"token":"t","name":"antiphon","version":"{version}"}}}}"#);
        let expected = [
            connect.as_str(),
            r#"{"id":2,"publish":{"channel":"a\"","data":{"x": 1.50}}}"#,
            r#"{"id":3,"unsubscribe":{"channel":"b"}}"#,
        ];
        assert_eq!(text_of(&commands), expected.join("\n"));
    }

    #[test]
    fn a_message_may_hold_several_replies() {
        let message = "{}\n{\"id\":3,\"error\":{\"code\":103,\"message\":\"permission denied\"}}\n";
        let all: Vec<_> = replies(message).collect::<Result<_, _>>().unwrap();
        assert_eq!(all[0], Reply::default());
        assert_eq!((all[1].id, all[1].error.as_ref().unwrap().code), (3, 103));
        assert_eq!(all.len(), 2);
        let error = replies("hi").next().unwrap().unwrap_err();
        assert!(error.starts_with("\"hi\" is no reply"), "{error}");
    }
}
