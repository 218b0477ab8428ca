//! What a connection accepts, and how long it waits.

use std::time::Duration;

use crate::deflate::DeflateConfig;

/// What a connection accepts, keeps and waits for. One value serves many connections.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What the peer may make this end hold.
    pub limits: Limits,
    /// The budget of the closing handshake: from the first Close frame of either side to the end of the transport.
    pub close: CloseTimeout,
    /// Pings, to notice a dead peer. `None`: no pings.
    pub keep_alive: Option<KeepAliveConfig>,
    /// How messages are handed out.
    pub delivery: Delivery,
    /// This end's side of permessage-deflate, where it was agreed on.
    pub deflate: DeflateConfig,
}

/// The budget of the closing handshake: 5 seconds by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseTimeout(pub Duration);

impl Default for CloseTimeout {
    fn default() -> Self {
        Self(Duration::from_secs(5))
    }
}

/// What the peer may make this end hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The payload of a frame, in bytes on the wire. Told from the frame's head, before any of the payload is kept.
    pub frame: u64,
    /// A message, in bytes after decompression.
    pub message: u64,
    /// The frames of one message, empty ones included.
    pub fragments: u32,
    /// Bytes that wait to be written. At or above it sending is refused; one message may go beyond.
    pub outbox: usize,
}

impl Default for Limits {
    /// 1 MiB for frames, messages and the outbox, and 1,024 frames in a message.
    fn default() -> Self {
        Self { frame: 1 << 20, message: 1 << 20, fragments: 1024, outbox: 1 << 20 }
    }
}

/// When to ask the peer whether it is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAliveConfig {
    /// From one Ping to the next.
    pub interval: Duration,
    /// How long the peer may be silent after a Ping. Any byte from it counts, so that a long message on a slow line does not
    /// look like a dead peer.
    pub timeout: Duration,
}

impl Default for KeepAliveConfig {
    /// Every 25 seconds, with 8 seconds to answer.
    fn default() -> Self {
        Self { interval: Duration::from_secs(25), timeout: Duration::from_secs(8) }
    }
}

/// How messages are handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Whole: [`Event::Text`](crate::Event::Text) and [`Event::Binary`](crate::Event::Binary).
    #[default]
    Assembled,
    /// As they arrive, within a frame as well: [`Event::Begin`](crate::Event::Begin), [`Event::Chunk`](crate::Event::Chunk),
    /// [`Event::End`](crate::Event::End). Memory stays constant whatever the size of the message.
    Streamed,
}
