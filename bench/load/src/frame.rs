//! Just enough of RFC 6455 framing for a generator: masked frames built ahead of time, and a
//! reader that takes replies in whatever pieces the socket gives.

use anyhow::{Result, bail, ensure};

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A fixed key with four different bytes: the server has to unmask all the same, and runs repeat.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x9d];
const LONGEST_HEADER: usize = 14;
/// No scenario has replies beyond this; a length field above it is garbage.
const LONGEST_FRAME: u64 = 64 << 20;

/// `payload` under the generator's key.
pub(crate) fn mask(payload: &[u8]) -> Vec<u8> {
    payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
}

/// A final, masked frame (§5.2).
pub(crate) fn encode(opcode: u8, compressed: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(LONGEST_HEADER + payload.len());
    out.push(0x80 | u8::from(compressed) << 6 | opcode);
    match payload.len() {
        n @ 0..=125 => out.push(0x80 | n as u8),
        n @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend((n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    out.extend(KEY);
    out.extend(mask(payload));
    out
}

/// A message or a control frame, as it came.
pub(crate) struct Message<'a> {
    pub opcode: u8,
    /// RSV1 of its first frame (RFC 7692 §6).
    pub compressed: bool,
    pub length: usize,
    /// The payload, unless it came in several pieces and the reader was told not to keep those.
    pub body: Option<&'a [u8]>,
}

/// Reads the frames of one connection.
pub(crate) struct FrameReader {
    /// Whether frames are expected under a mask: those that the raw floor sends back unchanged. They stay masked.
    masked: bool,
    /// Whether a payload that comes in several pieces is put together for [`Message::body`].
    pub keep: bool,
    header: [u8; LONGEST_HEADER],
    have: usize,
    /// What is still to come of the present frame's payload; meaningful while `in_payload`.
    left: usize,
    in_payload: bool,
    /// First byte of the first frame of the present message, once that frame has begun.
    message: Option<u8>,
    length: usize,
    pieces: Vec<u8>,
    control: Vec<u8>,
}

impl FrameReader {
    pub(crate) fn new(masked: bool) -> Self {
        Self {
            masked,
            keep: true,
            header: [0; LONGEST_HEADER],
            have: 0,
            left: 0,
            in_payload: false,
            message: None,
            length: 0,
            pieces: Vec::new(),
            control: Vec::new(),
        }
    }

    /// Takes what was read and calls `on` for each message or control frame that is complete with it.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut on: impl FnMut(Message<'_>) -> Result<()>,
    ) -> Result<()> {
        loop {
            if !self.in_payload && !self.take_header(&mut bytes)? {
                return Ok(());
            }
            let (chunk, rest) = bytes.split_at(self.left.min(bytes.len()));
            bytes = rest;
            self.left -= chunk.len();
            let complete = self.left == 0;
            if self.header[0] & 0x08 != 0 {
                self.control.extend_from_slice(chunk);
                if complete {
                    let opcode = self.header[0] & 0x0f;
                    on(Message {
                        opcode,
                        compressed: false,
                        length: self.control.len(),
                        body: Some(&self.control),
                    })?;
                    self.control.clear();
                }
            } else {
                self.take_payload(chunk, complete, &mut on)?;
            }
            if !complete {
                return Ok(());
            }
            self.in_payload = false;
        }
    }

    fn take_payload(
        &mut self,
        chunk: &[u8],
        complete: bool,
        on: &mut impl FnMut(Message<'_>) -> Result<()>,
    ) -> Result<()> {
        let last = complete && self.header[0] & 0x80 != 0;
        let whole = last && self.length == 0;
        self.length += chunk.len();
        if self.keep && !whole {
            self.pieces.extend_from_slice(chunk);
        }
        if last {
            let first = self.message.take().unwrap_or_default();
            let body = if whole { Some(chunk) } else { self.keep.then_some(&self.pieces[..]) };
            on(Message { opcode: first & 0x0f, compressed: first & 0x40 != 0, length: self.length, body })?;
            self.length = 0;
            self.pieces.clear();
        }
        Ok(())
    }

    /// Whether a header is complete now, and its payload comes next.
    fn take_header(&mut self, bytes: &mut &[u8]) -> Result<bool> {
        loop {
            let wanted = match (self.have, self.header[1]) {
                (0..2, _) => 2,
                (_, second) => {
                    let extended = match second & 0x7f {
                        126 => 2,
                        127 => 8,
                        _ => 0,
                    };
                    2 + extended + if second & 0x80 != 0 { 4 } else { 0 }
                }
            };
            if self.have == wanted {
                break;
            }
            let n = (wanted - self.have).min(bytes.len());
            if n == 0 {
                return Ok(false);
            }
            self.header[self.have..self.have + n].copy_from_slice(&bytes[..n]);
            self.have += n;
            *bytes = &bytes[n..];
        }
        let length = match self.header[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes([self.header[2], self.header[3]])),
            127 => self.header[2..10].iter().fold(0, |n, &byte| n << 8 | u64::from(byte)),
            n => u64::from(n),
        };
        self.have = 0;
        self.check_header(length)?;
        self.left = length as usize;
        self.in_payload = true;
        Ok(true)
    }

    fn check_header(&mut self, length: u64) -> Result<()> {
        let [first, second, ..] = self.header;
        ensure!(first & 0x30 == 0, "a frame with RSV2 or RSV3 set (first byte {first:#04x})");
        ensure!((second & 0x80 != 0) == self.masked, "a frame whose mask bit is {}", second >> 7);
        ensure!(length <= LONGEST_FRAME, "a frame of {length} bytes, more than any scenario has");
        match (first & 0x0f, self.message) {
            (CONTINUATION, Some(_)) => {}
            (TEXT | BINARY, None) => self.message = Some(first),
            (CONTINUATION, None) => bail!("a continuation frame with nothing to continue"),
            (TEXT | BINARY, Some(_)) => bail!("a new message inside a fragmented one"),
            (CLOSE | PING | PONG, _) => {
                ensure!(
                    first & 0x80 != 0 && length <= 125,
                    "a control frame that is fragmented or of {length} bytes"
                );
            }
            (opcode, _) => bail!("a frame with the unknown opcode {opcode}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = encode(first & 0x0f, first & 0x40 != 0, payload);
        let key = frame.len() - payload.len() - 4;
        frame.drain(key..key + 4);
        frame[key..].copy_from_slice(payload);
        frame[0] = first;
        frame[1] &= 0x7f;
        frame
    }

    #[test]
    fn any_split_gives_the_same_messages() {
        let long = vec![b'x'; 300];
        let mut wire = unmasked(0x81, b"one");
        wire.extend(unmasked(0x02, &long));
        wire.extend(unmasked(0x89, b"ping"));
        wire.extend(unmasked(0x80, b""));
        wire.extend(unmasked(0xc1, b""));
        let wanted = vec![
            (TEXT, false, b"one".to_vec()),
            (PING, false, b"ping".to_vec()),
            (BINARY, false, long),
            (TEXT, true, Vec::new()),
        ];
        for step in 1..=wire.len() {
            let mut reader = FrameReader::new(false);
            let mut got = Vec::new();
            for piece in wire.chunks(step) {
                reader
                    .feed(piece, |m| {
                        got.push((m.opcode, m.compressed, m.body.expect("kept").to_vec()));
                        Ok(())
                    })
                    .expect("valid frames");
            }
            assert_eq!(got, wanted, "in pieces of {step}");
        }
    }

    #[test]
    fn a_masked_reply_is_refused_unless_expected() {
        let wire = encode(BINARY, false, &[7; 70_000]);
        assert!(FrameReader::new(false).feed(&wire, |_| Ok(())).is_err());
        let mut lengths = Vec::new();
        FrameReader::new(true)
            .feed(&wire, |m| {
                lengths.push(m.length);
                Ok(())
            })
            .expect("expected under a mask");
        assert_eq!(lengths, [70_000]);
    }

    #[test]
    fn broken_frames_are_named() {
        for (first, second) in [(0x91, 0), (0x80, 0), (0x83, 0), (0x09, 0), (0x89, 126)] {
            let wire = [first, second, 0, 200];
            assert!(FrameReader::new(false).feed(&wire, |_| Ok(())).is_err(), "{first:#x} {second:#x}");
        }
    }
}
