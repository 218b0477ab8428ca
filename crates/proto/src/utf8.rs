//! UTF-8 checked as it arrives (RFC 6455 §8.1, RFC 3629).

use crate::violation::Violation;

/// Below this many bytes the standard library's check is quicker than setting up vector registers.
const SIMD_FROM: usize = 64;

/// The start of a code point that the bytes so far end in: at most three bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Utf8 {
    carried: [u8; 4],
    length: u8,
}

/// Checks a whole text at once.
pub(crate) fn check_whole(bytes: &[u8]) -> Result<&str, Violation> {
    if bytes.len() < SIMD_FROM {
        return std::str::from_utf8(bytes).map_err(|_| Violation::InvalidUtf8);
    }
    simdutf8::basic::from_utf8(bytes).map_err(|_| Violation::InvalidUtf8)
}

impl Utf8 {
    /// Checks the next bytes of a text, which may be cut anywhere, and passes on what is whole: first the code point that an
    /// earlier piece ended in, then the rest. Fails at the first byte that no UTF-8 text could have there.
    pub(crate) fn check(&mut self, bytes: &[u8], mut whole: impl FnMut(&str)) -> Result<(), Violation> {
        let mut bytes = bytes;
        while self.length > 0 {
            let Some((&next, rest)) = bytes.split_first() else { return Ok(()) };
            bytes = rest;
            if let Some(slot) = self.carried.get_mut(usize::from(self.length)) {
                *slot = next;
            }
            self.length += 1;
            let carried = self.carried.get(..usize::from(self.length)).unwrap_or_default();
            match std::str::from_utf8(carried) {
                Ok(point) => {
                    whole(point);
                    self.length = 0;
                }
                // `None`: what is there can still become a code point.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(Violation::InvalidUtf8),
            }
        }
        if bytes.len() >= SIMD_FROM
            && let Ok(text) = simdutf8::basic::from_utf8(bytes)
        {
            whole(text);
            return Ok(());
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => whole(text),
            Err(error) if error.error_len().is_some() => return Err(Violation::InvalidUtf8),
            Err(error) => {
                let (valid, cut) = bytes.split_at_checked(error.valid_up_to()).unwrap_or_default();
                whole(std::str::from_utf8(valid).unwrap_or_default());
                for (slot, byte) in self.carried.iter_mut().zip(cut) {
                    *slot = *byte;
                }
                self.length = cut.len() as u8;
            }
        }
        Ok(())
    }

    /// How many bytes of a code point that was cut are kept.
    pub(crate) fn carried(&self) -> usize {
        usize::from(self.length)
    }

    /// Ends the text: it must not end within a code point.
    pub(crate) fn finish(&mut self) -> Result<(), Violation> {
        let whole = self.length == 0;
        self.length = 0;
        if whole { Ok(()) } else { Err(Violation::InvalidUtf8) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_pieces(bytes: &[u8], cuts: &[usize]) -> Result<String, Violation> {
        let mut utf8 = Utf8::default();
        let mut text = String::new();
        let mut from = 0;
        for cut in cuts.iter().copied().chain([bytes.len()]) {
            let to = cut.clamp(from, bytes.len());
            utf8.check(&bytes[from..to], |piece| text.push_str(piece))?;
            from = to;
        }
        utf8.finish()?;
        Ok(text)
    }

    #[test]
    fn fails_at_the_first_bad_byte() {
        // Each ends in the byte that makes it wrong; all before could have gone on.
        for bad in [
            &b"\xC0"[..],
            b"\xC1",
            b"\xF5",
            b"\x80",
            b"\xE0\x9F",
            b"\xED\xA0",
            b"\xF0\x8F",
            b"\xF4\x90",
            b"\xE2\x28",
            b"\xE2\x82\x28",
            b"\xF0\x9F\x98\x28",
            b"\xFF",
        ] {
            let mut utf8 = Utf8::default();
            let (last, before) = bad.split_last().unwrap();
            for byte in before {
                assert_eq!(utf8.check(&[*byte], |_| {}), Ok(()), "{bad:02x?}");
            }
            assert_eq!(utf8.check(&[*last], |_| {}), Err(Violation::InvalidUtf8), "{bad:02x?}");
        }
    }

    #[test]
    fn fails_when_cut_at_the_end() {
        for cut in [&b"\xC3"[..], b"\xE2\x82", b"\xF0\x9F\x98"] {
            assert_eq!(in_pieces(cut, &[]), Err(Violation::InvalidUtf8));
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_text(text in ".{0,200}", mut cuts in prop::collection::vec(0usize..600, 0..8)) {
            cuts.sort_unstable();
            prop_assert_eq!(in_pieces(text.as_bytes(), &cuts), Ok(text));
        }

        #[test]
        fn any_split_of_any_bytes_agrees_with_std(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0xC0u8..=0xFF, 0x80u8..=0xBF], 0..100),
            mut cuts in prop::collection::vec(0usize..100, 0..8),
        ) {
            cuts.sort_unstable();
            prop_assert_eq!(in_pieces(&bytes, &cuts).ok(), String::from_utf8(bytes).ok());
        }
    }
}
