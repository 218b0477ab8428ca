//! The mark that tells one publication of a run from another.

/// Digits of a publication's number.
const DIGITS: usize = 12;

/// Makes payloads that hold a mark, and finds it again: `@`, eight digits for the run, twelve for the publication, `@`.
#[derive(Debug)]
pub(super) struct Marks {
    /// What the marks of this run begin with. What is left in a channel by another run is none of ours.
    run: String,
}

impl Marks {
    pub(super) fn new(run: u32) -> Self {
        Self { run: format!("@{run:08x}") }
    }

    /// A text of `size` bytes, or of the mark's length if that is more. It needs no escaping in JSON.
    pub(super) fn payload(&self, number: u64, size: usize) -> String {
        let mark = format!("{}{number:0DIGITS$}@", self.run);
        let letters = ('a'..='z').cycle().take(size.saturating_sub(mark.len()));
        mark.chars().chain(letters).collect()
    }

    /// The number of the publication that `text` holds, if it is of this run.
    pub(super) fn find(&self, text: &str) -> Option<u64> {
        let rest = &text[text.find(&self.run)? + self.run.len()..];
        let digits = rest.get(..DIGITS).filter(|_| rest[DIGITS..].starts_with('@'))?;
        digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_found() {
        let marks = Marks::new(0xab);
        let payload = marks.payload(12, 32);
        assert_eq!(payload, "@000000ab000000000012@abcdefghij");
        assert_eq!(marks.payload(12, 3), "@000000ab000000000012@");
        assert_eq!(marks.find(&payload), Some(12));
        let push = format!(r#"{{"push":{{"channel":"@","pub":{{"data":"{payload}"}}}}}}"#);
        assert_eq!(marks.find(&push), Some(12));
        for other in [
            "",
            "{}",
            "@000000ab",
            "@000000ab00000000001€@",
            "@000000ab0000000000123",
            "@000000ab+00000000012@",
        ] {
            assert_eq!(marks.find(other), None, "{other}");
        }
        assert_eq!(Marks::new(0xac).find(&payload), None);
    }
}
