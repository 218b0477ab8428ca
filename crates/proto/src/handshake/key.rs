//! `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` (§4.1, §4.2.2, §11.3.1, §11.3.3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::Entropy;

/// The constant of §1.3 that a key is hashed with.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A `Sec-WebSocket-Key`: the base64 of 16 bytes, kept as it is written because that is what is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; 24]);

impl Key {
    /// A fresh key for one handshake (§4.1, item 7 of the request's list).
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce);
        let mut text = [0; 24];
        let written = STANDARD.encode_slice(nonce, &mut text);
        debug_assert_eq!(written, Ok(24));
        Self(text)
    }

    /// The key in a header's value, spaces around it removed; `None` unless it is 22 characters of base64 and `==`.
    ///
    /// The four bits of the last character that encode nothing may be set: RFC 6455 §4.1 has such a key as its example.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text: [u8; 24] = value.try_into().ok()?;
        let digits = text.strip_suffix(b"==")?;
        digits.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).then_some(Self(text))
    }

    /// What the server answers to this key (§4.2.2, item 5.4): the base64 of the SHA-1 of key and GUID.
    pub fn accept(&self) -> Accept {
        let mut text = [0; 28];
        let hash = Sha1::new().chain_update(self.0).chain_update(GUID).finalize();
        let written = STANDARD.encode_slice(hash, &mut text);
        debug_assert_eq!(written, Ok(28));
        Accept(text)
    }

    /// The key as it is written in the header.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

/// A `Sec-WebSocket-Accept`: the proof that the server has read the key and speaks WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept([u8; 28]);

impl Accept {
    /// Whether a header's value, of any length, is this.
    pub fn matches(&self, value: &[u8]) -> bool {
        value == self.0
    }

    /// The value as it is written in the header.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

/// Both types hold base64 only, so that this never falls back.
fn ascii(text: &[u8]) -> &str {
    std::str::from_utf8(text).unwrap_or_default()
}
