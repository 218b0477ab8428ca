//! The rules of §4.2.1 for a request, and the response to it of §4.2.2, each written once for every kind of HTTP.

use std::fmt::Write as _;

use super::Agreed;
use super::field::{self, FieldError};
use super::host::Authority;
use super::key::Key;
use super::refusal::Refusal;
use super::server::ServerPolicy;
use super::token::{Extensions, is_token, lists, members};
use super::violation::{Rule, Violation};
use crate::deflate::{self, DeflateConfig, Offer};

/// What the rules look at in a request, whatever it came in.
///
/// Extended CONNECT (RFC 8441) is another set of rules over the same view: it has no key, no Upgrade and no Connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestView<'a, H> {
    pub(crate) method: &'a str,
    pub(crate) version: Version,
    /// The path and query, or an absolute URL, as in the request line.
    pub(crate) target: &'a str,
    pub(crate) headers: H,
}

/// The version of HTTP that a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/0.9 and HTTP/1.0.
    Old,
    /// HTTP/1.1 and what is compatible with it.
    Http11,
    /// HTTP/2 and HTTP/3, which have no Upgrade header.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "bytes are always HTTP/1"))]
    Multiplexed,
}

/// A valid opening handshake: what the client asks for, before the server has decided.
#[derive(Clone, Debug)]
pub struct Opening {
    host: Box<str>,
    origin: Option<Box<str>>,
    /// Separated by commas, which no token has in it.
    subprotocols: Box<str>,
    offers: Vec<Offer>,
    /// There is none in HTTP/2 (RFC 8441 §5).
    key: Option<Key>,
}

/// The headers that the rules are about, gathered in one pass.
#[derive(Default)]
struct Fields<'a> {
    host: Once<'a>,
    origin: Once<'a>,
    key: Once<'a>,
    version: Once<'a>,
    upgrade: bool,
    connection: bool,
    body: Option<&'a [u8]>,
    subprotocols: Option<Vec<&'a [u8]>>,
    extensions: Vec<&'a [u8]>,
}

/// A header that may come only once.
#[derive(Default)]
struct Once<'a> {
    first: Option<&'a [u8]>,
    again: bool,
}

impl<'a> Once<'a> {
    const fn see(&mut self, value: &'a [u8]) {
        self.again = self.first.is_some();
        if self.first.is_none() {
            self.first = Some(value);
        }
    }

    fn only(&self, missing: Rule, repeated: Rule) -> Result<&'a [u8], Violation> {
        match self.first {
            None => Err(Violation::new(missing)),
            Some(_) if self.again => Err(Violation::new(repeated)),
            Some(value) => Ok(value),
        }
    }
}

impl<'a> Fields<'a> {
    fn gather(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("host") {
                fields.host.see(value);
            } else if is("origin") {
                fields.origin.see(value);
            } else if is("upgrade") {
                fields.upgrade |= lists(value, "websocket");
            } else if is("connection") {
                fields.connection |= lists(value, "upgrade");
            } else if is("content-length") {
                // A length of zero announces nothing.
                fields.body = fields.body.or((value != b"0").then_some(value));
            } else if is("transfer-encoding") {
                fields.body = fields.body.or(Some(value));
            } else if is("sec-websocket-key") {
                fields.key.see(value);
            } else if is("sec-websocket-version") {
                fields.version.see(value);
            } else if is("sec-websocket-protocol") {
                fields.subprotocols.get_or_insert_default().extend(members(value));
            } else if is("sec-websocket-extensions") {
                fields.extensions.push(value);
            }
        }
        fields
    }

    /// §4.2.1, item 6.
    fn check_version(&self) -> Result<(), Violation> {
        let version = self.version.only(Rule::Version, Rule::Version)?;
        if version == b"13" { Ok(()) } else { Err(Violation::new(Rule::Version).found(version)) }
    }
}

fn parse_host(text: &[u8]) -> Result<Authority, Violation> {
    Authority::parse(text).ok_or_else(|| Violation::new(Rule::HostInvalid).found(text))
}

impl Opening {
    /// Checks a request against §4.2.1, in the order of its list.
    pub(crate) fn check<'a>(
        request: RequestView<'a, impl Iterator<Item = (&'a str, &'a [u8])>>,
        policy: &ServerPolicy,
    ) -> Result<Self, Violation> {
        // Item 1: a GET of HTTP/1.1 or higher, and a target without a fragment (§3).
        if request.method != "GET" {
            return Err(Violation::new(Rule::Method).found(request.method.as_bytes()));
        }
        if request.version != Version::Http11 {
            return Err(Violation::new(Rule::HttpVersion));
        }
        let from_target = target_authority(request.target)
            .ok_or_else(|| Violation::new(Rule::TargetForm).found(request.target.as_bytes()))?;
        let fields = Fields::gather(request.headers);

        // Item 2: a Host, which an absolute URL overrides (RFC 9112 §3.2.2).
        let host = fields.host.only(Rule::HostMissing, Rule::HostRepeated)?;
        parse_host(host)?;
        let host = from_target.map_or(host, str::as_bytes);
        let authority = parse_host(host)?;
        // §4.1: "an HTTP Upgrade request", which a body would follow as if it were frames.
        if let Some(value) = fields.body {
            return Err(Violation::new(Rule::Body).found(value));
        }
        // Items 3 and 4.
        if !fields.upgrade {
            return Err(Violation::new(Rule::Upgrade));
        }
        if !fields.connection {
            return Err(Violation::new(Rule::Connection));
        }
        // Item 6, before the key: a client of another version may have another idea of one.
        fields.check_version()?;
        // Item 5.
        let key = fields.key.only(Rule::KeyMissing, Rule::KeyRepeated)?;
        let key = Key::parse(key).ok_or_else(|| Violation::new(Rule::KeyInvalid).found(key))?;
        Self::gathered(fields, host, &authority, Some(key), policy)
    }

    /// Checks an extended CONNECT by RFC 8441 §5: the rules of §4.2.1 that are not about the upgrade of HTTP/1.1. `protocol` is
    /// the pseudo-header `:protocol`; without one it is no extended CONNECT.
    #[cfg(feature = "http")]
    pub(crate) fn check_connect<'a>(
        request: RequestView<'a, impl Iterator<Item = (&'a str, &'a [u8])>>,
        protocol: Option<&str>,
        policy: &ServerPolicy,
    ) -> Result<Self, Violation> {
        if request.method != "CONNECT" {
            return Err(Violation::new(Rule::ConnectMethod).found(request.method.as_bytes()));
        }
        match protocol {
            None => return Err(Violation::new(Rule::ConnectMethod)),
            Some("websocket") => {}
            Some(other) => return Err(Violation::new(Rule::ConnectProtocol).found(other.as_bytes())),
        }
        let form = || Violation::new(Rule::TargetForm).found(request.target.as_bytes());
        // `:scheme`, `:authority` and `:path` are all there (RFC 8441 §4).
        let host = target_authority(request.target).flatten().ok_or_else(form)?.as_bytes();
        let authority = parse_host(host)?;
        let fields = Fields::gather(request.headers);
        // What stands beside `:authority` must be the same (RFC 9113 §8.3.1).
        if let Some(other) = fields.host.first.filter(|other| *other != host || fields.host.again) {
            return Err(Violation::new(Rule::HostRepeated).found(other));
        }
        if let Some(value) = fields.body {
            return Err(Violation::new(Rule::Body).found(value));
        }
        fields.check_version()?;
        Self::gathered(fields, host, &authority, None, policy)
    }

    /// Items 7 to 9 of the list.
    fn gathered(
        fields: Fields<'_>,
        host: &[u8],
        authority: &Authority,
        key: Option<Key>,
        policy: &ServerPolicy,
    ) -> Result<Self, Violation> {
        // Item 7.
        let origin = match fields.origin.first {
            Some(value) if fields.origin.again => {
                return Err(Violation::new(Rule::OriginInvalid).found(value));
            }
            Some(value) => {
                policy.origin.check(value, authority)?;
                Some(String::from_utf8_lossy(value).into())
            }
            None => None,
        };
        // Items 8 and 9.
        let subprotocols = fields.subprotocols.map(subprotocols).transpose()?.unwrap_or_default();
        Ok(Self {
            host: String::from_utf8_lossy(host).into(),
            origin,
            subprotocols,
            offers: offers(&fields.extensions)?,
            key,
        })
    }

    /// The host and perhaps the port that the client connected to, as it wrote them.
    pub const fn host(&self) -> &str {
        &self.host
    }

    /// The origin of the page that connects, if a browser does (§10.2). The policy has let it in.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The subprotocols that the client offers, in its order of preference (§11.3.4). None occurs twice.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.subprotocols.split(',').filter(|token| !token.is_empty())
    }

    /// The client's offers of permessage-deflate that are valid, in its order of preference.
    pub fn deflate_offers(&self) -> &[Offer] {
        &self.offers
    }

    /// The client's key (§11.3.1). HTTP/2 has none.
    pub const fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// The response's headers, and what was agreed on by it (§4.2.2).
    pub(crate) fn answer(&self, acceptance: &Acceptance<'_>) -> Result<(AnswerHeaders, Agreed), FieldError> {
        for (name, value) in acceptance.headers {
            field::check(name, value)?;
        }
        // Item 5.5: at most one subprotocol, and only an offered one. The server's order decides.
        let offered = |wanted: &&&str| self.subprotocols().any(|token| token == **wanted);
        let subprotocol = acceptance.subprotocols.iter().find(offered).map(|&token| token.to_owned());
        let deflate = acceptance.deflate.and_then(|config| deflate::accept(&self.offers, config));

        let mut headers = AnswerHeaders::new();
        if let Some(key) = &self.key {
            headers.push(("Upgrade".into(), "websocket".into()));
            headers.push(("Connection".into(), "Upgrade".into()));
            headers.push(("Sec-WebSocket-Accept".into(), key.accept().as_str().into()));
        }
        if let Some(token) = &subprotocol {
            headers.push(("Sec-WebSocket-Protocol".into(), token.as_str().into()));
        }
        if let Some(answer) = &deflate {
            headers.push(("Sec-WebSocket-Extensions".into(), answer.to_string().into()));
        }
        headers.extend(acceptance.headers.iter().map(|&(name, value)| (name.into(), value.into())));
        Ok((headers, Agreed { subprotocol, deflate: deflate.map(|answer| answer.params()) }))
    }

    /// The 101 as it is written, and what was agreed on by it.
    pub(crate) fn response(&self, acceptance: &Acceptance<'_>) -> Result<(Vec<u8>, Agreed), FieldError> {
        let (headers, agreed) = self.answer(acceptance)?;
        let mut head = String::with_capacity(256);
        head.push_str("HTTP/1.1 101 Switching Protocols\r\n");
        for (name, value) in headers {
            // Writing to a string does not fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        Ok((head.into_bytes(), agreed))
    }

    /// Refuses the connection for the application's own reason, which is the body of the response.
    pub fn refuse(&self, status: u16, reason: &str) -> Refusal {
        let refusal = Refusal::application(status, reason);
        if self.key.is_some() { refusal } else { refusal.multiplexed() }
    }
}

/// Names and values, in the order in which they are sent.
pub(crate) type AnswerHeaders = Vec<(Box<str>, Box<str>)>;

/// A server's decision to accept, with its choices. The default accepts without subprotocol and without compression.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acceptance<'a> {
    /// The subprotocols that the server speaks, the most wanted first. The first that the client offers is chosen; if it offers
    /// none of them, none is (§4.2.2, item 5.5).
    pub subprotocols: &'a [&'a str],
    /// How messages are compressed if the client offers it; `None` declines.
    pub deflate: Option<&'a DeflateConfig>,
    /// More headers for the response, as `Set-Cookie`.
    pub headers: &'a [(&'a str, &'a str)],
}

/// The authority of an absolute URL, `Some(None)` for a path, and `None` for any other target.
fn target_authority(target: &str) -> Option<Option<&str>> {
    if target.contains('#') {
        return None;
    }
    if target.starts_with('/') {
        return Some(None);
    }
    let (scheme, rest) = target.split_once("://")?;
    let known = ["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let authority = rest.split(['/', '?']).next()?;
    known.then_some(Some(authority))
}

/// The path and the query of a target, of either form.
pub(crate) fn path_and_query(target: &str) -> (&str, Option<&str>) {
    let after_scheme = if target.starts_with('/') { None } else { target.split_once("://") };
    let resource = match after_scheme {
        Some((_, rest)) => rest.find(['/', '?']).and_then(|start| rest.get(start..)).unwrap_or("/"),
        None => target,
    };
    let (path, query) =
        resource.split_once('?').map_or((resource, None), |(path, query)| (path, Some(query)));
    (if path.is_empty() { "/" } else { path }, query)
}

/// The subprotocols of all header lines as one list: tokens, none twice (§4.1, item 10; §11.3.4). §4.1 wants one at least; but
/// clients that have none to offer send the field empty (centrifuge-python does), and that offers none.
fn subprotocols(mut offered: Vec<&[u8]>) -> Result<Box<str>, Violation> {
    let invalid = |token: &&&[u8]| !is_token(token);
    if let Some(token) = offered.iter().find(invalid) {
        return Err(Violation::new(Rule::SubprotocolSyntax).found(token));
    }
    let list = String::from_utf8_lossy(&offered.join(&b',')).into();
    offered.sort_unstable();
    match offered.windows(2).find_map(|pair| if let [a, b] = pair { (a == b).then_some(*a) } else { None }) {
        Some(token) => Err(Violation::new(Rule::SubprotocolRepeated).found(token)),
        None => Ok(list),
    }
}

/// The offers of permessage-deflate in all header lines, in their order. Other extensions, and offers that this end does not
/// understand, are declined by passing over them (§9.1, RFC 7692 §5); a list that is none is refused.
fn offers(lines: &[&[u8]]) -> Result<Vec<Offer>, Violation> {
    let mut offers = Vec::new();
    let mut extensions = 0;
    for &value in lines {
        for extension in Extensions::new(value) {
            let extension = extension.map_err(|_| Violation::new(Rule::ExtensionSyntax).found(value))?;
            extensions += 1;
            if extension.name() == deflate::NAME {
                offers.extend(Offer::parse(&extension));
            }
        }
    }
    if extensions == 0 && !lines.is_empty() { Err(Violation::new(Rule::ExtensionSyntax)) } else { Ok(offers) }
}
