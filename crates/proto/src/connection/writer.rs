//! From messages to bytes.

use std::fmt;

use bytes::Bytes;

use super::event::Kind;
use super::outbox::Outbox;
use super::prepared::Prepared;
use crate::deflate::{Deflater, DeflaterSettings};
use crate::entropy::Entropy;
use crate::frame::header::{Header, MAX_CONTROL, MAX_HEADER};
use crate::frame::mask;
use crate::frame::opcode::OpCode;
use crate::utf8::Utf8;

/// From this size on a server's payload is referred to rather than copied.
const SHARE_FROM: usize = 2048;

/// With this many bytes waiting, Pongs are not added any more: only the latest is kept (§5.5.3 allows it).
const PONG_ROOM: usize = 64 * 1024;

/// A message cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing or closed (§5.5.1: nothing follows a Close frame).
    Closed,
    /// A streamed message is open: finish it first.
    MessageOpen,
    /// No streamed message is open.
    NoMessageOpen,
    /// The bytes of a text message are not UTF-8 (§5.6).
    InvalidUtf8,
    /// The payload of a Ping or Pong has this many bytes, and the limit is 125 (§5.5).
    ControlTooLong(usize),
    /// So many bytes wait to be written, and the limit has been reached: the peer does not read.
    OutboxFull {
        /// Bytes that wait.
        waiting: usize,
        /// [`Limits::outbox`](crate::Limits::outbox).
        limit: usize,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is closed"),
            Self::MessageOpen => f.write_str("a streamed message is open; finish it before another is sent"),
            Self::NoMessageOpen => f.write_str("no streamed message is open; begin one first"),
            Self::InvalidUtf8 => f.write_str("a text message must be UTF-8; send it as binary"),
            Self::ControlTooLong(length) => {
                write!(f, "a control frame of {length} bytes is above the limit of 125")
            }
            Self::OutboxFull { waiting, limit } => {
                write!(f, "{waiting} bytes wait to be written, limit {limit}: the peer does not read")
            }
        }
    }
}

impl std::error::Error for SendError {}

/// The side of a connection that makes bytes for the peer.
pub(super) struct Writer {
    pub(super) outbox: Outbox,
    /// A client's source of masks.
    entropy: Option<Box<dyn Entropy + Send>>,
    deflate: Option<Box<Deflate>>,
    stream: Option<Stream>,
    /// The answer to the latest Ping, while too much waits.
    pong: Option<Box<[u8]>>,
}

struct Deflate {
    deflater: Deflater,
    side: DeflateSide,
}

/// The streamed message that is open.
#[derive(Clone, Copy)]
struct Stream {
    kind: Kind,
    compressed: bool,
    /// Its first frame has been sent.
    begun: bool,
    utf8: Utf8,
}

impl Kind {
    pub(super) const fn opcode(self) -> OpCode {
        match self {
            Self::Text => OpCode::Text,
            Self::Binary => OpCode::Binary,
        }
    }
}

impl Writer {
    pub(super) fn new(entropy: Option<Box<dyn Entropy + Send>>, deflate: Option<DeflateSide>) -> Self {
        let deflate = deflate.map(|side| Box::new(Deflate { deflater: Deflater::new(side.settings), side }));
        Self { outbox: Outbox::default(), entropy, deflate, stream: None, pong: None }
    }

    /// Whether a streamed message is open.
    pub(super) fn is_streaming(&self) -> bool {
        self.stream.is_some()
    }

    /// Frees what only sending needs.
    pub(super) fn clear(&mut self) {
        self.deflate = None;
        self.stream = None;
        self.pong = None;
    }

    /// A whole message in one frame.
    pub(super) fn message(&mut self, kind: Kind, payload: &[u8], compress: bool) {
        if compress && self.compressed_message(kind, payload) {
            return;
        }
        self.frame(true, false, kind.opcode(), payload);
    }

    /// A whole message whose bytes others hold as well. A server does not copy it.
    pub(super) fn shared_message(&mut self, kind: Kind, payload: Bytes, compress: bool) {
        let compresses =
            compress && self.deflate.as_ref().is_some_and(|deflate| payload.len() >= deflate.side.threshold);
        if self.entropy.is_some() || compresses || payload.len() < SHARE_FROM {
            return self.message(kind, &payload, compress);
        }
        let length = payload.len() as u64;
        let header = Header { fin: true, rsv1: false, opcode: kind.opcode(), mask: None, length };
        self.outbox.copy(|out| header.put(out));
        self.outbox.share(payload);
    }

    /// A message that was made into a frame once for many connections.
    pub(super) fn prepared(&mut self, prepared: &Prepared) {
        if self.entropy.is_some() {
            // Each of a client's frames has a mask of its own (§5.3).
            return self.message(prepared.kind(), prepared.payload(), true);
        }
        let frame = match &self.deflate {
            Some(deflate) if prepared.payload().len() >= deflate.side.threshold => {
                prepared.deflated(deflate.side.settings)
            }
            _ => prepared.plain(),
        };
        if frame.len() < SHARE_FROM {
            self.outbox.copy(|out| out.extend_from_slice(frame));
        } else {
            self.outbox.share(frame.clone());
        }
    }

    /// Compresses a message, unless it is too short, or would come out longer where that is allowed to be found out.
    fn compressed_message(&mut self, kind: Kind, payload: &[u8]) -> bool {
        let Some(mut deflate) = self.deflate.take() else { return false };
        let mut sent = false;
        if payload.len() >= deflate.side.threshold {
            sent = true;
            let mask = self.mask();
            self.outbox.copy(|out| {
                let start = out.len();
                out.resize(start + MAX_HEADER, 0);
                deflate.deflater.compress(payload, true, out);
                let length = out.len() - start - MAX_HEADER;
                if length >= payload.len() && deflate.side.settings.no_context_takeover {
                    // With context takeover it is in the window by now, and must be sent as it is.
                    out.truncate(start);
                    sent = false;
                    return;
                }
                let header =
                    Header { fin: true, rsv1: true, opcode: kind.opcode(), mask, length: length as u64 };
                close_gap(out, start, &header);
            });
        }
        self.deflate = Some(deflate);
        sent
    }

    /// One frame, masked if this is a client.
    pub(super) fn frame(&mut self, fin: bool, rsv1: bool, opcode: OpCode, payload: &[u8]) {
        let mask = self.mask();
        let header = Header { fin, rsv1, opcode, mask, length: payload.len() as u64 };
        self.outbox.copy(|out| {
            out.reserve(MAX_HEADER + payload.len());
            header.put(out);
            let start = out.len();
            out.extend_from_slice(payload);
            if let (Some(key), Some(payload)) = (mask, out.get_mut(start..)) {
                mask::apply(key, 0, payload);
            }
        });
    }

    /// Answers a Ping.
    pub(super) fn pong(&mut self, payload: &[u8]) {
        if self.outbox.len() < PONG_ROOM {
            self.frame(true, false, OpCode::Pong, payload);
        } else {
            self.pong = Some(payload.into());
        }
    }

    /// Sends the Pong that had to wait, once there is room.
    pub(super) fn flush_pong(&mut self) {
        if self.outbox.len() < PONG_ROOM
            && let Some(payload) = self.pong.take()
        {
            self.frame(true, false, OpCode::Pong, &payload);
        }
    }

    pub(super) fn begin(&mut self, kind: Kind, compress: bool) -> Result<(), SendError> {
        if self.stream.is_some() {
            return Err(SendError::MessageOpen);
        }
        let compressed = compress && self.deflate.is_some();
        self.stream = Some(Stream { kind, compressed, begun: false, utf8: Utf8::default() });
        Ok(())
    }

    pub(super) fn push(&mut self, payload: &[u8]) -> Result<(), SendError> {
        let Some(stream) = &mut self.stream else { return Err(SendError::NoMessageOpen) };
        if stream.kind == Kind::Text {
            // On a copy: what is refused must leave no trace.
            let mut utf8 = stream.utf8;
            utf8.check(payload, |_| {}).map_err(|_| SendError::InvalidUtf8)?;
            stream.utf8 = utf8;
        }
        if !payload.is_empty() {
            self.fragment(payload, false);
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<(), SendError> {
        let Some(mut stream) = self.stream else { return Err(SendError::NoMessageOpen) };
        stream.utf8.finish().map_err(|_| SendError::InvalidUtf8)?;
        self.fragment(&[], true);
        self.stream = None;
        Ok(())
    }

    fn fragment(&mut self, payload: &[u8], fin: bool) {
        let Some(stream) = &mut self.stream else { return };
        let opcode = if stream.begun { OpCode::Continuation } else { stream.kind.opcode() };
        let rsv1 = stream.compressed && !stream.begun;
        let compressed = stream.compressed;
        let deflate = self.deflate.as_mut().filter(|_| compressed);
        let Some(deflate) = deflate else {
            stream.begun = true;
            return self.frame(fin, rsv1, opcode, payload);
        };
        let mut deflated = Vec::new();
        deflate.deflater.compress(payload, fin, &mut deflated);
        // What the compressor still keeps to itself needs no frame.
        if fin || !deflated.is_empty() {
            stream.begun = true;
            self.frame(fin, rsv1, opcode, &deflated);
        }
    }

    fn mask(&mut self) -> Option<mask::Key> {
        self.entropy.as_mut().map(|entropy| {
            let mut key = mask::Key::default();
            entropy.fill(&mut key);
            key
        })
    }

    /// Checks the payload of a control frame.
    pub(super) fn check_control(payload: &[u8]) -> Result<(), SendError> {
        if payload.len() > MAX_CONTROL { Err(SendError::ControlTooLong(payload.len())) } else { Ok(()) }
    }
}

/// What this end's compressor is to be like.
#[derive(Clone, Copy)]
pub(super) struct DeflateSide {
    pub(super) settings: DeflaterSettings,
    pub(super) threshold: usize,
}

/// Puts the head in front of a payload that was written with room for the longest head, and masks it.
fn close_gap(out: &mut Vec<u8>, start: usize, header: &Header) {
    let head = header.encode();
    let head = head.as_slice();
    let payload = start + MAX_HEADER;
    if let Some(slot) = out.get_mut(start..start + head.len()) {
        slot.copy_from_slice(head);
    }
    let end = out.len();
    out.copy_within(payload..end, start + head.len());
    out.truncate(end - (MAX_HEADER - head.len()));
    if let (Some(key), Some(payload)) = (header.mask, out.get_mut(start + head.len()..)) {
        mask::apply(key, 0, payload);
    }
}
