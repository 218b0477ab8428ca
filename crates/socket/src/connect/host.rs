//! Who is meant, and with which credentials: the authority of a URL (RFC 3986 §3.2).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
#[cfg(feature = "tls")]
use tokio_rustls::rustls::pki_types::ServerName;

#[cfg(feature = "tls")]
use super::error::CallerFault;

/// A host as a URL writes it: a name, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A registered name in ASCII, lower case.
    Name(String),
    /// A literal address.
    Address(IpAddr),
}

impl Host {
    /// Reads `text`: a name, an IPv4 address, or an IPv6 address in brackets or without.
    pub(super) fn parse(text: &str) -> Result<Self, HostRule> {
        let literal =
            text.strip_prefix('[').map(|rest| rest.strip_suffix(']').ok_or(HostRule::Ipv6)).transpose()?;
        if literal.is_some() || text.contains(':') {
            let literal = literal.unwrap_or(text);
            return literal
                .parse::<Ipv6Addr>()
                .map(|v6| Self::Address(v6.into()))
                .map_err(|_| HostRule::Ipv6);
        }
        if text.is_empty() {
            return Err(HostRule::HostEmpty);
        }
        if !text.is_ascii() {
            return Err(HostRule::HostNotAscii);
        }
        let name =
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        let labels = text.strip_suffix('.').unwrap_or(text);
        if !name || text.len() > 253 || labels.split('.').any(|label| label.is_empty() || label.len() > 63) {
            return Err(HostRule::HostName);
        }
        if let Ok(v4) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(v4.into()));
        }
        // `127.1` and `0x7f000001` are addresses to some resolvers and names to others: they are neither here.
        let last = labels.rsplit('.').next().unwrap_or_default();
        let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
        if last.bytes().all(|byte| byte.is_ascii_digit())
            || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            return Err(HostRule::Ipv4);
        }
        Ok(Self::Name(text.to_ascii_lowercase()))
    }

    /// Whom a certificate must be for.
    #[cfg(feature = "tls")]
    pub(super) fn server_name(&self) -> Result<ServerName<'static>, CallerFault> {
        match self {
            Self::Address(address) => Ok(ServerName::IpAddress((*address).into())),
            Self::Name(name) => ServerName::try_from(name.clone())
                .map_err(|_| CallerFault::Host { host: name.clone(), rule: HostRule::HostName }),
        }
    }

    /// True for `localhost`, names below it, and loopback addresses: what never leaves this machine.
    pub(super) fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                name == "localhost" || name.ends_with(".localhost")
            }
            Self::Address(address) => address.is_loopback(),
        }
    }
}

/// As in a URL: an IPv6 address stands in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(v4)) => v4.fmt(f),
            Self::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
        }
    }
}

/// A user and a password. Neither shows in `Debug`, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// The credentials of `user`.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// Reads the userinfo of a URL, percent-decoded; a missing password is an empty one.
    fn parse(userinfo: &str) -> Result<Self, HostRule> {
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let (user, password) = (percent_decode(user)?, percent_decode(password)?);
        // RFC 7617 §2: the first colon ends the user-id; and neither part holds control characters.
        if user.contains(':') || user.chars().chain(password.chars()).any(char::is_control) {
            return Err(HostRule::Userinfo);
        }
        Ok(Self { user, password })
    }

    /// The value of an `Authorization` or `Proxy-Authorization` field (RFC 7617).
    pub(super) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password)))
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

/// An authority taken apart.
pub(super) struct Authority {
    pub(super) credentials: Option<Credentials>,
    pub(super) host: Host,
    /// `None` when the URL names no port, or an empty one.
    pub(super) port: Option<u16>,
}

impl Authority {
    pub(super) fn parse(text: &str) -> Result<Self, HostRule> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic() || !byte.is_ascii()) {
            return Err(HostRule::Character);
        }
        let (credentials, rest) = match text.rsplit_once('@') {
            Some((userinfo, rest)) => (Some(Credentials::parse(userinfo)?), rest),
            None => (None, text),
        };
        // The last colon begins the port, unless it stands inside the brackets of an IPv6 address.
        let (host, port) = match rest.rfind(':') {
            Some(colon) if !rest[colon..].contains(']') => (&rest[..colon], &rest[colon + 1..]),
            _ => (rest, ""),
        };
        let host = Host::parse(host)?;
        let port = match port {
            "" => None,
            digits if !digits.bytes().all(|byte| byte.is_ascii_digit()) => return Err(HostRule::Port),
            digits => Some(digits.parse::<u16>().ok().filter(|port| *port != 0).ok_or(HostRule::Port)?),
        };
        Ok(Self { credentials, host, port })
    }
}

/// Which rule an authority breaks; its `Display` is the sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostRule {
    /// A character that no authority has.
    Character,
    /// The host is missing.
    HostEmpty,
    /// The host has letters outside ASCII.
    HostNotAscii,
    /// The host is not a name.
    HostName,
    /// The host looks like an IPv4 address and is none.
    Ipv4,
    /// The host looks like an IPv6 address and is none.
    Ipv6,
    /// The port is no number from 1 to 65,535.
    Port,
    /// The user or password cannot be decoded.
    Userinfo,
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Character => "there is a space or a control character in it",
            Self::HostEmpty => "there is no host in it",
            Self::HostNotAscii => "the host is not ASCII: write it in punycode (xn--...)",
            Self::HostName => {
                "the host is not a name: letters, digits, '-', '_' and '.', labels of 1 to 63 characters, 253 in all"
            }
            Self::Ipv4 => "the host ends in a number and is not an IPv4 address of four parts",
            Self::Ipv6 => "the host is not an IPv6 address: write it in brackets and without a zone, as in [::1]",
            Self::Port => "the port is not a number from 1 to 65535",
            Self::Userinfo => {
                "user and password are percent-encoded UTF-8 without control characters, the user without ':'"
            }
        })
    }
}

fn percent_decode(text: &str) -> Result<String, HostRule> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit =
            || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(HostRule::Userinfo);
        decoded.push((digit()? << 4 | digit()?) as u8);
    }
    String::from_utf8(decoded).map_err(|_| HostRule::Userinfo)
}
