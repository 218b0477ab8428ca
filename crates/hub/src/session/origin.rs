//! Where a client comes from, what it listens on, and what is random about its session.

use std::net::IpAddr;
use std::sync::Arc;

use crate::protocol::Encoding;

/// Where a client comes from, and how it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// How it writes commands.
    pub encoding: Encoding,
    /// What it listens on.
    pub transport: Transport,
    /// The address that its requests come from, where that is known, for the log.
    pub remote: Option<IpAddr>,
    /// The headers of its request that hooks are given: names in lower case.
    pub headers: Arc<[(Box<str>, Box<str>)]>,
}

/// What a client listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A WebSocket, on which it speaks as well.
    WebSocket,
    /// A response without end.
    HttpStream,
    /// A response without end, of Server-Sent Events.
    Sse,
    /// One response after the other.
    Poll,
    /// A response without end, of plain events: the client knows no protocol.
    EventSource,
}

impl Transport {
    /// As hooks and logs have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::HttpStream => "http_stream",
            Self::Sse => "sse",
            Self::Poll => "poll",
            Self::EventSource => "event_source",
        }
    }

    /// Whether the client speaks beside it, by the secret of its session.
    pub const fn is_emulated(self) -> bool {
        matches!(self, Self::HttpStream | Self::Sse | Self::Poll)
    }

    /// Whether the server pings on it: a poll ends soon anyway, and not every client can answer.
    pub const fn is_pinged(self) -> bool {
        !matches!(self, Self::Poll | Self::EventSource)
    }
}

/// What is random about a session, from the operating system.
#[derive(Debug, Clone, Copy)]
pub struct Seed {
    /// Becomes the client's id.
    pub id: [u8; 16],
    /// Becomes the secret of the session.
    pub secret: [u8; 16],
    /// Spreads the pings of many.
    pub spread: u64,
}

impl Seed {
    /// A new one.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn new() -> Result<Self, getrandom::Error> {
        let (mut id, mut secret, mut spread) = ([0; 16], [0; 16], [0; 8]);
        getrandom::fill(&mut id)?;
        getrandom::fill(&mut secret)?;
        getrandom::fill(&mut spread)?;
        Ok(Self { id, secret, spread: u64::from_ne_bytes(spread) })
    }
}
