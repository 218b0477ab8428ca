//! Patterns of channel names, as in Centrifugo's `channels`: globs without separators.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

use super::ApiError;

/// The longest pattern, in bytes.
const LENGTH: usize = 1024;

/// The most memory that a pattern may take, in bytes.
const SIZE: usize = 1024 * 1024;

/// A pattern, ready to be compared with names in time linear in their length.
#[derive(Debug)]
pub(super) struct Pattern(Regex);

impl Pattern {
    /// # Errors
    /// 107 where it is too long or cannot be read; the sentence says why.
    pub(super) fn new(text: &str) -> Result<Self, ApiError> {
        if text.len() > LENGTH {
            let length = text.len();
            return Err(ApiError::bad_request(format!(
                "the pattern has {length} bytes; no more than {LENGTH} are read"
            )));
        }
        let unreadable =
            |why: &str| ApiError::bad_request(format!("the pattern {text:?} cannot be read: {why}"));
        let regex = translate(text).map_err(unreadable)?;
        let regex = RegexBuilder::new(&regex).size_limit(SIZE).dot_matches_new_line(true).build();
        regex.map(Self).map_err(|_| unreadable("a range is upside down, or it is too large"))
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

/// The regular expression that says the same.
fn translate(pattern: &str) -> Result<String, &'static str> {
    let mut regex = String::from("^(?:");
    let mut depth = 0;
    let mut chars = pattern.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => class(&mut chars, &mut regex)?,
            '{' => {
                depth += 1;
                regex.push_str("(?:");
            }
            ',' if depth > 0 => regex.push('|'),
            '}' if depth > 0 => {
                depth -= 1;
                regex.push(')');
            }
            '\\' => literal(chars.next().ok_or("nothing follows the last \\")?, &mut regex),
            other => literal(other, &mut regex),
        }
    }
    if depth > 0 {
        return Err("a { has no }");
    }
    regex.push_str(")$");
    Ok(regex)
}

/// What stands between `[` and `]`.
fn class(chars: &mut Peekable<Chars<'_>>, regex: &mut String) -> Result<(), &'static str> {
    regex.push('[');
    if chars.next_if_eq(&'!').is_some() {
        regex.push('^');
    }
    let mut is_empty = true;
    loop {
        match chars.next().ok_or("a [ has no ]")? {
            ']' if is_empty => return Err("nothing stands between [ and ]"),
            ']' => break,
            '-' if !is_empty && chars.peek().is_some_and(|next| *next != ']') => regex.push('-'),
            '\\' => literal(chars.next().ok_or("a [ has no ]")?, regex),
            other => literal(other, regex),
        }
        is_empty = false;
    }
    regex.push(']');
    Ok(())
}

/// A character that stands for itself.
fn literal(character: char, regex: &mut String) {
    if character.is_ascii_punctuation() {
        regex.push('\\');
    }
    regex.push(character);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, hits, misses) in [
            ("news", &["news"][..], &["news:a", "xnews", ""][..]),
            ("news:*", &["news:a", "news:", "news:a:b"], &["news", "xnews:a"]),
            ("*", &["", "a", "a:b#7"], &[]),
            ("**", &["a:b"], &[]),
            ("*:end", &["a:end", ":end"], &["a:end2"]),
            ("a?c", &["abc", "aéc"], &["ac", "abbc"]),
            ("a.c+", &["a.c+"], &["abc+", "a.cc"]),
            ("[ab]1", &["a1", "b1"], &["c1", "1"]),
            ("[!ab]1", &["c1"], &["a1", "1"]),
            ("[a-c]", &["b"], &["d", "-"]),
            ("[-a]", &["-", "a"], &["b"]),
            ("[a-]", &["-", "a"], &["b"]),
            ("[\\]^]", &["]", "^"], &["a"]),
            ("[&&a]", &["&", "a"], &["b"]),
            ("{a,b*}:x", &["a:x", "bcd:x"], &["ab", "c:x", "a"]),
            ("{a,{b,c}d}", &["a", "bd", "cd"], &["b", "ad"]),
            ("a,b}", &["a,b}"], &["a"]),
            ("\\*\\{", &["*{"], &["a{"]),
            ("$a#7", &["$a#7"], &["a#7"]),
            ("(?i)a", &["(xi)a"], &["A"]),
            ("x|y", &["x|y"], &["x", "y"]),
        ] {
            let compiled = Pattern::new(pattern).unwrap();
            for name in hits {
                assert!(compiled.matches(name), "{pattern:?} matches {name:?}");
            }
            for name in misses {
                assert!(!compiled.matches(name), "{pattern:?} does not match {name:?}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let long = "a".repeat(LENGTH + 1);
        for pattern in ["[", "[]", "[!]", "[a", "{a", "{a,{b}", "a\\", "[a\\", "[z-a]", &long] {
            let error = Pattern::new(pattern).unwrap_err();
            assert_eq!(error.error.code, 107, "{pattern:?}");
        }
    }
}
