//! The address of a WebSocket (§3).

use std::fmt;
use std::str::FromStr;

use super::host::{Host, parse_port};
use super::violation::excerpt;

/// A WebSocket URI: `ws://host:port/path?query`, or `wss://` over TLS.
///
/// ```
/// use antiphon_proto::handshake::WsUri;
///
/// let uri: WsUri = "wss://example.com/chat?room=1".parse()?;
/// assert_eq!((uri.host(), uri.port(), uri.is_tls()), ("example.com", 443, true));
/// assert_eq!(uri.resource(), "/chat?room=1");
/// # Ok::<(), antiphon_proto::handshake::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WsUri {
    tls: bool,
    /// Without brackets.
    host: String,
    v6: bool,
    port: u16,
    resource: String,
}

impl WsUri {
    /// An address from its parts. `host` is a name, an IPv4 address, or an IPv6 address with or without brackets; `resource` is
    /// the path with its query, or empty for `/`.
    ///
    /// # Errors
    ///
    /// One of the parts is not what it should be.
    pub fn new(tls: bool, host: &str, port: u16, resource: &str) -> Result<Self, UriError> {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let v6 = bare.is_some() || host.contains(':');
        let host = bare.unwrap_or(host);
        let valid = if v6 { host.parse::<std::net::Ipv6Addr>().is_ok() } else { Host::name(host).is_some() };
        if !valid {
            return Err(UriError::Host(excerpt(host.as_bytes())));
        }
        if port == 0 {
            return Err(UriError::Port(excerpt(b"0")));
        }
        let resource = check_resource(resource)?;
        Ok(Self { tls, host: host.to_owned(), v6, port, resource })
    }

    /// Whether the connection is over TLS (`wss`).
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host, without the brackets of an IPv6 address: what is resolved, and what a certificate must be for.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 80 or, over TLS, 443 where the URI names none.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The path with its query, at least `/`.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The value of `Host` (§4.1, item 4): the port only if it is not the default one, an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        let host = if self.v6 { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.tls) { host } else { format!("{host}:{}", self.port) }
    }
}

impl FromStr for WsUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (scheme, rest) = text.split_once("://").ok_or(UriError::Scheme(excerpt(text.as_bytes())))?;
        let tls = if scheme.eq_ignore_ascii_case("wss") {
            true
        } else if scheme.eq_ignore_ascii_case("ws") {
            false
        } else {
            return Err(UriError::Scheme(excerpt(scheme.as_bytes())));
        };
        if rest.contains('#') {
            return Err(UriError::Fragment);
        }
        let start = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at_checked(start).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(UriError::UserInfo);
        }
        let bad_host = || UriError::Host(excerpt(authority.as_bytes()));
        let (host, port) = if authority.starts_with('[') {
            let end = authority.find(']').ok_or_else(bad_host)?;
            let (host, rest) = authority.split_at_checked(end + 1).ok_or_else(bad_host)?;
            (host, if rest.is_empty() { "" } else { rest.strip_prefix(':').ok_or_else(bad_host)? })
        } else {
            authority.split_once(':').unwrap_or((authority, ""))
        };
        let port = if port.is_empty() {
            default_port(tls)
        } else {
            parse_port(port).ok_or_else(|| UriError::Port(excerpt(port.as_bytes())))?
        };
        Self::new(tls, host, port, resource)
    }
}

impl fmt::Display for WsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.resource)
    }
}

const fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

fn check_resource(resource: &str) -> Result<String, UriError> {
    if let Some(byte) = resource.bytes().find(|b| !b.is_ascii_graphic()) {
        return Err(UriError::Resource(byte));
    }
    if resource.contains('#') {
        return Err(UriError::Fragment);
    }
    // An empty path is `/`, before a query as well.
    Ok(if resource.starts_with('/') { resource.to_owned() } else { format!("/{resource}") })
}

/// Why an address is not a WebSocket URI. Values of the caller are quoted and cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriError {
    /// The scheme is not ws or wss.
    Scheme(Box<str>),
    /// There is a `#`.
    Fragment,
    /// There is a user name before the host.
    UserInfo,
    /// The host is neither a name in ASCII nor an IP address.
    Host(Box<str>),
    /// The port is not a number from 1 to 65535.
    Port(Box<str>),
    /// The path or query has a byte that is not visible ASCII.
    Resource(u8),
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(found) => write!(f, "a WebSocket URI starts with ws:// or wss://, found {found}"),
            Self::Fragment => {
                f.write_str("a WebSocket URI has no fragment: write %23 where # is meant (RFC 6455 §3)")
            }
            Self::UserInfo => {
                f.write_str("a WebSocket URI has no user name: send an Authorization header (RFC 6455 §3)")
            }
            Self::Host(found) => write!(
                f,
                "{found} is not a host: write a name (non-ASCII ones in punycode), an IPv4 address, or an IPv6 address in brackets"
            ),
            Self::Port(found) => write!(f, "{found} is not a port: write a number from 1 to 65535"),
            Self::Resource(byte) => {
                write!(f, "the path or query has the byte 0x{byte:02x}: percent-encode it as %{byte:02X}")
            }
        }
    }
}

impl std::error::Error for UriError {}
