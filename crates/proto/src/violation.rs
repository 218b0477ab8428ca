//! The rules that a peer can break once the connection is open, as one table.

use std::fmt;

use crate::frame::close::CloseCode;

/// A rule that the peer broke, or a limit of this end that it went over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// RSV2 or RSV3 is set, or RSV1 where permessage-deflate gives it no meaning.
    ReservedBits,
    /// An opcode of 3 to 7 or 11 to 15.
    ReservedOpcode(u8),
    /// A control frame with FIN clear.
    FragmentedControl,
    /// A control frame of more than 125 bytes.
    LongControl,
    /// A frame from a client without a mask.
    UnmaskedFrame,
    /// A frame from a server with a mask.
    MaskedFrame,
    /// A length that fits a shorter form.
    NonMinimalLength,
    /// A length with its most significant bit set.
    LengthBeyond63Bits,
    /// A continuation frame, but no message is open.
    UnexpectedContinuation,
    /// A new message, but one is open still.
    ExpectedContinuation,
    /// A text message that is not UTF-8.
    InvalidUtf8,
    /// A Close frame whose body is half a status code.
    CloseBodyOfOneByte,
    /// A Close frame with a status code that must not be sent.
    InvalidCloseCode(u16),
    /// A Close frame whose reason is not UTF-8.
    InvalidCloseReason,
    /// A compressed message that is not DEFLATE.
    InvalidDeflate,
    /// A frame above [`Limits::frame`](crate::Limits::frame).
    FrameTooBig {
        /// The length that the frame's head declares.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// A message above [`Limits::message`](crate::Limits::message), counted after decompression.
    MessageTooBig {
        /// The limit.
        limit: u64,
    },
    /// A message in more frames than [`Limits::fragments`](crate::Limits::fragments).
    TooManyFragments {
        /// The limit.
        limit: u32,
    },
}

impl Violation {
    /// The section that has the rule, the code of the Close frame that answers it, and a sentence for people.
    const fn row(&self) -> (&'static str, CloseCode, &'static str) {
        use CloseCode as C;
        match self {
            Self::ReservedBits => ("§5.2", C::PROTOCOL_ERROR, "a reserved bit is set"),
            Self::ReservedOpcode(_) => ("§5.2", C::PROTOCOL_ERROR, "the opcode is reserved"),
            Self::FragmentedControl => ("§5.5", C::PROTOCOL_ERROR, "a control frame is fragmented"),
            Self::LongControl => ("§5.5", C::PROTOCOL_ERROR, "a control frame is above 125 bytes"),
            Self::UnmaskedFrame => ("§5.1", C::PROTOCOL_ERROR, "a client's frame is not masked"),
            Self::MaskedFrame => ("§5.1", C::PROTOCOL_ERROR, "a server's frame is masked"),
            Self::NonMinimalLength => ("§5.2", C::PROTOCOL_ERROR, "the length is not in its shortest form"),
            Self::LengthBeyond63Bits => ("§5.2", C::PROTOCOL_ERROR, "the length's first bit is set"),
            Self::UnexpectedContinuation => {
                ("§5.4", C::PROTOCOL_ERROR, "a continuation, but no message is open")
            }
            Self::ExpectedContinuation => ("§5.4", C::PROTOCOL_ERROR, "a new message within an open one"),
            Self::InvalidUtf8 => ("§8.1", C::INVALID_PAYLOAD, "a text message is not UTF-8"),
            Self::CloseBodyOfOneByte => {
                ("§5.5.1", C::PROTOCOL_ERROR, "the Close frame has a body of one byte")
            }
            Self::InvalidCloseCode(_) => ("§7.4", C::PROTOCOL_ERROR, "the close code must not be sent"),
            Self::InvalidCloseReason => ("§5.5.1", C::INVALID_PAYLOAD, "the close reason is not UTF-8"),
            Self::InvalidDeflate => {
                ("RFC 7692 §7.2.2", C::INVALID_PAYLOAD, "a compressed message is not DEFLATE")
            }
            Self::FrameTooBig { .. } => ("§10.4", C::MESSAGE_TOO_BIG, "the frame is above the limit"),
            Self::MessageTooBig { .. } => ("§10.4", C::MESSAGE_TOO_BIG, "the message is above the limit"),
            Self::TooManyFragments { .. } => {
                ("§10.4", C::MESSAGE_TOO_BIG, "the message is in too many frames")
            }
        }
    }

    /// The section of RFC 6455 (or, named, of RFC 7692) that has the rule.
    pub const fn section(&self) -> &'static str {
        self.row().0
    }

    /// The code of the Close frame that answers it (§7.1.7).
    pub const fn close_code(&self) -> CloseCode {
        self.row().1
    }
}

/// The sentence with the value and the limit: short enough for the reason of a Close frame.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (section, _, sentence) = self.row();
        f.write_str(sentence)?;
        match self {
            Self::ReservedOpcode(opcode) => write!(f, ": {opcode}")?,
            Self::InvalidCloseCode(code) => write!(f, ": {code}")?,
            Self::FrameTooBig { length, limit } => write!(f, ": {length} bytes, limit {limit}")?,
            Self::MessageTooBig { limit } => write!(f, " of {limit} bytes")?,
            Self::TooManyFragments { limit } => write!(f, ", limit {limit}")?,
            _ => {}
        }
        write!(f, " ({section})")
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_fit_a_close_reason() {
        let longest = Violation::FrameTooBig { length: u64::MAX, limit: u64::MAX };
        for violation in [longest, Violation::MessageTooBig { limit: u64::MAX }, Violation::InvalidDeflate] {
            assert!(violation.to_string().len() <= 123, "{violation}");
            assert!(violation.close_code().is_sendable());
        }
        assert_eq!(Violation::ReservedOpcode(3).to_string(), "the opcode is reserved: 3 (§5.2)");
    }
}
