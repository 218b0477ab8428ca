//! What a connection tells its driver.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::frame::close::Close;
use crate::violation::Violation;

/// Whether a message is text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It sent the request, and masks its frames.
    Client,
    /// It answered the request.
    Server,
}

/// What has come from the peer. Borrows from the input where it can.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'i> {
    /// A whole text message.
    Text(Cow<'i, str>),
    /// A whole binary message.
    Binary(Cow<'i, [u8]>),
    /// A message begins ([`Delivery::Streamed`](crate::Delivery::Streamed)).
    Begin(Kind),
    /// More of the message that is open: never empty. Text may be cut within a code point; all of it up to there is checked.
    Chunk(Cow<'i, [u8]>),
    /// The message that is open has come to its end.
    End,
    /// A Ping. Its Pong is in the outbox already, unless this end has sent its Close, or much waits: then the latest Ping is
    /// answered when there is room.
    Ping(Cow<'i, [u8]>),
    /// A Pong.
    Pong {
        /// What the Ping said, if the Pong answers one.
        payload: Cow<'i, [u8]>,
        /// Since the Ping that it answers, if it answers the latest of this end.
        round_trip: Option<Duration>,
    },
    /// The last event: there will be no other message, and none can be sent.
    Closed(Box<End>),
}

/// How a connection ended: what each side said, and who began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The Close frame of this end, if it sent one.
    pub sent: Option<Close>,
    /// The Close frame of the peer, if it came.
    pub received: Option<Close>,
    /// Who sent a Close frame first, if anybody did.
    pub first: Option<Side>,
    /// What ended it.
    pub cause: Cause,
}

/// One of the two ends, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This end.
    Local,
    /// The other end.
    Peer,
}

/// What ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The closing handshake: each side sent its Close frame.
    Handshake,
    /// The peer broke a rule or went over a limit, and was told so.
    Violation(Violation),
    /// The peer ended its stream without a Close frame.
    Eof(Eof),
    /// The transport failed.
    Reset,
    /// The closing handshake took longer than its budget.
    CloseTimeout,
    /// Nothing came for so long after a Ping.
    KeepAliveTimeout(Duration),
}

/// How the peer's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eof {
    /// In order: a TCP FIN, or under TLS a `close_notify`.
    Clean,
    /// Under TLS, without `close_notify`: somebody in between may have cut it.
    Truncated,
}

impl End {
    /// Whether both sides sent a Close frame, whatever its code: [`received`](Self::received) says whether the peer complained.
    pub fn is_clean(&self) -> bool {
        self.cause == Cause::Handshake
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake => f.write_str("closed by both sides"),
            Self::Violation(violation) => write!(f, "the peer broke a rule: {violation}"),
            Self::Eof(Eof::Clean) => f.write_str("the peer ended the stream without a Close frame"),
            Self::Eof(Eof::Truncated) => {
                f.write_str("the TLS stream was cut off: no Close frame and no close_notify")
            }
            Self::Reset => f.write_str("the transport failed"),
            Self::CloseTimeout => f.write_str("the closing handshake took too long"),
            Self::KeepAliveTimeout(after) => write!(f, "the peer was silent for {after:?} after a Ping"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        if let Some(close) = &self.received {
            write!(f, "; the peer said {close}")?;
        }
        if let Some(close) = &self.sent {
            write!(f, "; this end said {close}")?;
        }
        Ok(())
    }
}
