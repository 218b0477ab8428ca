//! Decimal numbers as they are written.

use std::cmp::Ordering;

/// A decimal number of any length, which compares without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal<'a> {
    /// Zero is not.
    negative: bool,
    /// The digits before the point, without zeros in front.
    whole: &'a str,
    /// The digits behind the point, without zeros at the end.
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    /// Reads `12`, `-12` or `+12.5`: digits, and where there is a point digits on both sides of it.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        if [whole, fraction]
            .iter()
            .any(|part| part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: text.starts_with('-') && !zero, whole, fraction })
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = (self.whole.len(), self.whole, self.fraction).cmp(&(
            other.whole.len(),
            other.whole,
            other.fraction,
        ));
        match (self.negative, other.negative) {
            (false, false) => magnitude,
            (true, true) => magnitude.reverse(),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers() {
        let ascending = [
            &["-10000000000000000000000000000000000000001"][..],
            &["-10000000000000000000000000000000000000000"],
            &["-10", "-10.0", "-010"],
            &["-9.99"],
            &["-0.5"],
            &["0", "-0", "+0", "0.0", "-0.000", "000"],
            &["0.00000000000000000000000000000000000000001"],
            &["0.09"],
            &["0.1", "+0.10"],
            &["1", "01.00", "+1"],
            &["1.00000000000000000000000000000000000000001"],
            &["2"],
            &["10"],
            &["9007199254740992"],
            &["9007199254740993"],
            &["9007199254740993.1"],
        ];
        let numbers: Vec<(usize, Decimal<'_>)> = ascending
            .iter()
            .enumerate()
            .flat_map(|(rank, texts)| texts.iter().map(move |text| (rank, Decimal::parse(text).unwrap())))
            .collect();
        for (rank, number) in &numbers {
            for (other_rank, other) in &numbers {
                assert_eq!(number.cmp(other), rank.cmp(other_rank), "{number:?} and {other:?}");
                assert_eq!(number == other, rank == other_rank, "{number:?} and {other:?}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in [
            "", "-", "+", ".", ".5", "5.", "-.5", "1.2.3", "1e3", "--1", "+-1", " 1", "1 ", "1_000", "1,5",
            "0x10", "NaN", "inf", "١",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text:?}");
        }
    }
}
