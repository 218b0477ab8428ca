//! Which connections are asked for.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::str;
use std::time::{Duration, Instant};

use crate::session::Transport;

/// Which connections are asked for: those for which everything holds that is not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Stands in the user's id, the connection's, the name of the program, the address or the name of a channel; case does not matter.
    pub search: String,
    /// The user's id.
    pub user: String,
    /// The connection's id.
    pub client: String,
    /// It is subscribed to this channel.
    pub channel: String,
    /// Its address begins so.
    pub address: String,
    /// It listens on this.
    pub transport: Option<Transport>,
    /// At most so many are given.
    pub limit: usize,
    /// Only those behind this in the list: [`Page::next`](super::Page::next).
    pub after: Option<u64>,
}

/// The time, as sessions have it and as people have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    /// In milliseconds since 1970.
    pub(crate) unix_ms: u64,
}

impl Moment {
    /// Another moment, as people have it.
    pub(crate) fn unix_ms_at(self, at: Instant) -> u64 {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        match at.checked_duration_since(self.now) {
            Some(ahead) => self.unix_ms.saturating_add(ms(ahead)),
            None => self.unix_ms.saturating_sub(ms(self.now.saturating_duration_since(at))),
        }
    }
}

/// A query, made ready to be asked of each connection.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) query: Query,
    needle: String,
    /// What is searched for may stand in an address.
    is_like_address: bool,
    /// And in the id of a connection: most names have other letters.
    is_like_id: bool,
}

impl Filter {
    pub(crate) fn new(query: Query) -> Self {
        let needle = query.search.to_lowercase();
        let is_made_of =
            |others: &[u8]| needle.bytes().all(|byte| byte.is_ascii_hexdigit() || others.contains(&byte));
        let (is_like_address, is_like_id) = (is_made_of(b".:"), is_made_of(b"-"));
        Self { query, needle, is_like_address, is_like_id }
    }

    /// Whether every connection matches.
    pub(crate) fn is_open(&self) -> bool {
        let Query { search, user, client, channel, address, transport, .. } = &self.query;
        transport.is_none() && [search, user, client, channel, address].iter().all(|text| text.is_empty())
    }

    pub(crate) fn is_searching(&self) -> bool {
        !self.needle.is_empty()
    }

    /// Whether what is searched for stands in a text.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        if !text.is_ascii() {
            return text.to_lowercase().contains(&self.needle);
        }
        let (text, needle) = (text.as_bytes(), self.needle.as_bytes());
        let Some((first, rest)) = needle.split_first() else { return true };
        // Most places differ at once: these are looked at for every connection.
        text.windows(needle.len())
            .any(|window| window[0].to_ascii_lowercase() == *first && window[1..].eq_ignore_ascii_case(rest))
    }

    /// Whether what is searched for stands in the id of a connection.
    pub(crate) fn is_in_id(&self, id: &str) -> bool {
        self.is_like_id && self.is_in(id)
    }

    /// Whether what is searched for stands in an address.
    pub(crate) fn is_in_address(&self, address: Option<IpAddr>) -> bool {
        self.is_like_address && address.is_some_and(|address| self.is_in(Written::new(address).text()))
    }

    /// Whether an address begins as it should.
    pub(crate) fn takes_address(&self, address: Option<IpAddr>) -> bool {
        let begin = &*self.query.address;
        begin.is_empty() || address.is_some_and(|address| Written::new(address).text().starts_with(begin))
    }
}

/// An address as a text, without an allocation: there may be many of them.
struct Written {
    bytes: [u8; 48],
    length: usize,
}

impl Written {
    fn new(address: IpAddr) -> Self {
        let mut written = Self { bytes: [0; 48], length: 0 };
        // The longest has 39 characters.
        let _ = write!(written, "{address}");
        written
    }

    fn text(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl fmt::Write for Written {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(search: &str, address: &str) -> Filter {
        Filter::new(Query { search: search.into(), address: address.into(), ..Query::default() })
    }

    #[test]
    fn case_does_not_matter_to_a_search() {
        for (search, text, is_in) in [
            ("ada", "Ada", true),
            ("ADA", "lada-1", true),
            ("ada", "ad", false),
            ("ä", "ÄRGER", true),
            ("Ä", "ärger", true),
            ("ss", "straße", false),
            ("k", "\u{212a}elvin", true),
            ("", "anything", true),
        ] {
            assert_eq!(filter(search, "").is_in(text), is_in, "{search} in {text}");
        }
    }

    #[test]
    fn addresses_are_found_by_what_stands_in_them() {
        let address = Some(IpAddr::from([10, 0, 12, 7]));
        for (search, address, is_in) in [
            ("0.12", address, true),
            ("10.0.12.7", address, true),
            ("0.13", address, false),
            ("10.0.12.7 ", address, false),
            ("2001:DB8", "2001:db8::1".parse().ok(), true),
            ("1", None, false),
        ] {
            assert_eq!(filter(search, "").is_in_address(address), is_in, "{search} in {address:?}");
        }
        for (begin, takes) in
            [("10.0.", true), ("10.0.12.7", true), ("", true), ("0.12", false), ("10.0.12.70", false)]
        {
            assert_eq!(filter("", begin).takes_address(address), takes, "{begin}");
        }
        assert!(filter("", "").takes_address(None) && !filter("", "1").takes_address(None));
    }
}
