//! permessage-deflate (RFC 7692).
//!
//! [`Offer`] and [`Params`] are what the two ends say of it in the opening handshake; [`Deflater`] and [`Inflater`] are what
//! they then do to the payload of a message.

mod codec;
mod offer;

pub use codec::{Deflater, DeflaterSettings, InflateError, Inflated, Inflater};
pub use offer::{ClientWindow, Offer};
pub(crate) use offer::{NAME, accept, check};

/// What the two ends have agreed on (RFC 7692 §7.1), from neither end's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// The server resets its compressor after each message (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client resets its compressor after each message (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server's window is at most two to this power bytes: 8 to 15 (§7.1.2.1).
    pub server_max_window_bits: u8,
    /// The client's window is at most two to this power bytes: 8 to 15 (§7.1.2.2).
    pub client_max_window_bits: u8,
}

/// What this end does with permessage-deflate where the peer leaves it free to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateConfig {
    /// zlib's level, 0 to 9; at 1, the default, whole messages without context takeover take a compressor of our own.
    pub level: u8,
    /// zlib's memory level, 1 to 9.
    pub memory_level: u8,
    /// Messages below this many bytes are sent as they are: compressed, they would hardly be shorter.
    pub threshold: usize,
    /// Resets this end's compressor after each message, so that idle connections hold no memory for it.
    pub no_context_takeover: bool,
    /// Asks the peer to do the same, so that idle connections hold no memory for its window.
    pub peer_no_context_takeover: bool,
    /// The largest window of this end's compressor, 9 to 15.
    pub max_window_bits: u8,
    /// The largest window that the peer's compressor may use, 9 to 15.
    pub peer_max_window_bits: u8,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self {
            level: 1,
            memory_level: 8,
            threshold: 128,
            no_context_takeover: true,
            peer_no_context_takeover: true,
            max_window_bits: 15,
            peer_max_window_bits: 15,
        }
    }
}
