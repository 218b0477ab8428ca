//! From bytes to messages: frames, fragments, and what is inflated from them.

use std::borrow::Cow;

use bytes::BufMut;
use bytes::buf::Limit;

use super::config::{Delivery, Limits};
use super::event::{Event, Kind};
use super::gather::Gather;
use super::input::Input;
use crate::deflate::Inflater;
use crate::frame::header::{First, Header, MAX_HEADER};
use crate::frame::mask;
use crate::frame::opcode::OpCode;
use crate::utf8::{self, Utf8};
use crate::violation::Violation;

/// How much is inflated at a time.
const INFLATE_STEP: usize = 16 * 1024;

/// With so much of a payload come, and so much of it missing, it pays to read the rest to its place.
const DIRECT_FROM: usize = 32 * 1024;

/// The side of a connection that takes the peer's bytes. Keeps what is incomplete, and nothing else.
pub(super) struct Reader {
    stage: Stage,
    message: Option<Message>,
    utf8: Utf8,
    gather: Gather,
    /// With permessage-deflate.
    inflater: Option<Box<Inflater>>,
    /// The payload of an incomplete control frame.
    control: Vec<u8>,
    delivery: Delivery,
    /// Whether the peer is a client, and so masks.
    masked: bool,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The start of a frame's head.
    Head { bytes: [u8; MAX_HEADER], length: u8 },
    /// `taken` bytes of the payload have come.
    Payload { header: Header, taken: u64 },
    /// The last byte of a compressed message has come, not yet all that it inflates to.
    Inflating,
    /// The message is whole.
    MessageEnd,
}

const START: Stage = Stage::Head { bytes: [0; MAX_HEADER], length: 0 };

/// The stage when so much of a frame's payload has come.
fn after_piece(header: Header, taken: u64) -> Stage {
    match taken == header.length {
        false => Stage::Payload { header, taken },
        true if header.fin => Stage::MessageEnd,
        true => START,
    }
}

/// The message that is open.
#[derive(Clone, Copy, Debug)]
struct Message {
    kind: Kind,
    compressed: bool,
    fragments: u32,
    /// Of an uncompressed message what its frames' heads declare, of a compressed one what has been inflated.
    size: u64,
    /// The decompressor has more to give for what it has taken.
    more: bool,
}

/// What has come.
pub(super) enum Incoming<'i> {
    Data(Event<'i>),
    Control(OpCode, Cow<'i, [u8]>),
}

impl Reader {
    pub(super) fn new(masked: bool, delivery: Delivery, inflater: Option<Inflater>) -> Self {
        Self {
            stage: START,
            message: None,
            utf8: Utf8::default(),
            gather: Gather::default(),
            inflater: inflater.map(Box::new),
            control: Vec::new(),
            delivery,
            masked,
        }
    }

    /// Frees what was kept for a message that will not come to its end.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.masked, self.delivery, None);
    }

    /// The next thing in the input; `None` when all of it has been taken.
    pub(super) fn next<'i>(
        &mut self,
        limits: &Limits,
        input: &mut Input<'i>,
    ) -> Result<Option<Incoming<'i>>, Violation> {
        if let Some(message) = self.whole_message(limits, input)? {
            return Ok(Some(Incoming::Data(message)));
        }
        loop {
            match self.stage {
                Stage::Head { .. } => {
                    let Some(header) = self.head(input)? else { return Ok(None) };
                    self.stage = Stage::Payload { header, taken: 0 };
                    if !header.opcode.is_control()
                        && let Some(begin) = self.begin_frame(&header, limits)?
                    {
                        return Ok(Some(Incoming::Data(begin)));
                    }
                }
                Stage::Payload { header, taken } => {
                    let more = if header.opcode.is_control() {
                        self.control(&header, input)
                    } else if self.message.is_some_and(|message| message.compressed) {
                        self.compressed(header, taken, limits, input)?.map(Incoming::Data)
                    } else {
                        self.plain(header, taken, limits, input)?.map(Incoming::Data)
                    };
                    if more.is_some() || matches!(self.stage, Stage::Payload { .. }) {
                        return Ok(more);
                    }
                }
                Stage::Inflating => {
                    if let Some(chunk) = self.finish_inflating(limits)? {
                        return Ok(Some(Incoming::Data(chunk)));
                    }
                }
                Stage::MessageEnd => {
                    self.stage = START;
                    let Some(message) = self.message.take() else { continue };
                    if message.kind == Kind::Text {
                        self.utf8.finish()?;
                    }
                    return Ok(Some(Incoming::Data(match self.delivery {
                        Delivery::Assembled => self.gather.take(message.kind),
                        Delivery::Streamed => Event::End,
                    })));
                }
            }
        }
    }

    /// The short way for what comes most: a message of less than 64 KiB, in one frame, uncompressed, and all of it in the
    /// input. `None` for whatever else there is, a violation included: the long way gives the same answer, and all others.
    fn whole_message<'i>(
        &mut self,
        limits: &Limits,
        input: &mut Input<'i>,
    ) -> Result<Option<Event<'i>>, Violation> {
        if !matches!(self.stage, Stage::Head { length: 0, .. })
            || self.message.is_some()
            || self.delivery != Delivery::Assembled
        {
            return Ok(None);
        }
        let bytes = input.bytes();
        let Some(&[first, second]) = bytes.first_chunk::<2>() else { return Ok(None) };
        let kind = match first {
            0x81 => Kind::Text,
            0x82 => Kind::Binary,
            _ => return Ok(None),
        };
        let (length, extended) = match (second & 0x7F, bytes) {
            (126, &[_, _, high, low, ..]) => (u16::from_be_bytes([high, low]), 2),
            (126 | 127, _) => return Ok(None),
            (short, _) => (u16::from(short), 0),
        };
        let minimal = extended == 0 || length > 125;
        let limit = limits.frame.min(limits.message);
        if (second & 0x80 != 0) != self.masked
            || !minimal
            || u64::from(length) > limit
            || limits.fragments == 0
        {
            return Ok(None);
        }
        let head = 2 + extended + if self.masked { 4 } else { 0 };
        let length = usize::from(length);
        if bytes.len() < head + length {
            return Ok(None);
        }
        let key = input.take(head).last_chunk().copied();
        let payload = input.take(length);
        if let Some(key) = key.filter(|_| self.masked) {
            mask::apply(key, 0, payload);
        }
        Ok(Some(match kind {
            Kind::Text => Event::Text(Cow::Borrowed(utf8::check_whole(payload)?)),
            Kind::Binary => Event::Binary(Cow::Borrowed(payload)),
        }))
    }

    /// Where the rest of a large payload is to stand, for one who can read it there: a binary message, uncompressed, that is
    /// put together here. Room is made in proportion to what has come.
    pub(super) fn payload_buffer(&mut self) -> Option<Limit<&mut Vec<u8>>> {
        let Stage::Payload { header, taken } = self.stage else { return None };
        let message = self.message?;
        if message.kind != Kind::Binary || message.compressed || self.delivery != Delivery::Assembled {
            return None;
        }
        let left = usize::try_from(header.length - taken).unwrap_or(usize::MAX);
        let bytes = self.gather.binary();
        if header.opcode.is_control() || left < DIRECT_FROM || bytes.len() < DIRECT_FROM {
            return None;
        }
        let room = left.min(bytes.len() * 4);
        bytes.reserve_exact(room);
        Some(bytes.limit(room))
    }

    /// The last `count` bytes of the payload buffer have just been read.
    pub(super) fn payload_read(&mut self, count: usize) {
        let Stage::Payload { header, taken } = self.stage else { return };
        debug_assert!(count as u64 <= header.length - taken, "more was read than there was room for");
        let bytes = self.gather.binary();
        let start = bytes.len().saturating_sub(count);
        if let (Some(key), Some(piece)) = (header.mask, bytes.get_mut(start..)) {
            mask::apply(key, (taken % 4) as usize, piece);
        }
        self.stage = after_piece(header, (taken + count as u64).min(header.length));
    }

    /// Reads the head of a frame, which may come byte by byte.
    fn head(&mut self, input: &mut Input<'_>) -> Result<Option<Header>, Violation> {
        let Stage::Head { mut bytes, length } = self.stage else { return Ok(None) };
        if length == 0 {
            // As a rule it is all there.
            let Some(first) = input.bytes().first() else { return Ok(None) };
            let first = self.first(*first)?;
            if let Some((header, taken)) = Header::decode(first, input.bytes(), self.masked)? {
                input.take(taken);
                return Ok(Some(header));
            }
        }
        let kept = usize::from(length);
        let mut available = kept;
        for (slot, byte) in bytes.iter_mut().skip(kept).zip(input.bytes()) {
            *slot = *byte;
            available += 1;
        }
        let [first, ..] = bytes;
        if available == 0 {
            return Ok(None);
        }
        let first = self.first(first)?;
        match Header::decode(first, bytes.get(..available).unwrap_or_default(), self.masked)? {
            Some((header, taken)) => {
                input.take(taken.saturating_sub(kept));
                Ok(Some(header))
            }
            None => {
                input.take(available - kept);
                self.stage = Stage::Head { bytes, length: available as u8 };
                Ok(None)
            }
        }
    }

    /// What the first byte may say here.
    fn first(&self, byte: u8) -> Result<First, Violation> {
        let first = First::decode(byte)?;
        let starts = matches!(first.opcode, OpCode::Text | OpCode::Binary);
        // RFC 7692 §6: the bit stands on the first frame of a message, and on no other.
        if first.rsv1 && !(starts && self.inflater.is_some()) {
            return Err(Violation::ReservedBits);
        }
        // §5.4: fragments of different messages do not mix.
        match self.message {
            Some(_) if starts => Err(Violation::ExpectedContinuation),
            None if first.opcode == OpCode::Continuation => Err(Violation::UnexpectedContinuation),
            _ => Ok(first),
        }
    }

    /// Checks a data frame against the limits before any of its payload is taken.
    fn begin_frame<'i>(&mut self, header: &Header, limits: &Limits) -> Result<Option<Event<'i>>, Violation> {
        if header.length > limits.frame {
            return Err(Violation::FrameTooBig { length: header.length, limit: limits.frame });
        }
        let kind = match header.opcode {
            OpCode::Text => Some(Kind::Text),
            OpCode::Binary => Some(Kind::Binary),
            _ => None,
        };
        let message = match (&mut self.message, kind) {
            (open, Some(kind)) => {
                open.insert(Message { kind, compressed: header.rsv1, fragments: 0, size: 0, more: false })
            }
            (Some(open), None) => open,
            (None, None) => return Err(Violation::UnexpectedContinuation),
        };
        message.fragments = message.fragments.saturating_add(1);
        if message.fragments > limits.fragments {
            return Err(Violation::TooManyFragments { limit: limits.fragments });
        }
        if !message.compressed {
            message.size = message.size.saturating_add(header.length);
            if message.size > limits.message {
                return Err(Violation::MessageTooBig { limit: limits.message });
            }
        }
        Ok(kind.filter(|_| self.delivery == Delivery::Streamed).map(Event::Begin))
    }

    fn control<'i>(&mut self, header: &Header, input: &mut Input<'i>) -> Option<Incoming<'i>> {
        let offset = self.control.len();
        let piece = input.take(header.length as usize - offset);
        if let Some(key) = header.mask {
            mask::apply(key, offset, piece);
        }
        let payload = if offset == 0 && piece.len() as u64 == header.length {
            Cow::Borrowed(&*piece)
        } else {
            self.control.extend_from_slice(piece);
            if (self.control.len() as u64) < header.length {
                return None;
            }
            Cow::Owned(std::mem::take(&mut self.control))
        };
        self.stage = START;
        Some(Incoming::Control(header.opcode, payload))
    }

    /// The payload of a frame that is not compressed. Answers `None` with the stage as it is when more input is needed.
    fn plain<'i>(
        &mut self,
        header: Header,
        taken: u64,
        limits: &Limits,
        input: &mut Input<'i>,
    ) -> Result<Option<Event<'i>>, Violation> {
        let Some(message) = self.message else { return Ok(None) };
        let left = header.length - taken;
        let piece = input.take(usize::try_from(left).unwrap_or(usize::MAX));
        if let Some(key) = header.mask {
            mask::apply(key, (taken % 4) as usize, piece);
        }
        let piece = &*piece;
        let ends = piece.len() as u64 == left;
        self.stage = after_piece(header, taken + piece.len() as u64);
        if self.delivery == Delivery::Streamed {
            if message.kind == Kind::Text {
                self.utf8.check(piece, |_| {})?;
            }
            return Ok((!piece.is_empty()).then_some(Event::Chunk(Cow::Borrowed(piece))));
        }
        if ends && header.fin && message.fragments == 1 && taken == 0 {
            // The whole message is in the input: no copy.
            self.stage = START;
            self.message = None;
            return Ok(Some(match message.kind {
                Kind::Text => Event::Text(Cow::Borrowed(utf8::check_whole(piece)?)),
                Kind::Binary => Event::Binary(Cow::Borrowed(piece)),
            }));
        }
        if !piece.is_empty() {
            // How much there will be is known in the last frame only.
            let most = if header.fin { message.size } else { limits.message };
            self.gather.push(message.kind, &mut self.utf8, piece, most)?;
        }
        Ok(None)
    }

    /// The payload of a frame of a compressed message, a step at a time.
    fn compressed<'i>(
        &mut self,
        header: Header,
        taken: u64,
        limits: &Limits,
        input: &mut Input<'i>,
    ) -> Result<Option<Event<'i>>, Violation> {
        let mut taken = taken;
        loop {
            let Some(message) = self.message else { return Ok(None) };
            let left = header.length - taken;
            let payload = input.unmasked(usize::try_from(left).unwrap_or(usize::MAX), header.mask, taken);
            if payload.is_empty() && !message.more {
                if left > 0 {
                    return Ok(None);
                }
                self.stage = if header.fin { Stage::Inflating } else { START };
                return Ok(None);
            }
            let (consumed, chunk) = self.inflate(Some(payload), limits)?;
            input.take(consumed);
            taken += consumed as u64;
            self.stage = Stage::Payload { header, taken };
            if chunk.is_some() {
                return Ok(chunk);
            }
        }
    }

    /// The rest of what a compressed message inflates to.
    fn finish_inflating<'i>(&mut self, limits: &Limits) -> Result<Option<Event<'i>>, Violation> {
        loop {
            let (_, chunk) = self.inflate(None, limits)?;
            if !self.message.is_some_and(|message| message.more) {
                self.stage = Stage::MessageEnd;
            }
            if chunk.is_some() || matches!(self.stage, Stage::MessageEnd) {
                return Ok(chunk);
            }
        }
    }

    /// One step: inflates some of `payload`, or what follows the last of it, and gives or gathers what comes out.
    fn inflate<'i>(
        &mut self,
        payload: Option<&[u8]>,
        limits: &Limits,
    ) -> Result<(usize, Option<Event<'i>>), Violation> {
        let (Some(message), Some(inflater)) = (&mut self.message, &mut self.inflater) else {
            return Ok((0, None));
        };
        // One byte beyond the limit is enough to know that it is passed.
        let room =
            usize::try_from(limits.message - message.size).map_or(usize::MAX, |left| left.saturating_add(1));
        let room = room.min(INFLATE_STEP);
        let mut step = Vec::new();
        // A binary message is inflated to where it will stand.
        let gathers = self.delivery == Delivery::Assembled;
        let most = limits.message.saturating_add(1);
        let out = if gathers && message.kind == Kind::Binary {
            self.gather.binary_with(room, most)
        } else {
            &mut step
        };
        let before = out.len();
        let inflated = match payload {
            Some(payload) => inflater.inflate(payload, out, room),
            None => inflater.finish(out, room),
        };
        message.size += (out.len() - before) as u64;
        let too_big = message.size > limits.message;
        // What is wrong first decides, so that it does not depend on how the input was cut: the text up to the one byte beyond
        // the limit, then the limit, then what could not be inflated.
        if message.kind == Kind::Text && gathers {
            self.gather.push(message.kind, &mut self.utf8, &step, most)?;
        } else if message.kind == Kind::Text {
            self.utf8.check(&step, |_| {})?;
        }
        if too_big {
            return Err(Violation::MessageTooBig { limit: limits.message });
        }
        let inflated = inflated.map_err(|_| Violation::InvalidDeflate)?;
        message.more = inflated.more;
        let chunk = (!gathers && !step.is_empty()).then_some(Event::Chunk(Cow::Owned(step)));
        Ok((inflated.consumed, chunk))
    }
}
