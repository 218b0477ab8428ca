//! What publications carry, in the forms in which members of a channel take it.

use base64::Engine as _;
use bytes::Bytes;
use serde_json::value::RawValue;

/// Data of the application, with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Data {
    /// A JSON value.
    Json(Bytes),
    /// UTF-8 text that need not be JSON.
    Text(Bytes),
    /// Any bytes.
    Binary(Bytes),
}

impl Data {
    /// The bytes, as they came.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Json(bytes) | Self::Text(bytes) | Self::Binary(bytes) => bytes,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// A JSON value without line breaks that stands for it: a value for itself, other text for a string, and bytes that are
    /// neither for a string in base64.
    pub fn to_json(&self) -> Bytes {
        let bytes = self.bytes();
        if let Self::Json(_) = self {
            return one_line(bytes);
        }
        if bytes.is_empty() && matches!(self, Self::Binary(_)) {
            return Bytes::new();
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if serde_json::from_str::<&RawValue>(text).is_ok() => one_line(bytes),
            Ok(text) => string(text),
            Err(_) => string(&base64::engine::general_purpose::STANDARD.encode(bytes)),
        }
    }

    /// The bytes as the contents of a JSON string, as clients want them that take differences.
    pub fn to_json_string(&self) -> Bytes {
        quote(&self.to_json())
    }
}

/// Bytes of JSON or of a difference between such, as a JSON string.
pub(crate) fn quote(bytes: &[u8]) -> Bytes {
    string(&String::from_utf8_lossy(bytes))
}

/// Line breaks stand only between the tokens of a JSON text (RFC 8259 §7), and there a space is as good.
fn one_line(bytes: &Bytes) -> Bytes {
    if !bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return bytes.clone();
    }
    bytes.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
}

fn string(text: &str) -> Bytes {
    serde_json::to_vec(text).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_was_published_can_stand_in_json() {
        for (data, says) in [
            (Data::Json(r#"{"a":1}"#.into()), r#"{"a":1}"#),
            (Data::Text("{\"a\":\r\n1}".into()), r#"{"a":  1}"#),
            (Data::Text("hi \"you\"\n".into()), r#""hi \"you\"\n""#),
            (Data::Text("{\"a\":".into()), r#""{\"a\":""#),
            (Data::Text("".into()), r#""""#),
            (Data::Binary(Bytes::from_static(&[0, 255])), r#""AP8=""#),
            (Data::Binary(Bytes::from_static(b"[1]")), "[1]"),
            (Data::Binary(Bytes::new()), ""),
        ] {
            assert_eq!(data.to_json(), says, "{data:?}");
        }
        assert_eq!(Data::Json(r#"{"a":1}"#.into()).to_json_string(), r#""{\"a\":1}""#);
    }
}
