//! Which stream a position belongs to.

use std::num::NonZeroU64;

use crate::engine::EngineError;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Digits of the largest number.
const LENGTH: usize = 11;

/// Names one life of a stream: 8 random bytes, so that no two lives have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch(NonZeroU64);

impl Epoch {
    /// A fresh one.
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub(super) fn random() -> Result<Self, EngineError> {
        match getrandom::u64() {
            Ok(number) => Ok(Self(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))),
            Err(error) => Err(EngineError(format!(
                "no epoch for a new stream: the system gives no random numbers: {error}"
            ))),
        }
    }

    /// Eleven letters and digits.
    pub(super) fn text(self) -> String {
        let mut text = String::with_capacity(LENGTH);
        let mut rest = self.0.get();
        for _ in 0..LENGTH {
            text.push(char::from(DIGITS[(rest % 62) as usize]));
            rest /= 62;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_numbers_have_different_texts() {
        for (number, text) in
            [(1, "10000000000"), (61, "z0000000000"), (62, "01000000000"), (u64::MAX, "FYHA61aHgyL")]
        {
            assert_eq!(Epoch(NonZeroU64::new(number).unwrap()).text(), text, "{number}");
        }
    }
}
