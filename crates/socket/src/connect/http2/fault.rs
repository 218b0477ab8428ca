//! What can go wrong in HTTP/2 on the way to a WebSocket.

use std::{fmt, io};

use h2::Reason;

/// What a server did instead of opening a stream; codes are those of RFC 9113 §7.
#[derive(Debug)]
#[non_exhaustive]
pub enum Http2Fault {
    /// It does not speak HTTP/2: it chose another protocol in the TLS handshake (ALPN).
    NotSpoken,
    /// It speaks HTTP/2 without WebSockets: it has not sent `SETTINGS_ENABLE_CONNECT_PROTOCOL` with 1 (RFC 8441 §3).
    NoWebSockets,
    /// It reset the stream with this code.
    Reset(u32),
    /// It opens no more streams on this connection, with this code; 0 is a shutdown in order.
    GoAway(u32),
    /// It broke HTTP/2, and was told so with this code.
    Broken(u32),
    /// The stream below failed.
    Stream(io::Error),
}

impl Http2Fault {
    pub(super) fn new(error: h2::Error) -> Self {
        let code = u32::from(error.reason().unwrap_or(Reason::INTERNAL_ERROR));
        match () {
            () if error.is_library() => Self::Broken(code),
            () if error.is_go_away() => Self::GoAway(code),
            () if error.is_reset() => Self::Reset(code),
            () => Self::Stream(into_io(error)),
        }
    }

    /// Whether the server can be expected to take the same request over HTTP/1.1.
    pub(in crate::connect) fn asks_for_http1(&self) -> bool {
        let required = u32::from(Reason::HTTP_1_1_REQUIRED);
        match self {
            Self::NotSpoken | Self::NoWebSockets => true,
            Self::Reset(code) | Self::GoAway(code) => *code == required,
            Self::Broken(_) | Self::Stream(_) => false,
        }
    }
}

impl fmt::Display for Http2Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |code: &u32| Reason::from(*code);
        match self {
            Self::NotSpoken => f.write_str("the server does not speak HTTP/2: connect over HTTP/1.1"),
            Self::NoWebSockets => f.write_str(
                "the server takes no WebSockets over HTTP/2 (it has not sent SETTINGS_ENABLE_CONNECT_PROTOCOL): connect over HTTP/1.1",
            ),
            Self::Reset(code) => {
                write!(f, "the server reset the stream with code {code} ({:?})", name(code))
            }
            Self::GoAway(code) => write!(
                f,
                "the server opens no more streams on this connection (GOAWAY with code {code}, {:?}): make another",
                name(code)
            ),
            Self::Broken(code) => {
                write!(f, "the server broke the rules of HTTP/2: code {code} ({:?})", name(code))
            }
            Self::Stream(error) => write!(f, "the HTTP/2 connection failed: {error}"),
        }
    }
}

/// The same for whoever reads and writes: a reset is one.
pub(super) fn into_io(error: h2::Error) -> io::Error {
    if error.is_io() {
        return error.into_io().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into());
    }
    let kind = match () {
        () if error.is_library() => io::ErrorKind::InvalidData,
        () if error.is_go_away() => io::ErrorKind::ConnectionAborted,
        () if error.is_reset() => io::ErrorKind::ConnectionReset,
        () => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
