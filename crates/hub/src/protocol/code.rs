//! The codes of the client protocol: number, name, sentence.
//!
//! The numbers and sentences are those of Centrifugo, so that its clients know what to do about each.

use std::borrow::Cow;
use std::fmt;

/// Makes the constants of a kind of code from a table.
macro_rules! table {
    ($kind:ident: $($name:ident = $code:literal, $sentence:literal $(, $temporary:ident)?;)+) => {
        impl $kind {
            $(#[doc = concat!("`", stringify!($code), "`: ", $sentence, ".")]
            pub const $name: Self = Self::known($code, $sentence, table!(@ $($temporary)?));)+

            /// Every code that the server itself gives.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
    (@) => { false };
    (@ temporary) => { true };
}

/// Why a command failed. The connection goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientError {
    /// 100 to 399 are the protocol's, 400 to 1999 the application's.
    pub code: u32,
    /// A sentence for people.
    pub message: Cow<'static, str>,
    /// Whether the same command may succeed later.
    pub temporary: bool,
}

impl ClientError {
    const fn known(code: u32, message: &'static str, temporary: bool) -> Self {
        Self { code, message: Cow::Borrowed(message), temporary }
    }
}

table! { ClientError:
    INTERNAL = 100, "internal server error", temporary;
    UNAUTHORIZED = 101, "unauthorized";
    UNKNOWN_CHANNEL = 102, "unknown channel";
    PERMISSION_DENIED = 103, "permission denied";
    METHOD_NOT_FOUND = 104, "method not found";
    ALREADY_SUBSCRIBED = 105, "already subscribed";
    LIMIT_EXCEEDED = 106, "limit exceeded";
    BAD_REQUEST = 107, "bad request";
    NOT_AVAILABLE = 108, "not available";
    TOKEN_EXPIRED = 109, "token expired";
    EXPIRED = 110, "expired";
    TOO_MANY_REQUESTS = 111, "too many requests", temporary;
    UNRECOVERABLE_POSITION = 112, "unrecoverable position";
}

/// Why a subscription ended: after 2000 to 2499 a client leaves it, after 2500 to 2999 it subscribes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribed {
    /// 0 and 1 are never sent: the client knows.
    pub code: u32,
    /// A sentence for people.
    pub reason: Cow<'static, str>,
}

impl Unsubscribed {
    const fn known(code: u32, reason: &'static str, _: bool) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }
}

table! { Unsubscribed:
    BY_CLIENT = 0, "client unsubscribed";
    DISCONNECTED = 1, "client disconnected";
    BY_SERVER = 2000, "server unsubscribe";
    INSUFFICIENT_STATE = 2500, "insufficient state";
    EXPIRED = 2501, "subscription expired";
}

/// Why the server ends a connection: the code and the reason of its Close frame. After 3000 to 3499 and 4000 to 4499 a client
/// comes back by itself, after 3500 to 3999 and 4500 to 4999 it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// 3000 to 3999 are the protocol's, 4000 to 4999 the application's.
    pub code: u32,
    /// A sentence for people, of at most 123 bytes in a Close frame (RFC 6455 §5.5).
    pub reason: Cow<'static, str>,
}

impl Disconnect {
    const fn known(code: u32, reason: &'static str, _: bool) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// Whether a client comes back by itself.
    pub fn is_reconnect(&self) -> bool {
        !matches!(self.code, 3500..=3999 | 4500..=4999)
    }
}

table! { Disconnect:
    CONNECTION_CLOSED = 3000, "connection closed";
    SHUTDOWN = 3001, "shutdown";
    SERVER_ERROR = 3004, "internal server error";
    EXPIRED = 3005, "connection expired";
    SUBSCRIPTION_EXPIRED = 3006, "subscription expired";
    SLOW = 3008, "slow";
    WRITE_ERROR = 3009, "write error";
    INSUFFICIENT_STATE = 3010, "insufficient state";
    FORCE_RECONNECT = 3011, "force reconnect";
    NO_PONG = 3012, "no pong";
    TOO_MANY_REQUESTS = 3013, "too many requests";
    INVALID_TOKEN = 3500, "invalid token";
    BAD_REQUEST = 3501, "bad request";
    STALE = 3502, "stale";
    FORCE_NO_RECONNECT = 3503, "force disconnect";
    CONNECTION_LIMIT = 3504, "connection limit";
    CHANNEL_LIMIT = 3505, "channel limit";
    INAPPROPRIATE_PROTOCOL = 3506, "inappropriate protocol";
    PERMISSION_DENIED = 3507, "permission denied";
    NOT_AVAILABLE = 3508, "not available";
    TOO_MANY_ERRORS = 3509, "too many errors";
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

impl std::error::Error for ClientError {}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.reason)
    }
}

impl std::error::Error for Disconnect {}

impl fmt::Display for Unsubscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.reason)
    }
}

/// What a command comes to when it does not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The command is answered with an error.
    Error(ClientError),
    /// The connection ends.
    Disconnect(Disconnect),
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        Self::Error(error)
    }
}

impl From<Disconnect> for Refusal {
    fn from(disconnect: Disconnect) -> Self {
        Self::Disconnect(disconnect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_a_client_does_next() {
        assert!(Disconnect::SHUTDOWN.is_reconnect());
        assert!(Disconnect::NO_PONG.is_reconnect());
        assert!(!Disconnect::INVALID_TOKEN.is_reconnect());
        assert!(Disconnect { code: 4000, reason: "".into() }.is_reconnect());
        assert!(!Disconnect { code: 4500, reason: "".into() }.is_reconnect());
    }

    #[test]
    fn no_code_stands_twice() {
        let codes = |all: Vec<u32>| all.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(codes(ClientError::ALL.iter().map(|known| known.code).collect()));
        assert!(codes(Unsubscribed::ALL.iter().map(|known| known.code).collect()));
        assert!(codes(Disconnect::ALL.iter().map(|known| known.code).collect()));
    }
}
