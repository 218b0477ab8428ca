//! From the old and the new data to a difference.

use std::iter::zip;
use std::ops::Range;

use super::{DIGITS, checksum};

/// Size of the blocks of the old data that the index knows, in bytes. Shorter likenesses in the middle of the data are not found.
const BLOCK: usize = 16;

/// At so many places of the old data a likeness of one place of the new is looked for. It bounds the time for data that
/// repeats itself, or was made to have one hash.
const TRIES: usize = 16;

/// The difference that makes `new` out of `old`. It may be longer than `new`, and then is not worth sending.
///
/// Where `new` is UTF-8 the difference is: no command divides a character, so that the difference can stand in a JSON string.
/// Old data of 16 bytes or less is not looked at. The time it takes grows no faster than the sizes do. Both sizes must be
/// below 4 GiB, as decoders read numbers of 32 bits.
pub fn create(old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(new);
    if old.len() > BLOCK {
        // Updates of one object mostly share both ends, and what lies between is short.
        let head = common_prefix(old, new);
        let tail = common_suffix(&old[head..], &new[head..]);
        let middle = head..new.len() - tail;
        writer.copy(&Likeness { new: 0, old: 0, length: head });
        if middle.len() >= BLOCK {
            copy_middle(old, middle.clone(), &mut writer);
        }
        writer.copy(&Likeness { new: middle.end, old: old.len() - tail, length: tail });
    }
    writer.finish()
}

fn copy_middle(old: &[u8], middle: Range<usize>, writer: &mut Writer<'_>) {
    let index = Index::new(old);
    let mut at = middle.start;
    while at + BLOCK <= middle.end {
        // What was written is not taken back: a likeness reaches to the left as far as that.
        let likeness = index.longest(&writer.new[..middle.end], at, writer.written);
        at = match likeness {
            Some(likeness) if writer.copy(&likeness) => likeness.new + likeness.length,
            _ => at + 1,
        };
    }
}

/// Bytes that both have.
struct Likeness {
    /// Where in the new data.
    new: usize,
    /// Where in the old data.
    old: usize,
    length: usize,
}

/// The blocks of the old data by their hash.
struct Index<'a> {
    old: &'a [u8],
    /// The first block of each hash.
    first: Vec<u32>,
    /// The next block of the same hash, for each block.
    next: Vec<u32>,
}

/// No block.
const NONE: u32 = u32::MAX;

impl<'a> Index<'a> {
    fn new(old: &'a [u8]) -> Self {
        let (blocks, _) = old.as_chunks::<BLOCK>();
        let mut index =
            Self { old, first: vec![NONE; blocks.len().next_power_of_two()], next: vec![NONE; blocks.len()] };
        // From the last to the first: of blocks that are alike the first is met first, which most often has the longest
        // likeness.
        for (place, block) in blocks.iter().enumerate().rev() {
            let bucket = index.bucket(block);
            index.next[place] = index.first[bucket];
            index.first[bucket] = place as u32;
        }
        index
    }

    fn bucket(&self, block: &[u8; BLOCK]) -> usize {
        let block = u128::from_le_bytes(*block);
        let hash = (block as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ ((block >> 64) as u64).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
        (hash >> 32) as usize & (self.first.len() - 1)
    }

    /// The longest of the likenesses tried that hold the block at `at` of the new data and begin at `floor` or later.
    fn longest(&self, new: &[u8], at: usize, floor: usize) -> Option<Likeness> {
        let block = new[at..].first_chunk::<BLOCK>()?;
        let mut number = self.first[self.bucket(block)];
        let mut longest: Option<Likeness> = None;
        for _ in 0..TRIES {
            let place = number as usize;
            let Some(next) = self.next.get(place) else { break };
            number = *next;
            let from = place * BLOCK;
            if self.old[from..].first_chunk() != Some(block) {
                continue;
            }
            let before = common_suffix(&self.old[..from], &new[floor..at]);
            let length = before + common_prefix(&self.old[from..], &new[at..]);
            if longest.as_ref().is_none_or(|longest| length > longest.length) {
                longest = Some(Likeness { new: at - before, old: from - before, length });
            }
        }
        longest
    }
}

/// Writes a difference.
struct Writer<'a> {
    new: &'a [u8],
    /// So much of the new data is in the difference.
    written: usize,
    /// Whether the new data is UTF-8.
    text: bool,
    delta: Vec<u8>,
}

impl<'a> Writer<'a> {
    fn new(new: &'a [u8]) -> Self {
        let text = std::str::from_utf8(new).is_ok();
        let mut writer = Self { new, written: 0, text, delta: Vec::new() };
        writer.number(new.len(), b'\n');
        writer
    }

    /// Copies what both have, and takes from the new data what comes before; `false` where that is no gain.
    fn copy(&mut self, likeness: &Likeness) -> bool {
        let Likeness { new: mut start, mut old, length } = *likeness;
        let mut end = start + length;
        while self.divides(start) && start < end {
            (start, old) = (start + 1, old + 1);
        }
        while self.divides(end) && start < end {
            end -= 1;
        }
        let length = end - start;
        let cost = digits(length) + digits(old) + digits(start - self.written) + 3;
        if length < cost {
            return false;
        }
        self.take(start);
        self.number(length, b'@');
        self.number(old, b',');
        self.written = end;
        true
    }

    /// Whether a character of text would be divided there.
    fn divides(&self, place: usize) -> bool {
        self.text && self.new.get(place).is_some_and(|byte| byte & 0xC0 == 0x80)
    }

    /// Takes from the new data what is not written yet, up to `end`.
    fn take(&mut self, end: usize) {
        if self.written < end {
            self.number(end - self.written, b':');
            self.delta.extend_from_slice(&self.new[self.written..end]);
            self.written = end;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.take(self.new.len());
        self.number(checksum(self.new) as usize, b';');
        self.delta
    }

    fn number(&mut self, number: usize, end: u8) {
        let places = (0..digits(number)).rev();
        self.delta.extend(places.map(|place| DIGITS[number >> (6 * place) & 63]));
        self.delta.push(end);
    }
}

/// How many digits a number has.
fn digits(number: usize) -> usize {
    number.checked_ilog2().map_or(1, |bit| bit as usize / 6 + 1)
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (blocks, others) = (a.as_chunks::<BLOCK>().0, b.as_chunks::<BLOCK>().0);
    let alike = BLOCK * zip(blocks, others).take_while(|(a, b)| a == b).count();
    alike + zip(&a[alike..], &b[alike..]).take_while(|(a, b)| a == b).count()
}

fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let (blocks, others) = (a.as_rchunks::<BLOCK>().1, b.as_rchunks::<BLOCK>().1);
    let alike = BLOCK * zip(blocks.iter().rev(), others.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - alike], &b[..b.len() - alike]);
    alike + zip(a.iter().rev(), b.iter().rev()).take_while(|(a, b)| a == b).count()
}
