//! Compressing and decompressing the payload of messages (RFC 7692 §7.2).

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod bounds;
mod random;
mod reference;
mod rules;

use antiphon_proto::deflate::{Deflater, DeflaterSettings, InflateError, Inflater};

/// What a server has by default.
const SETTINGS: DeflaterSettings =
    DeflaterSettings { window_bits: 15, no_context_takeover: true, level: 1, memory_level: 8 };

/// Compresses a message given as its fragments.
fn deflate(deflater: &mut Deflater, fragments: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, fragment) in fragments.iter().enumerate() {
        deflater.compress(fragment, at + 1 == fragments.len(), &mut out);
    }
    out
}

/// Inflates a message given as its fragments, with `room` bytes of room in each step.
fn inflate(inflater: &mut Inflater, fragments: &[&[u8]], room: usize) -> Result<Vec<u8>, InflateError> {
    let mut message = Vec::new();
    for fragment in fragments {
        let mut rest = *fragment;
        loop {
            let before = message.len();
            let step = inflater.inflate(rest, &mut message, room)?;
            assert!(message.len() - before <= room);
            rest = &rest[step.consumed..];
            if !step.more {
                assert!(rest.is_empty(), "all input is taken unless the room is used up");
                break;
            }
            assert_eq!(message.len() - before, room, "there is more only where the room was used up");
        }
    }
    loop {
        let before = message.len();
        let step = inflater.finish(&mut message, room)?;
        assert!(message.len() - before <= room);
        if !step.more {
            return Ok(message);
        }
    }
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Text with repetitions near and far.
fn prose(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed | 1);
    let words: Vec<Vec<u8>> = (0..60).map(|at| random.bytes(3 + at % 9)).collect();
    let mut out = Vec::with_capacity(len + 16);
    while out.len() < len {
        out.extend_from_slice(&words[random.below(words.len())]);
    }
    out.truncate(len);
    out
}
