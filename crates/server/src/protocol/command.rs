//! Commands: what a client asks for.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// One command of a client. A pong is a command without an id.
#[derive(Debug)]
pub(crate) struct Command<'a> {
    /// 0 where there is none.
    pub(crate) id: u32,
    pub(crate) request: Option<Request<'a>>,
}

/// What a command asks for. JSON values stand as the text that came.
#[derive(Debug)]
pub(crate) enum Request<'a> {
    Connect(Connect<'a>),
    Subscribe {
        channel: Cow<'a, str>,
        token: Cow<'a, str>,
    },
    Unsubscribe {
        channel: Cow<'a, str>,
    },
    Publish {
        channel: Cow<'a, str>,
        data: Option<&'a str>,
    },
    /// A command that needs a part which this server does not have yet.
    Unavailable,
    Rpc,
    Send,
}

/// The first command of a connection.
#[derive(Debug, Deserialize)]
pub(crate) struct Connect<'a> {
    #[serde(default, borrow)]
    pub(crate) token: Cow<'a, str>,
    #[serde(default, borrow, deserialize_with = "text")]
    pub(crate) data: Option<&'a str>,
}

/// Text that is no command.
#[derive(Debug)]
pub(crate) struct Malformed;

/// Reads one line as a command. Unknown fields are passed over, as in Protobuf.
///
/// # Errors
/// When it is not an object with fields of the right types.
pub(crate) fn decode(line: &str) -> Result<Command<'_>, Malformed> {
    // serde would take a struct's fields from an array as well.
    if !line.trim_start().starts_with('{') {
        return Err(Malformed);
    }
    let wire: Wire<'_> = serde_json::from_str(line).map_err(|_| Malformed)?;
    Ok(Command { id: wire.id, request: wire.request() })
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(default)]
    id: u32,
    #[serde(borrow)]
    connect: Option<Connect<'a>>,
    #[serde(borrow)]
    subscribe: Option<InChannel<'a>>,
    #[serde(borrow)]
    unsubscribe: Option<InChannel<'a>>,
    #[serde(borrow)]
    publish: Option<Publish<'a>>,
    presence: Option<Ignored>,
    presence_stats: Option<Ignored>,
    history: Option<Ignored>,
    ping: Option<Ignored>,
    refresh: Option<Ignored>,
    sub_refresh: Option<Ignored>,
    rpc: Option<Ignored>,
    send: Option<Ignored>,
}

#[derive(Deserialize)]
struct InChannel<'a> {
    #[serde(default, borrow)]
    channel: Cow<'a, str>,
    #[serde(default, borrow)]
    token: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Publish<'a> {
    #[serde(default, borrow)]
    channel: Cow<'a, str>,
    #[serde(default, borrow, deserialize_with = "text")]
    data: Option<&'a str>,
}

/// An object whose fields do not matter.
#[derive(Deserialize)]
struct Ignored {}

impl<'a> Wire<'a> {
    /// The first request that is there; a command should have only one.
    fn request(self) -> Option<Request<'a>> {
        if let Some(connect) = self.connect {
            return Some(Request::Connect(connect));
        }
        if let Some(InChannel { channel, token }) = self.subscribe {
            return Some(Request::Subscribe { channel, token });
        }
        if let Some(InChannel { channel, .. }) = self.unsubscribe {
            return Some(Request::Unsubscribe { channel });
        }
        if let Some(Publish { channel, data }) = self.publish {
            return Some(Request::Publish { channel, data });
        }
        let unavailable =
            [self.presence, self.presence_stats, self.history, self.ping, self.refresh, self.sub_refresh];
        if unavailable.iter().any(Option::is_some) {
            return Some(Request::Unavailable);
        }
        if self.rpc.is_some() {
            return Some(Request::Rpc);
        }
        self.send.map(|_| Request::Send)
    }
}

/// The text of a JSON value, `null` being none.
fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de str>, D::Error> {
    let value = Option::<&'de RawValue>::deserialize(deserializer)?;
    Ok(value.map(RawValue::get))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_command_is_malformed() {
        for line in [
            "",
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
        ] {
            assert!(decode(line).is_err(), "{line}");
        }
    }

    #[test]
    fn data_stays_as_it_came() {
        let command =
            decode(r#"{"id":7,"publish":{"channel":"a\u0062","data":{"x": 1.50, "y":"é\n"}},"ext":{}}"#);
        let command = command.unwrap();
        assert_eq!(command.id, 7);
        let Some(Request::Publish { channel, data }) = command.request else { panic!("{command:?}") };
        assert_eq!(channel, "ab");
        assert_eq!(data, Some(r#"{"x": 1.50, "y":"é\n"}"#));
    }

    #[test]
    fn a_pong_has_neither_id_nor_request() {
        let command = decode("{}").unwrap();
        assert!(command.id == 0 && command.request.is_none());
    }
}
