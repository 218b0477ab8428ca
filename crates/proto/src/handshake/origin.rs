//! Which web pages may connect (§10.2).

use std::fmt;

use super::host::{Authority, Host};
use super::violation::{Rule, Violation};

/// Which values of `Origin` a server lets in.
///
/// A browser sends with every handshake the origin of the page that opens it, and the cookies of the host it connects to. A
/// server that lets any origin in thereby lets any page act for its visitors. A request without `Origin` is not a browser's, and
/// passes under every policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPolicy(Allowed);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    Any,
    SameHostOr(Vec<Origin>),
}

impl Default for OriginPolicy {
    fn default() -> Self {
        Self::same_host()
    }
}

impl OriginPolicy {
    /// Pages of the host and port in the request's `Host`, over http or https. This is the default.
    pub const fn same_host() -> Self {
        Self(Allowed::SameHostOr(Vec::new()))
    }

    /// Any page. Only for a server that takes nothing of a visitor's on trust: no cookies, no client certificates, and no trust in
    /// the network the visitor is in.
    pub const fn any() -> Self {
        Self(Allowed::Any)
    }

    /// Pages of the same host, and those of the listed origins, each compared as a whole: scheme, host and port.
    ///
    /// # Errors
    ///
    /// One of them is not `scheme://host` or `scheme://host:port`; `null` and wildcards are not, either.
    pub fn listed<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, OriginError> {
        let parse = |text: &str| Origin::parse(text.as_bytes()).ok_or_else(|| OriginError(text.into()));
        Ok(Self(Allowed::SameHostOr(origins.into_iter().map(parse).collect::<Result<_, _>>()?)))
    }

    /// Whether an `Origin` may open a WebSocket on the host that the request names.
    pub(crate) fn check(&self, origin: &[u8], host: &Authority) -> Result<(), Violation> {
        let Allowed::SameHostOr(listed) = &self.0 else {
            return Ok(());
        };
        let parsed =
            Origin::parse(origin).ok_or_else(|| Violation::new(Rule::OriginInvalid).found(origin))?;
        if parsed.is_on(host) || listed.contains(&parsed) {
            Ok(())
        } else {
            Err(Violation::new(Rule::OriginForeign).found(origin))
        }
    }
}

/// An origin (RFC 6454 §7) with its default port written out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: Host,
    port: Option<u16>,
}

impl Origin {
    fn parse(text: &[u8]) -> Option<Self> {
        let (scheme, authority) = std::str::from_utf8(text).ok()?.split_once("://")?;
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(known) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let Authority { host, port } = Authority::parse(authority.as_bytes())?;
        Some(Self { port: port.or(default_port(&scheme)), scheme, host })
    }

    /// Whether this is a web page of the host. A `Host` without a port has the default one of the page's scheme: behind a proxy
    /// that ends TLS the server does not know its own.
    fn is_on(&self, host: &Authority) -> bool {
        let default = default_port(&self.scheme);
        default.is_some() && self.host == host.host && self.port == host.port.or(default)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// An origin in a list is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginError(Box<str>);

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not an origin: write scheme, host and port, as in https://example.com:8443",
            self.0
        )
    }
}

impl std::error::Error for OriginError {}
