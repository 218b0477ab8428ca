//! The client's side of the opening handshake (§4.1), over bytes.

use std::fmt;

use super::head::{Head, HeadBuffer, HeadScanner, Headers};
use super::key::{Accept, Key};
use super::rejection::{Gathering, Rejection};
use super::request::ClientRequest;
use super::token::{Extensions, lists};
use super::violation::{Rule, Violation};
use super::{Agreed, Progress};
use crate::Entropy;
use crate::deflate::{self, Params};

/// A client that has a request to write and waits for the response.
///
/// Nothing but [`request_bytes`](Self::request_bytes) may be sent before [`receive`](Self::receive) has completed (§4.1).
///
/// A client is to have only one handshake at a time under way to a host and port (§4.1, item 2); that is for whoever has
/// several connections to see to.
#[derive(Debug)]
pub struct ClientHandshake {
    request: ClientRequest,
    request_bytes: Vec<u8>,
    accept: Accept,
    state: State,
}

#[derive(Debug)]
enum State {
    Head(HeadBuffer),
    Body(Gathering),
    /// It has completed or failed.
    Done,
}

impl ClientHandshake {
    /// A handshake with a fresh key (§4.1, item 7), of which nothing has been received.
    pub fn new(request: ClientRequest, entropy: &mut dyn Entropy) -> Self {
        let key = Key::generate(entropy);
        let request_bytes = request.to_bytes(&key);
        let state = State::Head(HeadBuffer::new(HeadScanner::response(request.limits)));
        Self { request, request_bytes, accept: key.accept(), state }
    }

    /// The request, whole, to be written first.
    pub fn request_bytes(&self) -> &[u8] {
        &self.request_bytes
    }

    /// Takes what was read. It never holds more than the request's limits of bytes.
    ///
    /// A response other than 101 fails only when its body is whole or as long as is wanted; the driver ends the wait for it with
    /// [`handle_eof`](Self::handle_eof) or [`handle_timeout`](Self::handle_timeout).
    ///
    /// # Errors
    ///
    /// The server answered something else, or broke a rule. The connection is to be closed.
    pub fn receive(&mut self, input: &[u8]) -> Result<Progress<Response>, ClientError> {
        let mut rest = input;
        if let State::Head(buffer) = &mut self.state {
            let (head, used) = match buffer.receive(input) {
                Ok(None) => return Ok(Progress::Incomplete),
                Ok(Some(whole)) => whole,
                Err(violation) => {
                    self.state = State::Done;
                    return Err(ClientError::Violation(violation));
                }
            };
            self.state = State::Done;
            let line = head.status_line().map_err(ClientError::Violation)?;
            if line.status == 101 {
                // HTTP/1.0 has no Upgrade (RFC 9110 §7.8); a rejection may well be of it.
                if line.minor == 0 {
                    return Err(ClientError::Violation(
                        Violation::new(Rule::ResponseVersion).found(b"HTTP/1.0"),
                    ));
                }
                let agreed = self.check(&head).map_err(ClientError::Violation)?;
                return Ok(Progress::Complete { value: Response { head, agreed }, used });
            }
            let status = line.status;
            self.state = State::Body(Gathering::new(status, head, self.request.body_limit));
            rest = input.get(used..).unwrap_or_default();
        }
        match std::mem::replace(&mut self.state, State::Done) {
            State::Body(mut gathering) => {
                if gathering.receive(rest) {
                    return Err(ClientError::Rejected(Box::new(gathering.into_rejection(false))));
                }
                self.state = State::Body(gathering);
                Ok(Progress::Incomplete)
            }
            State::Head(_) | State::Done => Err(ClientError::Over),
        }
    }

    /// The connection has ended before the handshake was complete: why it failed.
    pub fn handle_eof(&mut self) -> ClientError {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Body(gathering) => ClientError::Rejected(Box::new(gathering.into_rejection(true))),
            State::Head(buffer) if buffer.scanner().is_untouched() => ClientError::NoResponse,
            State::Head(_) => ClientError::Violation(Violation::new(Rule::HeadCutShort)),
            State::Done => ClientError::Over,
        }
    }

    /// The driver's deadline has passed: why the handshake failed. A rejection comes with what there is of its body.
    pub fn handle_timeout(&mut self) -> ClientError {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Body(gathering) => ClientError::Rejected(Box::new(gathering.into_rejection(false))),
            State::Head(_) => ClientError::Timeout,
            State::Done => ClientError::Over,
        }
    }

    /// The client's list of §4.1 for a response whose status is 101.
    fn check(&self, head: &Head) -> Result<Agreed, Violation> {
        let values = |wanted: &'static str| {
            head.headers().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
        };
        // Item 2: an Upgrade that is `websocket`, not one that lists it.
        let mut upgrade = values("upgrade");
        match (upgrade.next(), upgrade.next()) {
            (Some(value), None) if value.eq_ignore_ascii_case(b"websocket") => {}
            (None, _) => return Err(Violation::new(Rule::ResponseUpgrade)),
            (Some(value), _) => return Err(Violation::new(Rule::ResponseUpgrade).found(value)),
        }
        // Item 3: a Connection that lists `upgrade`, on any of its lines.
        if !values("connection").any(|value| lists(value, "upgrade")) {
            let found = values("connection").next();
            let violation = Violation::new(Rule::ResponseConnection);
            return Err(found.map_or(violation.clone(), |value| violation.found(value)));
        }
        // Item 4.
        let mut accept = values("sec-websocket-accept");
        match (accept.next(), accept.next()) {
            (Some(_), Some(_)) => return Err(Violation::new(Rule::AcceptRepeated)),
            (None, _) => return Err(Violation::new(Rule::AcceptMissing)),
            (Some(value), None) if self.accept.matches(value) => {}
            (Some(value), None) => return Err(Violation::new(Rule::AcceptWrong).found(value)),
        }
        let deflate = self.request.check_extensions(values("sec-websocket-extensions"))?;
        let subprotocol = self.request.check_subprotocol(values("sec-websocket-protocol"))?;
        Ok(Agreed { subprotocol, deflate })
    }
}

/// What the rules say of a response to this request, whatever HTTP it came over.
impl ClientRequest {
    /// Item 5: only extensions that were offered, each once.
    pub(super) fn check_extensions<'a>(
        &self,
        lines: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Params>, Violation> {
        let mut params = None;
        for value in lines {
            for extension in Extensions::new(value) {
                let wrong = |rule| Violation::new(rule).found(value);
                let extension = extension.map_err(|_| wrong(Rule::ResponseExtensionSyntax))?;
                if extension.name() != deflate::NAME || self.offers.is_empty() {
                    return Err(wrong(Rule::ExtensionUnoffered));
                }
                if params.is_some() {
                    return Err(wrong(Rule::ExtensionRepeated));
                }
                let checked = deflate::check(&extension, &self.offers);
                params = Some(checked.map_err(|_| wrong(Rule::ExtensionParams))?);
            }
        }
        Ok(params)
    }

    /// Item 6: one subprotocol that was offered, or none.
    pub(super) fn check_subprotocol<'a>(
        &self,
        mut lines: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<String>, Violation> {
        let offered = &self.subprotocols;
        let Some(chosen) = lines.next() else {
            let missing = self.needs_subprotocol && !offered.is_empty();
            return if missing { Err(Violation::new(Rule::SubprotocolMissing)) } else { Ok(None) };
        };
        if lines.next().is_some() || chosen.contains(&b',') {
            return Err(Violation::new(Rule::SubprotocolSeveral).found(chosen));
        }
        match offered.iter().find(|token| token.as_bytes() == chosen) {
            Some(token) => Ok(Some(token.clone())),
            None => Err(Violation::new(Rule::SubprotocolUnoffered).found(chosen)),
        }
    }
}

/// A 101 that keeps all the rules of §4.1; of extended CONNECT a 2xx.
#[derive(Clone, Debug)]
pub struct Response {
    head: Head,
    agreed: Agreed,
}

impl Response {
    pub(super) const fn new(head: Head, agreed: Agreed) -> Self {
        Self { head, agreed }
    }

    /// All headers in their order: names as they were sent, values as bytes without the space around them.
    pub fn headers(&self) -> Headers<'_> {
        self.head.headers()
    }

    /// The value of the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// What the connection is to be configured with.
    pub const fn agreed(&self) -> &Agreed {
        &self.agreed
    }
}

/// Why a client's handshake failed. The connection is to be closed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The server answered another status than 101, or of extended CONNECT than a 2xx: it does not want this connection, or not like this.
    Rejected(Box<Rejection>),
    /// The server broke a rule.
    Violation(Violation),
    /// The connection ended without a byte of a response.
    NoResponse,
    /// The response did not come in time.
    Timeout,
    /// The caller went on with a handshake that has ended.
    Over,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Violation(violation) => write!(f, "the server broke the handshake: {violation}"),
            Self::NoResponse => f.write_str("the server closed the connection without a response"),
            Self::Timeout => f.write_str("the server's response did not come in time"),
            Self::Over => f.write_str("this handshake has ended: start another"),
        }
    }
}

impl std::error::Error for ClientError {}
