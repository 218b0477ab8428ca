//! The response that refuses an opening handshake.

use std::fmt::{self, Write as _};

use super::field::{self, FieldError};
use super::violation::{Rule, Violation};

/// A response that refuses a request and says why, after which the server closes the connection (§4.2.2).
///
/// It is complete: [`to_bytes`](Self::to_bytes) gives what goes on the wire, and [`status`](Self::status),
/// [`headers`](Self::headers) and [`body`](Self::body) give it in parts for an HTTP library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    rule: Rule,
    body: String,
    added: Vec<(Box<str>, Box<str>)>,
    /// Over HTTP/2 or HTTP/3: nothing may be said of the connection.
    multiplexed: bool,
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        let rule = violation.rule();
        Self {
            status: rule.status(),
            rule,
            body: format!("{violation}.\n"),
            added: Vec::new(),
            multiplexed: false,
        }
    }
}

impl Refusal {
    /// The application's own refusal. `reason` is the body, for people.
    ///
    /// A `status` below 300 or above 599 would not refuse anything; 500 is sent instead.
    pub fn application(status: u16, reason: &str) -> Self {
        let status = if (300..=599).contains(&status) { status } else { 500 };
        Self {
            status,
            rule: Rule::Application,
            body: format!("{reason}\n"),
            added: Vec::new(),
            multiplexed: false,
        }
    }

    /// The head did not arrive in time: 408. The driver has the clock, and sends this when it gives up.
    pub fn timeout() -> Self {
        Violation::new(Rule::HeadTimeout).into()
    }

    /// The same as a response of HTTP/2 or HTTP/3: without `Connection` and `Upgrade` (RFC 9113 §8.2.2), and therefore 400 for
    /// 426, which is not sent without them (RFC 9110 §15.5.22).
    pub(crate) const fn multiplexed(mut self) -> Self {
        self.multiplexed = true;
        if self.status == 426 {
            self.status = 400;
        }
        self
    }

    /// Adds a header, as `WWW-Authenticate` or `Retry-After`.
    ///
    /// # Errors
    ///
    /// The name is not a token or belongs to the handshake, or the value has control bytes.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, FieldError> {
        field::check(name, value)?;
        self.added.push((name.into(), value.into()));
        Ok(self)
    }

    /// The status of the response.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The rule that the request breaks.
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// The rule in words, what was found and the limit. ASCII but for the application's own words.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// All headers but `Content-Length`, which is the length of the body.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let by_status: &[(&str, &str)] = match self.status {
            // RFC 9110 §15.5.22 and §7.8; the version is §4.2.2's.
            426 => {
                &[("Connection", "close, Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
            }
            // RFC 9110 §15.5.6.
            405 if matches!(self.rule, Rule::ConnectMethod) => {
                &[("Connection", "close"), ("Allow", "CONNECT")]
            }
            405 => &[("Connection", "close"), ("Allow", "GET")],
            _ => &[("Connection", "close")],
        };
        // The versions that are spoken are named whatever the status is (§4.4).
        let by_status = match self.rule {
            Rule::Version if self.multiplexed => &[("Sec-WebSocket-Version", "13")],
            _ => by_status,
        };
        let about_connection = |name: &str| matches!(name, "Connection" | "Upgrade");
        let by_status =
            by_status.iter().filter(move |(name, _)| !self.multiplexed || !about_connection(name));
        let about_body =
            [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")];
        let added = self.added.iter().map(|(name, value)| (&**name, &**value));
        by_status.copied().chain(about_body).chain(added)
    }

    /// The whole response as it is written.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut head = String::with_capacity(256 + self.body.len());
        // Writing to a string does not fail.
        let _ = write!(head, "HTTP/1.1 {} {}\r\n", self.status, phrase(self.status));
        for (name, value) in self.headers() {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "Content-Length: {}\r\n\r\n{}", self.body.len(), self.body);
        head.into_bytes()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, phrase(self.status), self.body.trim_end())
    }
}

impl std::error::Error for Refusal {}

/// The usual phrase of a status (RFC 9110 §15, RFC 6585); empty, as is allowed, for one that is rare.
const fn phrase(status: u16) -> &'static str {
    match status {
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        414 => "URI Too Long",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
