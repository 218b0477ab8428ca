//! The body of a Close frame and its status codes (RFC 6455 §5.5.1, §7.4).

use std::fmt;

use super::header::MAX_CONTROL;
use crate::violation::Violation;

/// Why a connection is closed: the status code of a Close frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

/// Code, name, and what it tells the other end, as registered with IANA.
const REGISTERED: [(u16, &str, &str); 15] = [
    (1000, "normal closure", "the purpose of the connection is fulfilled"),
    (1001, "going away", "the server goes down, or the browser leaves the page"),
    (1002, "protocol error", "the other end broke a rule of the protocol"),
    (1003, "unsupported data", "the other end sent a kind of data that cannot be accepted"),
    (1004, "reserved", "reserved; never on the wire"),
    (1005, "no status", "the Close frame had no code; never on the wire"),
    (1006, "abnormal closure", "there was no Close frame; never on the wire"),
    (1007, "invalid payload", "a message does not fit its kind, such as text that is not UTF-8"),
    (1008, "policy violation", "a message breaks a rule of the application"),
    (1009, "message too big", "a message is larger than this end accepts"),
    (1010, "mandatory extension", "the client needs an extension that the server did not accept"),
    (1011, "internal error", "this end met a condition that keeps it from going on"),
    (1012, "service restart", "the server restarts; come back after a random delay"),
    (1013, "try again later", "the server is overloaded"),
    (1014, "bad gateway", "a gateway got an invalid answer from the server behind it"),
];

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down, or the browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the other end broke a rule of the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that cannot be accepted.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1005: the peer's Close frame had no code. Only reported, never sent (§7.4.1).
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: there was no Close frame. Only reported, never sent (§7.4.1).
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: a message does not fit its kind.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message breaks a rule of the application.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message is larger than this end accepts.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1011: a condition that keeps this end from going on.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the server restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the server is overloaded.
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// The code with this number, whether or not it may be sent.
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Whether a Close frame may carry it: 1000 to 1003, 1007 to 1014, 3000 to 4999 (§7.4).
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Its registered name, if it has one.
    pub fn name(self) -> Option<&'static str> {
        REGISTERED.iter().find(|row| row.0 == self.0).map(|row| row.1)
    }

    /// What it tells the other end, if it is registered.
    pub fn meaning(self) -> Option<&'static str> {
        REGISTERED.iter().find(|row| row.0 == self.0).map(|row| row.2)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a Close frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The status code; [`CloseCode::NO_STATUS`] stands for a frame with an empty body.
    pub code: CloseCode,
    /// The reason, for people who read logs: at most 123 bytes.
    pub reason: String,
}

/// A Close frame cannot say this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidClose {
    /// The code is none that may be sent (§7.4).
    Code(CloseCode),
    /// The reason has this many bytes, and the limit is 123 (§5.5).
    ReasonTooLong(usize),
}

impl fmt::Display for InvalidClose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(
                f,
                "close code {code} must not be sent; use 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455 §7.4)"
            ),
            Self::ReasonTooLong(length) => {
                write!(f, "a close reason of {length} bytes is above the limit of 123 (RFC 6455 §5.5)")
            }
        }
    }
}

impl std::error::Error for InvalidClose {}

impl Close {
    /// A Close with nothing in it.
    pub const fn empty() -> Self {
        Self { code: CloseCode::NO_STATUS, reason: String::new() }
    }

    /// Reads the body of a Close frame.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Violation> {
        let Some((code, reason)) = body.split_first_chunk::<2>() else {
            return if body.is_empty() { Ok(Self::empty()) } else { Err(Violation::CloseBodyOfOneByte) };
        };
        let code = CloseCode(u16::from_be_bytes(*code));
        if !code.is_sendable() {
            return Err(Violation::InvalidCloseCode(code.0));
        }
        let reason = std::str::from_utf8(reason).map_err(|_| Violation::InvalidCloseReason)?;
        Ok(Self { code, reason: reason.to_owned() })
    }

    /// The body of the Close frame that says this.
    pub(crate) fn encode(code: CloseCode, reason: &str) -> Result<Vec<u8>, InvalidClose> {
        if !code.is_sendable() {
            return Err(InvalidClose::Code(code));
        }
        if reason.len() > MAX_CONTROL - 2 {
            return Err(InvalidClose::ReasonTooLong(reason.len()));
        }
        Ok([&code.0.to_be_bytes(), reason.as_bytes()].concat())
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason.is_empty() {
            write!(f, "{}", self.code)
        } else {
            write!(f, "{}: {}", self.code, self.reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_may_be_sent() {
        for code in 0..=u16::MAX {
            let allowed = (1000..=1003).contains(&code)
                || (1007..=1014).contains(&code)
                || (3000..=4999).contains(&code);
            let body = code.to_be_bytes();
            assert_eq!(Close::decode(&body).is_ok(), allowed, "{code} received");
            assert_eq!(Close::encode(CloseCode(code), "").is_ok(), allowed, "{code} sent");
        }
    }

    #[test]
    fn bodies() {
        assert_eq!(Close::decode(&[]), Ok(Close::empty()));
        assert_eq!(Close::decode(&[3]), Err(Violation::CloseBodyOfOneByte));
        assert_eq!(Close::decode(&[3, 232, 0xFF]), Err(Violation::InvalidCloseReason));
        let bye = Close { code: CloseCode::NORMAL, reason: "tschüß".into() };
        assert_eq!(Close::decode(&Close::encode(bye.code, &bye.reason).unwrap()), Ok(bye));
        assert_eq!(Close::encode(CloseCode::NORMAL, &"x".repeat(124)), Err(InvalidClose::ReasonTooLong(124)));
    }
}
