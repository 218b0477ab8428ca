//! What the messages hold: the same bytes in every run, different from message to message.

use clap::ValueEnum;

use crate::frame;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Random bytes.
    Binary,
    /// English words, ASCII only.
    Text,
    /// Words in several scripts and emoji: characters of one to four bytes.
    Utf8,
    /// Records as an API would send them, ASCII, compressible about as such data is.
    Json,
}

impl Kind {
    pub(crate) fn opcode(self) -> u8 {
        if self == Self::Binary { frame::BINARY } else { frame::TEXT }
    }

    /// Exactly `size` bytes; another `seed` gives other contents.
    pub(crate) fn make(self, size: usize, seed: u64) -> Vec<u8> {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        match self {
            Self::Binary => (0..size).map(|_| random.below(256) as u8).collect(),
            Self::Text => words(size, &mut random, ASCII),
            Self::Utf8 => words(size, &mut random, MIXED),
            Self::Json => json(size, &mut random),
        }
    }
}

const ASCII: &[&str] = &[
    "stream", "of", "words", "that", "a", "person", "might", "type", "while", "the", "others", "read",
    "along",
];
const MIXED: &[&str] = &[
    "plain",
    "words",
    "naïve",
    "Straße",
    "привет",
    "мир",
    "Ελλάδα",
    "שלום",
    "你好",
    "世界",
    "日本語",
    "한국어",
    "😀",
    "🎻🎶",
];

fn words(size: usize, random: &mut Random, from: &[&str]) -> Vec<u8> {
    let mut out = String::with_capacity(size);
    while out.len() < size {
        let word = from[random.below(from.len())];
        if out.len() + word.len() + 1 > size {
            break;
        }
        out.push_str(word);
        out.push(' ');
    }
    let mut out = out.into_bytes();
    out.resize(size, b'.');
    out
}

fn json(size: usize, random: &mut Random) -> Vec<u8> {
    const NAMES: &[&str] = &["alder", "birch", "cedar", "dogwood", "elm", "fir", "ginkgo", "hazel"];
    const STATES: &[&str] = &["open", "closed", "waiting", "failed"];
    let mut out = String::from("[");
    loop {
        let record = format!(
            r#"{{"id":{},"name":"{}","state":"{}","value":{}.{:02},"at":{}}},"#,
            random.below(1_000_000),
            NAMES[random.below(NAMES.len())],
            STATES[random.below(STATES.len())],
            random.below(10_000),
            random.below(100),
            1_700_000_000_000u64 + random.below(100_000_000) as u64,
        );
        if out.len() + record.len() + 3 > size {
            break;
        }
        out.push_str(&record);
    }
    out.push('"');
    let mut out = out.into_bytes();
    out.resize(size.saturating_sub(2), b'-');
    out.extend(b"\"]");
    out.truncate(size);
    out
}

/// xorshift64*: enough to make payloads from.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_the_size_asked_for_and_is_valid() {
        for size in [16, 32, 128, 1024, 4096] {
            for kind in [Kind::Binary, Kind::Text, Kind::Utf8, Kind::Json] {
                let payload = kind.make(size, 3);
                assert_eq!(payload.len(), size, "{kind:?}");
                // A short piece of JSON has no room for a record.
                if kind != Kind::Json || size >= 128 {
                    assert_ne!(payload, kind.make(size, 4).as_slice(), "{kind:?} {size}");
                }
                if kind != Kind::Binary {
                    std::str::from_utf8(&payload).expect("text is UTF-8");
                }
                if kind == Kind::Json {
                    serde_json::from_slice::<serde_json::Value>(&payload).expect("valid JSON");
                }
            }
        }
        assert!(Kind::Utf8.make(4096, 0).iter().filter(|byte| !byte.is_ascii()).count() > 1000);
    }
}
