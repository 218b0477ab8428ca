//! Compressing and decompressing the payload of messages (RFC 7692 §7.2).
//!
//! A [`Deflater`] or an [`Inflater`] is one direction of one connection. It owns a zlib stream only while it needs one: with
//! context takeover from its first compressed message on, without it from the first to the last byte of a message.

mod block;
mod codes;
mod deflater;
mod huffman;
mod inflater;
mod pool;
mod short;

pub use deflater::{Deflater, DeflaterSettings};
pub use inflater::{InflateError, Inflated, Inflater};

/// What a sender strips from the end of a message (§7.2.1) and a receiver puts back (§7.2.2): the lengths of an empty stored
/// block. The header of that block is the last that a message holds.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
