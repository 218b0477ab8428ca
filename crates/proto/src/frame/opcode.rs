//! What a frame is (RFC 6455 §5.2, §11.8).

/// The four-bit opcode of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpCode {
    /// More of a message that an earlier frame began.
    Continuation,
    /// The first frame of a text message.
    Text,
    /// The first frame of a binary message.
    Binary,
    /// The closing handshake.
    Close,
    /// Asks for a [`OpCode::Pong`].
    Ping,
    /// Answers a [`OpCode::Ping`], or says unasked that the sender is alive.
    Pong,
}

impl OpCode {
    /// The opcode with these four bits, unless they are reserved.
    pub(crate) const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }

    /// The four bits on the wire.
    pub(crate) const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    /// Whether this is a control frame: at most 125 bytes, and never fragmented (§5.5).
    pub(crate) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_back() {
        for bits in 0..=0xF {
            let known = matches!(bits, 0..=2 | 8..=10);
            assert_eq!(OpCode::from_bits(bits).map(OpCode::bits), known.then_some(bits));
            assert_eq!(OpCode::from_bits(bits).is_some_and(OpCode::is_control), known && bits >= 8);
        }
    }
}
