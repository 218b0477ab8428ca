//! The server's side of the opening handshake (§4.2), over bytes.

use super::field::FieldError;
use super::head::{Head, HeadBuffer, HeadLimits, HeadScanner, Headers};
use super::opening::{Acceptance, Opening, RequestView, Version, path_and_query};
use super::origin::OriginPolicy;
use super::refusal::Refusal;
use super::token::{Extension, Extensions};
use super::violation::{Rule, Violation};
use super::{Agreed, Progress};

/// What a server lets in, before the application decides. The default is safe for a server on the web.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerPolicy {
    /// How large the head of a request may be.
    pub limits: HeadLimits,
    /// Which web pages may connect.
    pub origin: OriginPolicy,
}

/// A server that waits for an opening handshake.
///
/// ```
/// use antiphon_proto::handshake::{Acceptance, Progress, ServerHandshake, ServerPolicy};
///
/// # let input = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
/// #     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
/// let policy = ServerPolicy::default();
/// let mut handshake = ServerHandshake::new(&policy);
/// // 1. Feed what was read until it completes.
/// match handshake.receive(input) {
///     Ok(Progress::Incomplete) => { /* read more */ }
///     Ok(Progress::Complete { value: request, used }) => {
///         // 2. Decide, and write the response.
///         let accepted = request.accept(&Acceptance::default())?;
///         assert!(accepted.response.starts_with(b"HTTP/1.1 101 "));
///         // 3. What follows in the input is frame data.
///         let _frames = &input[used..];
///     }
///     // Write the refusal, and close.
///     Err(refusal) => { let _response = refusal.to_bytes(); }
/// }
/// # Ok::<(), antiphon_proto::handshake::FieldError>(())
/// ```
#[derive(Debug)]
pub struct ServerHandshake<'p> {
    policy: &'p ServerPolicy,
    head: HeadBuffer,
}

impl<'p> ServerHandshake<'p> {
    /// A handshake of which nothing has been received.
    pub const fn new(policy: &'p ServerPolicy) -> Self {
        Self { policy, head: HeadBuffer::new(HeadScanner::request(policy.limits)) }
    }

    /// Takes what was read. It never holds more than the policy's limit of bytes.
    ///
    /// After it has completed, it waits for another handshake; after it has failed, it fails again.
    ///
    /// # Errors
    ///
    /// The request breaks a rule. The refusal is to be written, and the connection closed.
    pub fn receive(&mut self, input: &[u8]) -> Result<Progress<Request>, Refusal> {
        let Some((head, used)) = self.head.receive(input)? else {
            return Ok(Progress::Incomplete);
        };
        Ok(Progress::Complete { value: Request::check(head, self.policy)?, used })
    }

    /// The connection has ended: the refusal to write if a part of a request has come (the client may still read it), `None` if
    /// nothing has.
    pub fn handle_eof(&self) -> Option<Refusal> {
        let refusal = || Violation::new(Rule::HeadCutShort).into();
        if self.head.scanner().is_untouched() { None } else { Some(refusal()) }
    }

    /// The driver's deadline has passed: the 408 to write.
    pub fn handle_timeout(&self) -> Refusal {
        Refusal::timeout()
    }
}

/// A valid opening handshake, with the head that it came in.
#[derive(Clone, Debug)]
pub struct Request {
    head: Head,
    opening: Opening,
}

impl Request {
    fn check(head: Head, policy: &ServerPolicy) -> Result<Self, Violation> {
        let line = head.request_line()?;
        let version = if line.minor == 0 { Version::Old } else { Version::Http11 };
        let view = RequestView { method: line.method, version, target: line.target, headers: head.headers() };
        let opening = Opening::check(view, policy)?;
        Ok(Self { head, opening })
    }

    /// The method, which the rules let be GET only.
    pub const fn method(&self) -> &'static str {
        "GET"
    }

    /// The target as it was sent: a path with its query, or an absolute URL.
    pub fn target(&self) -> &str {
        self.head.request_line().map_or("", |line| line.target)
    }

    /// The path, starting with `/`, still percent-encoded.
    pub fn path(&self) -> &str {
        path_and_query(self.target()).0
    }

    /// The query without its `?`, still percent-encoded.
    pub fn query(&self) -> Option<&str> {
        path_and_query(self.target()).1
    }

    /// All headers in their order: names as they were sent, values as bytes without the space around them.
    pub fn headers(&self) -> Headers<'_> {
        self.head.headers()
    }

    /// The value of the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All extensions that the client offers, in its order of preference (§9.1).
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'_>> {
        let lines = self.headers().filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-extensions"));
        // Every line has parsed, or there would be no request.
        lines.flat_map(|(_, value)| Extensions::new(value).flatten())
    }

    /// What the client asks for: host, origin, subprotocols, compression and key.
    pub const fn opening(&self) -> &Opening {
        &self.opening
    }

    /// Accepts: the 101 to write, and what both ends have agreed on by it.
    ///
    /// # Errors
    ///
    /// A header of the acceptance is not one, or belongs to the handshake.
    pub fn accept(&self, acceptance: &Acceptance<'_>) -> Result<Accepted, FieldError> {
        let (response, agreed) = self.opening.response(acceptance)?;
        Ok(Accepted { response, agreed })
    }

    /// Refuses for the application's own reason, which is the body of the response. [`Refusal`] can take headers.
    pub fn refuse(&self, status: u16, reason: &str) -> Refusal {
        Refusal::application(status, reason)
    }
}

/// An accepted handshake. No frame may be sent before the whole response is (§4.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The 101, whole, to be written before anything else.
    pub response: Vec<u8>,
    /// What the connection is to be configured with.
    pub agreed: Agreed,
}
