//! Pushes: what comes to a client without its asking.

use serde::Serialize;
use serde_json::value::RawValue;

/// Who a client is to others: the `info` of its publications.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ClientInfo {
    pub(crate) user: String,
    pub(crate) client: String,
    /// A JSON object about the connection, as its client (or, later, its token) gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) conn_info: Option<Box<RawValue>>,
}

/// What a publication carries.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Data<'a> {
    /// A JSON value.
    Json(&'a str),
    /// Text that need not be JSON.
    Text(&'a str),
    /// Any bytes.
    Binary(&'a [u8]),
}

/// The push of one publication. It holds no newline.
///
/// Text which is a JSON value stands as that value; other text is a JSON string, and bytes are a JSON string in base64.
pub(crate) fn push(channel: &str, data: Data<'_>, info: Option<&ClientInfo>) -> String {
    let data: Box<RawValue> = match data {
        Data::Json(text) | Data::Text(text) => value(text),
        Data::Binary(bytes) => string(&base64(bytes)),
    };
    let push = Wire { push: Push { channel, publication: Publication { data: &data, info } } };
    serde_json::to_string(&push).unwrap_or_default()
}

#[derive(Serialize)]
struct Wire<'a> {
    push: Push<'a>,
}

#[derive(Serialize)]
struct Push<'a> {
    channel: &'a str,
    #[serde(rename = "pub")]
    publication: Publication<'a>,
}

#[derive(Serialize)]
struct Publication<'a> {
    data: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a ClientInfo>,
}

fn value(text: &str) -> Box<RawValue> {
    // Line breaks stand only between the tokens of a JSON text (RFC 8259 §7), and there a space is as good.
    let line = text.replace(['\n', '\r'], " ");
    RawValue::from_string(line).unwrap_or_else(|_| string(text))
}

fn string(text: &str) -> Box<RawValue> {
    serde_json::value::to_raw_value(text).unwrap_or_default()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_one_line() {
        for (data, says) in [
            (Data::Json(r#"{"a":1}"#), r#"{"a":1}"#),
            (Data::Text("{\"a\":\r\n1}"), r#"{"a":  1}"#),
            (Data::Text("hi \"you\"\n"), r#""hi \"you\"\n""#),
            (Data::Text("{\"a\":"), r#""{\"a\":""#),
            (Data::Text(""), r#""""#),
            (Data::Binary(&[0, 255]), r#""AP8=""#),
        ] {
            let expected = format!(r#"{{"push":{{"channel":"c\"","pub":{{"data":{says}}}}}}}"#);
            assert_eq!(push("c\"", data, None), expected);
        }
    }

    #[test]
    fn info_says_who_published() {
        let mut info = ClientInfo { user: String::new(), client: "c1".into(), conn_info: None };
        let bare = push("x", Data::Json("1"), Some(&info));
        assert_eq!(bare, r#"{"push":{"channel":"x","pub":{"data":1,"info":{"user":"","client":"c1"}}}}"#);
        info.conn_info = RawValue::from_string(r#"{"name":"Ada"}"#.into()).ok();
        let named = push("x", Data::Json("1"), Some(&info));
        assert!(named.contains(r#""conn_info":{"name":"Ada"}"#), "{named}");
    }
}
