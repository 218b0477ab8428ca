//! Differences between two pieces of data, in the delta format of the Fossil version control system.
//!
//! A difference is text around pieces of the new data. Numbers are written in base 64, and the commands stand behind the size:
//!
//! ```text
//! SIZE \n  COMMAND...  CHECKSUM ;
//!          │
//!          ├─ LENGTH @ OFFSET ,    copies from the old data
//!          └─ LENGTH : BYTES       takes the bytes that follow
//! ```
//!
//! <https://fossil-scm.org/home/doc/tip/www/delta_format.wiki>

mod apply;
mod create;

pub use apply::{DeltaError, apply};
pub use create::create;

/// The digits of numbers, from 0 to 63.
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/// The sum of the data's big-endian words, with zeros behind the last.
fn checksum(data: &[u8]) -> u32 {
    let (words, rest) = data.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().chain([&last]).fold(0, |sum: u32, word| sum.wrapping_add(u32::from_be_bytes(*word)))
}

#[cfg(test)]
mod tests;
