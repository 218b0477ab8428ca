//! A message made into a frame once, for many connections.

use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};

use super::event::Kind;
use crate::deflate::{Deflater, DeflaterSettings};
use crate::frame::header::Header;

/// A message made into a frame once, for many connections of a server, which share its bytes.
///
/// The compressed form is made when the first connection asks for it, and serves all whose compressor keeps no context.
#[derive(Debug)]
pub struct Prepared {
    kind: Kind,
    /// Head and payload.
    plain: Bytes,
    payload: Bytes,
    /// `None` where it came out no shorter. For a window of 15 bits: a connection with a smaller one gets the plain frame.
    deflated: OnceLock<Option<Bytes>>,
}

impl Prepared {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::new(Kind::Text, text.as_bytes())
    }

    /// A binary message.
    pub fn binary(payload: &[u8]) -> Self {
        Self::new(Kind::Binary, payload)
    }

    fn new(kind: Kind, payload: &[u8]) -> Self {
        let plain = frame(kind, false, payload);
        let payload = plain.slice(plain.len() - payload.len()..);
        Self { kind, plain, payload, deflated: OnceLock::new() }
    }

    /// Whether it is text or binary.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The message.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The whole frame, as a server without compression sends it.
    pub fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// The compressed frame, for a connection whose compressor is like this.
    pub(super) fn deflated(&self, settings: DeflaterSettings) -> &Bytes {
        if settings.window_bits < 15 || !settings.no_context_takeover {
            return &self.plain;
        }
        let deflated = self.deflated.get_or_init(|| {
            let mut out = Vec::new();
            Deflater::new(settings).compress(&self.payload, true, &mut out);
            (out.len() < self.payload.len()).then(|| frame(self.kind, true, &out))
        });
        deflated.as_ref().unwrap_or(&self.plain)
    }
}

fn frame(kind: Kind, rsv1: bool, payload: &[u8]) -> Bytes {
    let length = payload.len() as u64;
    let header = Header { fin: true, rsv1, opcode: kind.opcode(), mask: None, length }.encode();
    let mut frame = BytesMut::with_capacity(header.as_slice().len() + payload.len());
    frame.extend_from_slice(header.as_slice());
    frame.extend_from_slice(payload);
    frame.freeze()
}
