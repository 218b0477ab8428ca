//! A host and a port, as in a `Host` header, an absolute URL and an `Origin`.

use std::net::Ipv6Addr;

/// The longest name of a host (RFC 1035 §2.3.4), so that a refusal and a comparison stay cheap.
const LONGEST: usize = 255;

/// `host [":" port]` (RFC 3986 §3.2), without user information.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) host: Host,
    pub(crate) port: Option<u16>,
}

/// A host that compares as hosts do: names without regard to case, IPv6 addresses by value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name or an IPv4 address, in lower case.
    Name(String),
    V6(Ipv6Addr),
}

impl Authority {
    /// `None` if it is empty, has bytes that a host has not, an unknown address in brackets, or a port beyond 65535.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']')?;
                let port = if rest.is_empty() { "" } else { rest.strip_prefix(':')? };
                (Host::V6(address.parse().ok()?), port)
            }
            None => {
                let (name, port) = text.split_once(':').unwrap_or((text, ""));
                (Host::name(name)?, port)
            }
        };
        // The grammar allows `host:` with nothing after the colon.
        let port = if port.is_empty() { None } else { Some(parse_port(port)?) };
        Some(Self { host, port })
    }
}

impl Host {
    /// A name: letters, digits, `-`, `.`, `_` and `~`. Other names are written in punycode (RFC 3490).
    pub(crate) fn name(name: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        let fits = !name.is_empty() && name.len() <= LONGEST && name.bytes().all(allowed);
        fits.then(|| Self::Name(name.to_ascii_lowercase()))
    }
}

/// Digits only: `u16::from_str` would also take a plus sign.
pub(crate) fn parse_port(text: &str) -> Option<u16> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}
