//! The client's side of the opening handshake by extended CONNECT, over HTTP/2 (RFC 8441 §5) and HTTP/3 (RFC 9220 §3).
//!
//! Origin, version, subprotocols and extensions obey the rules of RFC 6455; there is no key, no Upgrade and no Connection, and
//! what accepts is a 2xx. Frames and pseudo-headers are the HTTP library's.

use super::field::is_control;
use super::head::Head;
use super::rejection::Gathering;
use super::request::ClientRequest;
use super::token::is_token;
use super::violation::{Rule, Violation};
use super::{Agreed, ClientError, Response};

/// The value of `:protocol` (RFC 8441 §5).
pub const PROTOCOL: &str = "websocket";

/// A client that asks for a WebSocket by extended CONNECT, and waits for the response.
///
/// 1. Send a request with the method CONNECT, `:protocol` [`PROTOCOL`], and [`scheme`](Self::scheme), [`authority`](Self::authority),
///    [`path`](Self::path) and [`fields`](Self::fields): only after the server's `SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC 8441 §3).
/// 2. Hand the response's head to [`receive_head`](Self::receive_head).
/// 3. If that was a refusal, hand its body to [`receive_body`](Self::receive_body), and its end to [`handle_eof`](Self::handle_eof).
#[derive(Debug)]
pub struct ExtendedHandshake {
    request: ClientRequest,
    state: State,
}

#[derive(Debug)]
enum State {
    Head,
    Body(Gathering),
    /// It has completed or failed.
    Done,
}

impl ExtendedHandshake {
    /// A handshake of which nothing has been received.
    pub const fn new(request: ClientRequest) -> Self {
        Self { request, state: State::Head }
    }

    /// `:scheme` (RFC 8441 §5).
    pub const fn scheme(&self) -> &'static str {
        if self.request.uri().is_tls() { "https" } else { "http" }
    }

    /// `:authority`.
    pub fn authority(&self) -> String {
        self.request.uri().authority()
    }

    /// `:path`, with the query.
    pub fn path(&self) -> &str {
        self.request.uri().resource()
    }

    /// The header fields, names in lower case. Those that the caller added and that are about a connection of HTTP/1.1 are left
    /// out (RFC 9113 §8.2.2).
    pub fn fields(&self) -> Vec<(String, String)> {
        let about_connection = ["keep-alive", "proxy-connection"];
        let mut fields = vec![("sec-websocket-version".to_owned(), "13".to_owned())];
        fields.extend(self.request.fields().map(|(name, value)| (name.to_ascii_lowercase(), value)));
        fields.retain(|(name, _)| !about_connection.contains(&name.as_str()));
        fields
    }

    /// Takes the head of the response; not those of interim responses (1xx). `None` is a refusal whose body is still to come.
    ///
    /// # Errors
    ///
    /// The server broke a rule, or the head is larger than the request's limits. The stream is to be reset.
    pub fn receive_head<'a>(
        &mut self,
        status: u16,
        fields: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Option<Response>, ClientError> {
        if !matches!(std::mem::replace(&mut self.state, State::Done), State::Head) {
            return Err(ClientError::Over);
        }
        let head = self.head(status, fields).map_err(ClientError::Violation)?;
        if !(200..=299).contains(&status) {
            self.state = State::Body(Gathering::until_eof(status, head, self.request.body_limit));
            return Ok(None);
        }
        let values = |wanted: &'static str| {
            head.headers().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
        };
        let deflate = self.request.check_extensions(values("sec-websocket-extensions"));
        let subprotocol = self.request.check_subprotocol(values("sec-websocket-protocol"));
        let agreed = Agreed {
            deflate: deflate.map_err(ClientError::Violation)?,
            subprotocol: subprotocol.map_err(ClientError::Violation)?,
        };
        Ok(Some(Response::new(head, agreed)))
    }

    /// Takes a part of a refusal's body.
    ///
    /// # Errors
    ///
    /// The refusal, once as much of its body is there as is wanted.
    pub fn receive_body(&mut self, data: &[u8]) -> Result<(), ClientError> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Body(mut gathering) => {
                if gathering.receive(data) {
                    return Err(ClientError::Rejected(Box::new(gathering.into_rejection(false))));
                }
                self.state = State::Body(gathering);
                Ok(())
            }
            State::Head | State::Done => Err(ClientError::Over),
        }
    }

    /// The stream has ended before the handshake was complete: why it failed.
    pub fn handle_eof(&mut self) -> ClientError {
        self.end(true, ClientError::NoResponse)
    }

    /// The driver's deadline has passed: why the handshake failed. A rejection comes with what there is of its body.
    pub fn handle_timeout(&mut self) -> ClientError {
        self.end(false, ClientError::Timeout)
    }

    fn end(&mut self, ended: bool, silent: ClientError) -> ClientError {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Body(gathering) => ClientError::Rejected(Box::new(gathering.into_rejection(ended))),
            State::Head => silent,
            State::Done => ClientError::Over,
        }
    }

    /// The head as if it had come in HTTP/1, so that one kind of head is enough for all who read one.
    fn head<'a>(
        &self,
        status: u16,
        fields: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Head, Violation> {
        let limits = self.request.limits;
        let mut bytes = format!("HTTP/2 {status}\r\n").into_bytes();
        for (count, (name, value)) in fields.enumerate() {
            if count >= limits.headers {
                return Err(Violation::new(Rule::TooManyHeaders).limit(limits.headers));
            }
            if !is_token(name.as_bytes()) {
                return Err(Violation::new(Rule::HeaderName).found(name.as_bytes()));
            }
            if value.iter().any(|&byte| is_control(byte)) {
                return Err(Violation::new(Rule::ControlByte).found(value));
            }
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
            if bytes.len() > limits.bytes {
                return Err(Violation::new(Rule::HeadTooLarge).limit(limits.bytes));
            }
        }
        bytes.extend_from_slice(b"\r\n");
        Ok(Head::from_checked(bytes))
    }
}
