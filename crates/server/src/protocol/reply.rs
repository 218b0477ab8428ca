//! Replies: the answers to commands.

use std::fmt::Write as _;

use serde::Serialize;

use super::ErrorCode;

/// The answer to the command with the same id.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) id: u32,
    pub(crate) outcome: Result<Outcome, ErrorCode>,
}

/// What came of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Connect(Connected),
    Subscribe,
    Unsubscribe,
    Publish,
}

/// The answer to `connect`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Connected {
    /// The id of the connection.
    pub(crate) client: String,
    /// The server's.
    pub(crate) version: &'static str,
    /// Seconds from one ping to the next.
    pub(crate) ping: u64,
    /// Whether the client is to answer pings.
    pub(crate) pong: bool,
}

/// Appends a reply to a message, on a line of its own.
pub(crate) fn encode(reply: &Reply, message: &mut String) {
    if !message.is_empty() {
        message.push('\n');
    }
    let id = reply.id;
    // Writing to a String does not fail.
    let _ = match &reply.outcome {
        Ok(Outcome::Connect(connected)) => {
            let connected = serde_json::to_string(connected).unwrap_or_default();
            write!(message, r#"{{"id":{id},"connect":{connected}}}"#)
        }
        Ok(Outcome::Subscribe) => write!(message, r#"{{"id":{id},"subscribe":{{}}}}"#),
        Ok(Outcome::Unsubscribe) => write!(message, r#"{{"id":{id},"unsubscribe":{{}}}}"#),
        Ok(Outcome::Publish) => write!(message, r#"{{"id":{id},"publish":{{}}}}"#),
        Err(error) => {
            let (code, reason) = (error.code(), error.reason());
            write!(message, r#"{{"id":{id},"error":{{"code":{code},"message":"{reason}"}}}}"#)
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_stand_on_lines_of_one_message() {
        let mut message = String::new();
        let connected = Connected { client: "c".into(), version: "1", ping: 25, pong: true };
        encode(&Reply { id: 1, outcome: Ok(Outcome::Connect(connected)) }, &mut message);
        encode(&Reply { id: 2, outcome: Ok(Outcome::Subscribe) }, &mut message);
        encode(&Reply { id: 3, outcome: Err(ErrorCode::AlreadySubscribed) }, &mut message);
        let expected = concat!(
            r#"{"id":1,"connect":{"client":"c","version":"1","ping":25,"pong":true}}"#,
            "\n",
            r#"{"id":2,"subscribe":{}}"#,
            "\n",
            r#"{"id":3,"error":{"code":105,"message":"already subscribed"}}"#,
        );
        assert_eq!(message, expected);
    }
}
