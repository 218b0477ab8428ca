//! Header fields that a caller adds to a request or a response.

use std::fmt;

use super::token::is_token;

/// Why a header that a caller wants to send is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldError {
    /// The name is not a token (RFC 9110 §5.1).
    Name(Box<str>),
    /// The value has a control byte, as CR and LF are: it could start another header or request (RFC 9110 §5.5).
    Value {
        /// The name of the header.
        name: Box<str>,
        /// The control byte.
        byte: u8,
    },
    /// The header belongs to the handshake, which sets it itself.
    Reserved(Box<str>),
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => {
                write!(f, "header name {name:?} is not a token: use letters, digits and hyphens")
            }
            Self::Value { name, byte } => {
                write!(f, "the value of header {name} has the control byte 0x{byte:02x}: remove or encode it")
            }
            Self::Reserved(name) => write!(f, "header {name} is set by the handshake and cannot be added"),
        }
    }
}

impl std::error::Error for FieldError {}

/// Headers of the handshake itself and of the message's framing, on both sides; and all that start with `sec-websocket-`.
const RESERVED: &[&str] = &[
    "host",
    "upgrade",
    "connection",
    "origin",
    "content-length",
    "transfer-encoding",
    "trailer",
    "te",
    "expect",
];

/// Checks that a header can be added: its name is a token and not reserved, its value has no control bytes.
pub(crate) fn check(name: &str, value: &str) -> Result<(), FieldError> {
    if !is_token(name.as_bytes()) {
        return Err(FieldError::Name(name.into()));
    }
    let prefix = "sec-websocket-";
    let ours = name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if ours || RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        return Err(FieldError::Reserved(name.into()));
    }
    match value.bytes().find(|&b| is_control(b)) {
        Some(byte) => Err(FieldError::Value { name: name.into(), byte }),
        None => Ok(()),
    }
}

/// Whether a byte may not stand in a header's value: all control bytes but the tab (RFC 9110 §5.5).
pub(crate) const fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

/// Removes optional whitespace, spaces and tabs, from both ends (RFC 9110 §5.6.3).
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
