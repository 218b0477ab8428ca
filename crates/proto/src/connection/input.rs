//! Bytes that came from the peer.

use crate::frame::mask::{self, Key};

/// Bytes that came from the peer and have not been looked at yet, in a buffer of the caller's.
///
/// Payloads are unmasked in place. Poll the connection until it answers `None`: then all of the input has been taken.
#[derive(Debug, Default)]
pub struct Input<'i> {
    bytes: &'i mut [u8],
    /// So many at the front have been unmasked: a decompressor takes as many as it likes at a time.
    plain: usize,
}

impl<'i> Input<'i> {
    /// The bytes that were just read.
    pub fn new(bytes: &'i mut [u8]) -> Self {
        Self { bytes, plain: 0 }
    }

    /// Bytes of which the first `plain` are unmasked already: what [`rest`](Self::rest) gave.
    pub fn resume(bytes: &'i mut [u8], plain: usize) -> Self {
        let plain = plain.min(bytes.len());
        Self { bytes, plain }
    }

    /// What has not been taken yet, and how many bytes of it are unmasked: to be kept by a driver that stops polling before
    /// the answer is `None`, and [resumed](Self::resume) later.
    pub fn rest(&self) -> (&[u8], usize) {
        (self.bytes, self.plain)
    }

    /// How many bytes have not been taken yet.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether all has been taken.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn discard(&mut self) {
        *self = Self::default();
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// Takes the next `count` bytes, or all.
    pub(super) fn take(&mut self, count: usize) -> &'i mut [u8] {
        let count = count.min(self.bytes.len());
        self.plain = self.plain.saturating_sub(count);
        self.bytes.split_off_mut(..count).unwrap_or_default()
    }

    /// The next `count` bytes, or all, unmasked but not taken; the first is `offset` bytes into its frame's payload.
    pub(super) fn unmasked(&mut self, count: usize, mask: Option<Key>, offset: u64) -> &[u8] {
        let count = count.min(self.bytes.len());
        let plain = self.plain;
        if let (Some(key), Some(masked)) = (mask, self.bytes.get_mut(plain..count)) {
            mask::apply(key, (offset % 4) as usize + plain, masked);
            self.plain = count;
        }
        self.bytes.get(..count).unwrap_or_default()
    }
}
