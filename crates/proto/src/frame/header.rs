//! The head of a frame (RFC 6455 §5.2).
//!
//! ```text
//!  0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |F|R|R|R|opcode |M| length      | 0, 2 or 8 bytes more of it,   |
//! |I|S|S|S|  (4)  |A|    (7)      | then the mask of 4, if M      |
//! |N|V|V|V|       |S|             |                               |
//! | |1|2|3|       |K|             |                               |
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! ```

use super::mask::Key;
use super::opcode::OpCode;
use crate::violation::Violation;

/// The longest head: 2 bytes, 8 of length, 4 of mask.
pub(crate) const MAX_HEADER: usize = 14;

/// The largest payload of a control frame (§5.5).
pub(crate) const MAX_CONTROL: usize = 125;

/// What the head of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    /// "Per-message compressed" on the first frame of a message (RFC 7692 §6).
    pub(crate) rsv1: bool,
    pub(crate) opcode: OpCode,
    pub(crate) mask: Option<Key>,
    pub(crate) length: u64,
}

/// What the first byte of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) fin: bool,
    pub(crate) rsv1: bool,
    pub(crate) opcode: OpCode,
}

impl First {
    /// Reads the first byte, and refuses what no extension known here gives a meaning to.
    pub(crate) fn decode(byte: u8) -> Result<Self, Violation> {
        let opcode = OpCode::from_bits(byte & 0x0F).ok_or(Violation::ReservedOpcode(byte & 0x0F))?;
        let first = Self { fin: byte & 0x80 != 0, rsv1: byte & 0x40 != 0, opcode };
        if byte & 0x30 != 0 {
            return Err(Violation::ReservedBits);
        }
        if opcode.is_control() && !first.fin {
            return Err(Violation::FragmentedControl);
        }
        Ok(first)
    }
}

/// The bytes of a head, on the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeaderBytes {
    bytes: [u8; MAX_HEADER],
    length: u8,
}

impl HeaderBytes {
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl Header {
    /// Reads a head whose first byte has been read as `first`, and says how many bytes it took.
    /// `None` while it is incomplete; what is wrong is refused at the first byte that shows it.
    pub(crate) fn decode(
        first: First,
        bytes: &[u8],
        masked: bool,
    ) -> Result<Option<(Self, usize)>, Violation> {
        let Some(&[_, second]) = bytes.first_chunk::<2>() else { return Ok(None) };
        // §5.1: a client masks every frame, a server none.
        if (second & 0x80 != 0) != masked {
            return Err(if masked { Violation::UnmaskedFrame } else { Violation::MaskedFrame });
        }
        let short = second & 0x7F;
        if first.opcode.is_control() && usize::from(short) > MAX_CONTROL {
            return Err(Violation::LongControl);
        }
        let (length, taken) = match short {
            126 => match bytes.get(2..).and_then(|b| b.first_chunk::<2>()) {
                Some(length) => (u64::from(u16::from_be_bytes(*length)), 4),
                None => return Ok(None),
            },
            127 => match bytes.get(2..).and_then(|b| b.first_chunk::<8>()) {
                Some(length) => (u64::from_be_bytes(*length), 10),
                // The most significant bit is told by the first of the eight.
                None if bytes.get(2).is_some_and(|byte| byte & 0x80 != 0) => {
                    return Err(Violation::LengthBeyond63Bits);
                }
                None => return Ok(None),
            },
            _ => (u64::from(short), 2),
        };
        if length > u64::MAX >> 1 {
            return Err(Violation::LengthBeyond63Bits);
        }
        // §5.2: "the minimal number of bytes MUST be used to encode the length".
        if (taken == 4 && length < 126) || (taken == 10 && length <= 0xFFFF) {
            return Err(Violation::NonMinimalLength);
        }
        let First { fin, rsv1, opcode } = first;
        if !masked {
            return Ok(Some((Self { fin, rsv1, opcode, mask: None, length }, taken)));
        }
        match bytes.get(taken..).and_then(|b| b.first_chunk::<4>()) {
            Some(key) => Ok(Some((Self { fin, rsv1, opcode, mask: Some(*key), length }, taken + 4))),
            None => Ok(None),
        }
    }

    /// Appends the bytes on the wire.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        match (self.mask, self.length) {
            // Most of a server's frames. The bytes stay in registers: put together in memory and read from there as a
            // whole, they would cost more than all the rest of the frame (a failed store forwarding).
            (None, 0..=125) => out.extend_from_slice(&[self.first(), self.length as u8]),
            (None, 126..=0xFFFF) => {
                let [high, low] = (self.length as u16).to_be_bytes();
                out.extend_from_slice(&[self.first(), 126, high, low]);
            }
            _ => out.extend_from_slice(self.encode().as_slice()),
        }
    }

    fn first(&self) -> u8 {
        u8::from(self.fin) << 7 | u8::from(self.rsv1) << 6 | self.opcode.bits()
    }

    /// The bytes on the wire, with the length in its minimal form.
    pub(crate) fn encode(&self) -> HeaderBytes {
        let mask_bit = if self.mask.is_some() { 0x80 } else { 0 };
        let mut bytes = [0; MAX_HEADER];
        let [b0, b1, extended @ ..] = &mut bytes;
        *b0 = self.first();
        let length = match self.length {
            0..=125 => {
                *b1 = mask_bit | self.length as u8;
                2
            }
            126..=0xFFFF => {
                *b1 = mask_bit | 126;
                if let Some(slot) = extended.first_chunk_mut() {
                    *slot = (self.length as u16).to_be_bytes();
                }
                4
            }
            _ => {
                *b1 = mask_bit | 127;
                if let Some(slot) = extended.first_chunk_mut() {
                    *slot = self.length.to_be_bytes();
                }
                10
            }
        };
        let Some(key) = self.mask else { return HeaderBytes { bytes, length } };
        if let Some(slot) = bytes.get_mut(usize::from(length)..).and_then(|rest| rest.first_chunk_mut()) {
            *slot = key;
        }
        HeaderBytes { bytes, length: length + 4 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8], masked: bool) -> Result<Option<(Header, usize)>, Violation> {
        Header::decode(First::decode(bytes[0])?, bytes, masked)
    }

    #[test]
    fn encodes_and_decodes_every_class_of_length() {
        for length in [0, 1, 125, 126, 127, 0xFFFF, 0x1_0000, u64::MAX >> 1] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let header = Header { fin: true, rsv1: false, opcode: OpCode::Binary, mask, length };
                let bytes = header.encode();
                let mut put = Vec::new();
                header.put(&mut put);
                assert_eq!(put, bytes.as_slice());
                assert_eq!(
                    decode(bytes.as_slice(), mask.is_some()),
                    Ok(Some((header, bytes.as_slice().len())))
                );
                for cut in 1..bytes.as_slice().len() {
                    assert_eq!(decode(&bytes.as_slice()[..cut], mask.is_some()), Ok(None), "cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn refuses_at_the_first_byte_that_shows_it() {
        for (bytes, masked, expected) in [
            (&[0x90][..], true, Violation::ReservedBits),
            (&[0xA1], true, Violation::ReservedBits),
            (&[0x83], true, Violation::ReservedOpcode(3)),
            (&[0x8B], true, Violation::ReservedOpcode(11)),
            (&[0x09], true, Violation::FragmentedControl),
            (&[0x82, 0x05], true, Violation::UnmaskedFrame),
            (&[0x82, 0x85], false, Violation::MaskedFrame),
            (&[0x89, 0xFE], true, Violation::LongControl),
            (&[0x88, 126], false, Violation::LongControl),
            (&[0x82, 126, 0, 125], false, Violation::NonMinimalLength),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], false, Violation::NonMinimalLength),
            (&[0x82, 127, 0x80], false, Violation::LengthBeyond63Bits),
            (&[0x82, 127, 0xFF, 255, 255, 255, 255, 255, 255, 255], false, Violation::LengthBeyond63Bits),
        ] {
            assert_eq!(decode(bytes, masked), Err(expected), "{bytes:02x?}");
        }
    }
}
