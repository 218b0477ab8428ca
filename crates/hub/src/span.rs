//! Lengths of time as people write them: `250ms`, `25s`, `5m`, `1h`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time in a configuration file or flag: a whole number and its unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// No time at all, which in most settings means "not at all".
    pub const ZERO: Self = Self(Duration::ZERO);

    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Whole milliseconds.
    pub fn as_ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

/// The units, each with its length in milliseconds.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let length = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, length)| *length);
        let milliseconds = number.parse::<u64>().ok().zip(length).and_then(|(n, l)| n.checked_mul(l));
        milliseconds.map(|ms| Self(Duration::from_millis(ms))).ok_or_else(|| {
            format!("{text:?} is not a length of time; write a whole number and a unit (ms, s, m, h), such as \"25s\"")
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.as_ms();
        let largest = UNITS.iter().rev().find(|(_, length)| ms.is_multiple_of(*length) && ms >= *length);
        match largest {
            Some((unit, length)) => write!(f, "{}{unit}", ms / length),
            None => f.write_str("0s"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+ *(ms|s|m|h)$",
            "description": "a length of time: a whole number and its unit (ms, s, m, h)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_back_as_it_is_written() {
        for text in ["250ms", "25s", "5m", "1h", "90s", "0s"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "25", "s", "-1s", "1.5s", "1d", "99999999999999999999s", "18446744073709551615h"] {
            assert!(text.parse::<Span>().is_err(), "{text:?}");
        }
    }
}
