//! Compressing what this end sends (RFC 7692 §7.2.1).

use zlib_rs::{Deflate, DeflateFlush, Status};

use super::short::LONGEST;
use super::{TAIL, pool};

/// How a [`Deflater`] compresses: what was negotiated and what this end chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflaterSettings {
    /// No reference goes back further than two to this power bytes: 8 to 15 (§7.1.2).
    pub window_bits: u8,
    /// Each message is compressed on its own (§7.1.1).
    pub no_context_takeover: bool,
    /// zlib's level, 0 to 9. At level 1, a message that stands alone (no context takeover, one fragment, up to 65,535 bytes)
    /// is compressed by a compressor of our own, and not longer than zlib's level 1 makes text and JSON.
    pub level: u8,
    /// zlib's memory level, 1 to 9.
    pub memory_level: u8,
}

impl DeflaterSettings {
    /// Whether a message is one for [`Short`](super::short::Short).
    fn is_for_short(self, payload: &[u8]) -> bool {
        self.no_context_takeover && self.level == 1 && (1..=LONGEST).contains(&payload.len())
    }

    /// Whether one zlib stream serves both.
    pub(super) fn is_like(self, other: Self) -> bool {
        Self { no_context_takeover: true, ..self } == Self { no_context_takeover: true, ..other }
    }
}

/// The compressor of one direction of one connection.
///
/// It holds a zlib stream from the first compressed message to its end; without context takeover only within a message.
pub struct Deflater {
    stream: Option<Box<Deflate>>,
    settings: DeflaterSettings,
}

impl Deflater {
    /// A compressor that has compressed nothing yet, and has allocated nothing.
    pub fn new(settings: DeflaterSettings) -> Self {
        Self { stream: None, settings }
    }

    /// Appends the compressed payload of one fragment to `out`; the message ends with the fragment that is `last`.
    ///
    /// A peer can inflate all of a fragment as soon as it has it.
    pub fn compress(&mut self, payload: &[u8], last: bool, out: &mut Vec<u8>) {
        if last && self.stream.is_none() && self.settings.is_for_short(payload) {
            let mut short = pool::take_short();
            short.compress(payload, 1 << self.settings.window_bits.clamp(8, 15), out);
            pool::give_short(short);
        } else if !payload.is_empty() {
            self.write(payload, out);
            if last {
                // §7.2.1: the empty stored block at the end loses its lengths.
                debug_assert!(out.ends_with(&TAIL));
                out.truncate(out.len().saturating_sub(TAIL.len()));
            }
        } else if last {
            // §7.2.3.6: an empty message, or an empty end of one, is the header of a stored block.
            out.push(0x00);
        }
        if last
            && self.settings.no_context_takeover
            && let Some(stream) = self.stream.take()
        {
            pool::give_deflate(self.settings, stream);
        }
    }

    /// Whether no memory is held for this connection.
    pub fn is_at_rest(&self) -> bool {
        self.stream.is_none()
    }

    /// Compresses up to a byte boundary and an empty stored block.
    fn write(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        let stream = self.stream.get_or_insert_with(|| pool::take_deflate(self.settings));
        let mut step = pool::take_step();
        let mut rest = payload;
        loop {
            let (read, written) = (stream.total_in(), stream.total_out());
            // Cannot fail: the stream was set up with valid settings, and it is never asked to finish.
            let status = stream.compress(rest, &mut step, DeflateFlush::SyncFlush);
            let read = (stream.total_in() - read) as usize;
            let written = (stream.total_out() - written) as usize;
            out.extend_from_slice(step.get(..written).unwrap_or_default());
            rest = rest.get(read..).unwrap_or_default();
            // The flush is complete when it left room; it had nothing more to say when it calls that a `BufError`.
            if written < step.len() || status != Ok(Status::Ok) {
                break;
            }
        }
        pool::give_step(step);
    }
}
