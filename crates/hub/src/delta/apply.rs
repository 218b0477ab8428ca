//! From the old data and a difference to the new data.

use std::fmt;

use super::checksum;

/// Why a difference cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeltaError {
    /// The bytes are no difference.
    Malformed,
    /// The new data would be larger than is allowed.
    TooLarge {
        /// How large, in bytes.
        size: usize,
        /// How large it may be, in bytes.
        limit: usize,
    },
    /// It was made for other old data: it copies what is not there, or what comes out has another checksum.
    WrongBase,
}

impl fmt::Display for DeltaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "the bytes are no difference in Fossil's format"),
            Self::TooLarge { size, limit } => {
                write!(
                    f,
                    "the difference makes {size} bytes, and {limit} are allowed: raise the limit or ask for whole data"
                )
            }
            Self::WrongBase => {
                write!(f, "the difference was made for other data: a publication before it is missing")
            }
        }
    }
}

impl std::error::Error for DeltaError {}

/// The new data, of at most `limit` bytes, from the old data and the difference that [`create`](super::create) made of both.
///
/// # Errors
/// When the difference is malformed, makes more than `limit` bytes, or was made for other old data.
pub fn apply(old: &[u8], delta: &[u8], limit: usize) -> Result<Vec<u8>, DeltaError> {
    let mut reader = Reader { rest: delta };
    let (size, end) = reader.number()?;
    if end != b'\n' {
        return Err(DeltaError::Malformed);
    }
    if size > limit {
        return Err(DeltaError::TooLarge { size, limit });
    }
    let mut new = Vec::with_capacity(size);
    loop {
        let piece = match reader.number()? {
            (length, b'@') => {
                let (offset, b',') = reader.number()? else { return Err(DeltaError::Malformed) };
                old.get(offset..).and_then(|from| from.get(..length)).ok_or(DeltaError::WrongBase)?
            }
            (length, b':') => reader.take(length)?,
            (sum, b';') if new.len() == size && reader.rest.is_empty() => {
                return if sum == checksum(&new) as usize { Ok(new) } else { Err(DeltaError::WrongBase) };
            }
            _ => return Err(DeltaError::Malformed),
        };
        if piece.len() > size - new.len() {
            return Err(DeltaError::Malformed);
        }
        new.extend_from_slice(piece);
    }
}

/// What is left of a difference.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A number of at most 32 bits, and the byte that ends it.
    fn number(&mut self) -> Result<(usize, u8), DeltaError> {
        let digits = self.rest.iter().position(|byte| value(*byte).is_none()).ok_or(DeltaError::Malformed)?;
        let (number, rest) = self.rest.split_at(digits);
        let (end, rest) = rest.split_first().ok_or(DeltaError::Malformed)?;
        if number.is_empty() {
            return Err(DeltaError::Malformed);
        }
        self.rest = rest;
        let number = number.iter().try_fold(0_u32, |number, digit| {
            number.checked_mul(64).map(|number| number | value(*digit).unwrap_or_default())
        });
        Ok((number.ok_or(DeltaError::Malformed)? as usize, *end))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DeltaError> {
        let (piece, rest) = self.rest.split_at_checked(length).ok_or(DeltaError::Malformed)?;
        self.rest = rest;
        Ok(piece)
    }
}

/// What a digit stands for.
fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'0'..=b'9' => digit - b'0',
        b'A'..=b'Z' => digit - b'A' + 10,
        b'_' => 36,
        b'a'..=b'z' => digit - b'a' + 37,
        b'~' => 63,
        _ => return None,
    };
    Some(value.into())
}
