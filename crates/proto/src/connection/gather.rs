//! A message that came in pieces, put together.

use std::borrow::Cow;

use super::event::{Event, Kind};
use crate::utf8::Utf8;
use crate::violation::Violation;

/// What has come of the message that is open. Holds no memory while there is none.
#[derive(Debug, Default)]
pub(super) enum Gather {
    #[default]
    Empty,
    /// Text is put together as text, so that each byte is checked once.
    Text(String),
    Binary(Vec<u8>),
}

impl Gather {
    /// Appends a piece of a message of this kind, which is known to come to at most `limit` bytes.
    pub(super) fn push(
        &mut self,
        kind: Kind,
        utf8: &mut Utf8,
        piece: &[u8],
        limit: u64,
    ) -> Result<(), Violation> {
        match kind {
            Kind::Text => {
                let text = self.text();
                // A code point that was cut may come whole only now.
                let more = utf8.carried() + piece.len();
                text.reserve_exact(growth(text.len(), more, text.capacity(), limit));
                utf8.check(piece, |whole| text.push_str(whole))
            }
            Kind::Binary => {
                let bytes = self.binary();
                bytes.reserve_exact(growth(bytes.len(), piece.len(), bytes.capacity(), limit));
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// The bytes of a binary message so far, with room for `more`, of a message that is known to come to at most `limit` bytes.
    pub(super) fn binary_with(&mut self, more: usize, limit: u64) -> &mut Vec<u8> {
        let bytes = self.binary();
        // The first piece takes the room that it needs.
        if !bytes.is_empty() {
            bytes.reserve_exact(growth(bytes.len(), more, bytes.capacity(), limit));
        }
        bytes
    }

    /// The bytes of a binary message so far.
    pub(super) fn binary(&mut self) -> &mut Vec<u8> {
        if !matches!(self, Self::Binary(_)) {
            *self = Self::Binary(Vec::new());
        }
        match self {
            Self::Binary(bytes) => bytes,
            Self::Empty | Self::Text(_) => unreachable!("it was just made binary"),
        }
    }

    fn text(&mut self) -> &mut String {
        if !matches!(self, Self::Text(_)) {
            *self = Self::Text(String::new());
        }
        match self {
            Self::Text(text) => text,
            Self::Empty | Self::Binary(_) => unreachable!("it was just made text"),
        }
    }

    /// The message, which has come to its end.
    pub(super) fn take<'i>(&mut self, kind: Kind) -> Event<'i> {
        match (std::mem::take(self), kind) {
            (Self::Text(text), _) => Event::Text(Cow::Owned(text)),
            (Self::Binary(bytes), _) => Event::Binary(Cow::Owned(bytes)),
            (Self::Empty, Kind::Text) => Event::Text(Cow::Borrowed("")),
            (Self::Empty, Kind::Binary) => Event::Binary(Cow::Borrowed(&[])),
        }
    }
}

/// How much to reserve for `more` bytes: room for four times what has come by then, so that the cost stays linear and a head
/// that declares much reserves nothing, but not beyond what will come at most. The last move is from a buffer of at most half of
/// that, so that the two take one and a half times of it for a moment.
fn growth(length: usize, more: usize, capacity: usize, limit: u64) -> usize {
    let needed = length + more;
    if needed <= capacity {
        return more;
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let grown = needed.saturating_mul(4);
    if grown > limit / 2 { limit.max(needed) - length } else { grown - length }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_with_what_has_come_up_to_the_limit() {
        assert_eq!(growth(0, 10, 0, 1000), 40);
        assert_eq!(growth(0, 10, 0, 10), 10);
        assert_eq!(growth(10, 1, 10, 1000), 34);
        assert_eq!(growth(10, 1, 10, 12), 2);
        assert_eq!(growth(10, 5, 100, 1000), 5);
        assert_eq!(growth(120, 5, 120, 1000), 380);
        assert_eq!(growth(120, 10, 120, 1000), 880);
        assert_eq!(growth(900, 10, 900, u64::MAX), 910 * 4 - 900);
    }
}
