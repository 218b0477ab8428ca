//! Decompressing what the peer sent (RFC 7692 §7.2.2).

use std::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::{TAIL, pool};

/// What one step of an [`Inflater`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inflated {
    /// How many bytes of the input it took. Less than all of them only where the room was used up.
    pub consumed: usize,
    /// The room was used up: call again with the rest of the input, be it empty, for what else there may be.
    pub more: bool,
}

/// Why a payload could not be decompressed. The connection has to be failed: nothing after it can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// It is not deflate data: a block of no known type, an impossible code, a distance beyond the beginning.
    Corrupt,
    /// The message ended within a block.
    Truncated,
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Corrupt => "the compressed payload is not valid deflate data",
            Self::Truncated => "the compressed payload ends within a deflate block",
        })
    }
}

impl std::error::Error for InflateError {}

/// The decompressor of one direction of one connection.
///
/// It holds a zlib stream from the first compressed message to its end; without context takeover only within a message.
///
/// **For each message: [`inflate`](Self::inflate) its payload until all of it is taken, then [`finish`](Self::finish) until
/// there is no `more`.** To refuse messages of more than `n` bytes, offer room for `n + 1` in all, and see whether it is used.
pub struct Inflater {
    stream: Option<Box<Inflate>>,
    no_context_takeover: bool,
    at: At,
}

/// Where in a message an [`Inflater`] is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// No byte of a message has been taken.
    Start,
    /// Within the blocks of a message.
    Blocks,
    /// Directly behind a block with `BFINAL` set.
    FinalBlock,
}

impl Inflater {
    /// A decompressor that has decompressed nothing yet, and has allocated nothing.
    ///
    /// It understands windows of any size that can be negotiated.
    pub fn new(no_context_takeover: bool) -> Self {
        Self { stream: None, no_context_takeover, at: At::Start }
    }

    /// Inflates some of `input` and appends at most `room` bytes to `out`.
    ///
    /// # Errors
    /// [`InflateError::Corrupt`].
    pub fn inflate(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        room: usize,
    ) -> Result<Inflated, InflateError> {
        if input.is_empty() && self.at == At::Start {
            return Ok(Inflated { consumed: 0, more: false });
        }
        let stream = self.stream.get_or_insert_with(pool::take_inflate);
        let mut step = pool::take_step();
        let inflated = run(stream, &mut self.at, input, out, room, &mut step);
        pool::give_step(step);
        inflated
    }

    /// Ends the message: appends what is left of it to `out`, at most `room` bytes. Call it once all of the payload has been
    /// taken, and again while there is `more`.
    ///
    /// # Errors
    /// [`InflateError::Truncated`] if the message ends within a block, [`InflateError::Corrupt`].
    pub fn finish(&mut self, out: &mut Vec<u8>, room: usize) -> Result<Inflated, InflateError> {
        let rest = self.inflate(&[], out, room)?;
        if rest.more {
            return Ok(rest);
        }
        // A message of no bytes is not valid (§7.2.3.6), but there are peers that send the empty message so, and it can
        // mean nothing else. A final block may be the last thing in a message too: to append to it is to append to a
        // stream that has ended, so for zlib-based peers the 0x00 that should follow it (§7.2.3.4) makes no difference.
        if self.at == At::Blocks
            && let Some(stream) = &mut self.stream
        {
            end(stream)?;
        }
        self.at = At::Start;
        if self.no_context_takeover
            && let Some(stream) = self.stream.take()
        {
            pool::give_inflate(stream);
        }
        Ok(rest)
    }

    /// Whether no memory is held for this connection.
    pub fn is_at_rest(&self) -> bool {
        self.stream.is_none()
    }
}

/// Inflates until the input or the room is used up.
fn run(
    stream: &mut Inflate,
    at: &mut At,
    input: &[u8],
    out: &mut Vec<u8>,
    room: usize,
    step: &mut [u8],
) -> Result<Inflated, InflateError> {
    let (mut input_left, mut room_left) = (input, room);
    let more = loop {
        if *at == At::FinalBlock {
            if input_left.is_empty() {
                break false;
            }
            // §7.2.3.4: blocks may follow a final one, beginning with the next byte. For zlib that is a new stream. It has
            // no history, nor has that of a peer that uses zlib: such a one had to start anew as well.
            stream.reset(false);
        }
        if room_left == 0 {
            break true;
        }
        *at = At::Blocks;
        let space = room_left.min(step.len());
        let Some(space) = step.get_mut(..space) else { break true };
        let (read, written) = (stream.total_in(), stream.total_out());
        let status = stream.decompress(input_left, space, InflateFlush::NoFlush);
        let read = (stream.total_in() - read) as usize;
        let written = (stream.total_out() - written) as usize;
        // What came before a fault counts: whether it is found in this step depends on how the input was cut.
        out.extend_from_slice(space.get(..written).unwrap_or_default());
        let status = status.map_err(|_| InflateError::Corrupt)?;
        let filled = written == space.len();
        input_left = input_left.get(read..).unwrap_or_default();
        room_left -= written;
        if status == Status::StreamEnd {
            *at = At::FinalBlock;
        } else if !filled {
            break false;
        }
    };
    Ok(Inflated { consumed: input.len() - input_left.len(), more })
}

/// Takes a stream whose input is used up over the tail of a message (§7.2.2), to the beginning of the next.
///
/// Only where a message ends as it should, with the header of a stored block (§7.2.1), are the four bytes of the tail the
/// end of a block. zlib is asked to stop at the first such end, and is shown more than the tail to see that it stops there.
fn end(stream: &mut Inflate) -> Result<(), InflateError> {
    const EMPTY_BLOCK: [u8; 5] = [0x00, 0x00, 0x00, 0xff, 0xff];
    let mut shown = [0; TAIL.len() + EMPTY_BLOCK.len()];
    for (to, from) in shown.iter_mut().zip(TAIL.iter().chain(&EMPTY_BLOCK)) {
        *to = *from;
    }
    let (read, written) = (stream.total_in(), stream.total_out());
    let status = stream.decompress(&shown, &mut [0; 16], InflateFlush::Block);
    let read = stream.total_in() - read;
    if status == Ok(Status::Ok) && read == TAIL.len() as u64 && stream.total_out() == written {
        Ok(())
    } else {
        Err(InflateError::Truncated)
    }
}
