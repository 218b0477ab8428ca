//! A compressor for a message that stands alone, in place of zlib's level 1.
//!
//! zlib is made for streams: to begin one it clears a hash table of 128 KiB, and level 1 of zlib-rs writes fixed codes only,
//! which makes a kilobyte of JSON a quarter longer than other implementations of zlib make it. Here the table is as small as
//! the message is, and a block gets codes of its own where they pay.

use super::block::{Bits, Block, Token};

/// The longest message: positions are 16 bits wide.
pub(super) const LONGEST: usize = u16::MAX as usize;

const HASH_BITS: u32 = 12;
const LONGEST_MATCH: usize = 258;
/// A match of this length is taken without a look at whether the next byte begins a longer one.
const GOOD_MATCH: usize = 8;
/// How many positions at the beginning of a match are noted. The rest seldom begin another.
const NOTED: usize = 12;
/// How many bytes are passed over at most where nothing has repeated for long.
pub(super) const LONGEST_SKIP: usize = 32;

/// The memory that compressing needs, for one message after another: 80 KiB at most.
pub(super) struct Short {
    /// One more than where in the message four bytes of each hash were last seen; 0 for nowhere.
    seen: [u16; 1 << HASH_BITS],
    block: Block,
}

impl Short {
    pub(super) fn new() -> Self {
        Self { seen: [0; 1 << HASH_BITS], block: Block::new() }
    }

    /// Appends all of a message but its tail (§7.2.1). No reference goes back further than `reach` bytes.
    pub(super) fn compress(&mut self, payload: &[u8], reach: usize, out: &mut Vec<u8>) {
        debug_assert!(payload.len() <= LONGEST);
        self.seen.fill(0);
        let mut bits = Bits::new(out);
        let (mut at, mut begin, mut misses) = (0, 0, 0);
        while at < payload.len() {
            if self.block.is_full() {
                self.block.write(payload.get(begin..at).unwrap_or_default(), &mut bits);
                begin = at;
            }
            let Some(mut found) = self.find(payload, at, reach) else {
                // Where nothing repeats, look less often.
                let skip = (1 + misses / 64).min(LONGEST_SKIP);
                self.literals(payload, at, skip);
                at += skip;
                misses += 1;
                continue;
            };
            if found.length < GOOD_MATCH
                && let Some(next) = self.find(payload, at + 1, reach)
                && next.length > found.length
            {
                self.literals(payload, at, 1);
                at += 1;
                found = next;
            }
            self.block.push(Token::reference(found.length, found.distance));
            for inside in 1..found.length.min(NOTED) {
                self.note(payload, at + inside);
            }
            at += found.length;
            misses = 0;
        }
        self.block.write(payload.get(begin..).unwrap_or_default(), &mut bits);
        bits.stored_header();
    }

    fn literals(&mut self, payload: &[u8], at: usize, count: usize) {
        for byte in payload.iter().skip(at).take(count) {
            self.block.push(Token::literal(*byte));
        }
    }

    /// Where the bytes at a position came before; and notes the position.
    fn find(&mut self, payload: &[u8], at: usize, reach: usize) -> Option<Match> {
        let here = payload.get(at..)?;
        let before = usize::from(self.note(payload, at)?).checked_sub(1)?;
        let there = payload.get(before..)?;
        let distance = at - before;
        // Other bytes may have the same hash.
        if distance > reach || here.first_chunk::<4>() != there.first_chunk::<4>() {
            return None;
        }
        Some(Match { length: alike(here, there), distance })
    }

    /// Notes a position, and says what was noted for its four bytes before.
    fn note(&mut self, payload: &[u8], at: usize) -> Option<u16> {
        let four = payload.get(at..)?.first_chunk()?;
        let hash = u32::from_le_bytes(*four).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
        Some(std::mem::replace(self.seen.get_mut(hash as usize)?, at as u16 + 1))
    }
}

/// Bytes that came before, and how far back.
struct Match {
    length: usize,
    distance: usize,
}

/// How many bytes at the beginning are the same, as far as a reference can tell. `there` is the longer one.
fn alike(here: &[u8], there: &[u8]) -> usize {
    let most = here.len().min(LONGEST_MATCH);
    let mut length = 0;
    for (here, there) in here.chunks_exact(8).zip(there.chunks_exact(8)) {
        let (Some(here), Some(there)) = (here.first_chunk(), there.first_chunk()) else { break };
        let differ = u64::from_le_bytes(*here) ^ u64::from_le_bytes(*there);
        if differ != 0 {
            return most.min(length + differ.trailing_zeros() as usize / 8);
        }
        length += 8;
        if length >= most {
            return most;
        }
    }
    let rest = here.iter().zip(there).take(most).skip(length);
    length + rest.take_while(|(here, there)| here == there).count()
}
