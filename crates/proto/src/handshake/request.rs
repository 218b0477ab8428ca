//! The request that a client opens a handshake with (§4.1).

use std::fmt::{self, Write as _};

use super::field::{self, FieldError};
use super::head::HeadLimits;
use super::key::Key;
use super::token::is_token;
use super::uri::WsUri;
use super::violation::excerpt;
use crate::deflate::Offer;

/// What a client asks for. Every part is checked as it is added, so that what is written is one request and says just this.
///
/// ```
/// use antiphon_proto::handshake::ClientRequest;
///
/// let request = ClientRequest::new("wss://example.com/chat".parse()?)
///     .subprotocol("chat.v2")?
///     .header("Authorization", "Bearer abc")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientRequest {
    uri: WsUri,
    origin: Option<String>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) offers: Vec<Offer>,
    headers: Vec<(String, String)>,
    pub(crate) needs_subprotocol: bool,
    pub(crate) limits: HeadLimits,
    pub(crate) body_limit: usize,
}

impl ClientRequest {
    /// A request for this address and nothing else.
    pub fn new(uri: WsUri) -> Self {
        Self {
            uri,
            origin: None,
            subprotocols: Vec::new(),
            offers: Vec::new(),
            headers: Vec::new(),
            needs_subprotocol: false,
            limits: HeadLimits::default(),
            body_limit: 64 * 1024,
        }
    }

    /// The address.
    pub const fn uri(&self) -> &WsUri {
        &self.uri
    }

    /// Sends an `Origin`, as browsers do (§4.1, item 8).
    ///
    /// # Errors
    ///
    /// It is empty, or has a byte that is not visible ASCII.
    pub fn origin(mut self, origin: &str) -> Result<Self, RequestError> {
        if origin.is_empty() || !origin.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(RequestError::Origin(excerpt(origin.as_bytes())));
        }
        self.origin = Some(origin.to_owned());
        Ok(self)
    }

    /// Offers a subprotocol; the most wanted is added first (§4.1, item 10).
    ///
    /// # Errors
    ///
    /// It is not a token, or offered already.
    pub fn subprotocol(mut self, token: &str) -> Result<Self, RequestError> {
        if !is_token(token.as_bytes()) {
            return Err(RequestError::Subprotocol(excerpt(token.as_bytes())));
        }
        if self.subprotocols.iter().any(|offered| offered == token) {
            return Err(RequestError::SubprotocolRepeated(excerpt(token.as_bytes())));
        }
        self.subprotocols.push(token.to_owned());
        Ok(self)
    }

    /// Fails the handshake if subprotocols are offered and the server chooses none. RFC 6455 lets a server do so; browsers fail.
    pub const fn needs_subprotocol(mut self, needed: bool) -> Self {
        self.needs_subprotocol = needed;
        self
    }

    /// Offers permessage-deflate; the most wanted offer is added first, others are fallbacks (RFC 7692 §5).
    ///
    /// # Errors
    ///
    /// The number of bits of a window is not 8 to 15.
    pub fn deflate(mut self, offer: Offer) -> Result<Self, RequestError> {
        if let Some(bits) = offer.bad_window_bits() {
            return Err(RequestError::WindowBits(bits));
        }
        self.offers.push(offer);
        Ok(self)
    }

    /// Adds a header.
    ///
    /// # Errors
    ///
    /// The name is not a token or belongs to the handshake, or the value has control bytes.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, RequestError> {
        field::check(name, value).map_err(RequestError::Header)?;
        self.headers.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }

    /// How large the head of the response may be.
    pub const fn limits(mut self, limits: HeadLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How much is kept of the body of a response that is not a 101. 64 KiB by default.
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// The request as it is written (§4.1).
    pub(crate) fn to_bytes(&self, key: &Key) -> Vec<u8> {
        let mut head = String::with_capacity(512);
        // Writing to a string does not fail.
        let _ = write!(
            head,
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n",
            self.uri.resource(),
            self.uri.authority(),
            key.as_str(),
        );
        for (name, value) in self.fields() {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// What it asks for, as header fields: those that are the same for every kind of HTTP.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, String)> {
        let list = |name, items: Vec<String>| (!items.is_empty()).then(|| (name, items.join(", ")));
        let origin = self.origin.clone().map(|origin| ("Origin", origin));
        let subprotocols = list("Sec-WebSocket-Protocol", self.subprotocols.clone());
        let extensions = list("Sec-WebSocket-Extensions", self.offers.iter().map(Offer::to_string).collect());
        let added = self.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
        origin.into_iter().chain(subprotocols).chain(extensions).chain(added)
    }
}

/// Why a part of a request cannot be sent. Values of the caller are quoted and cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The origin is empty or has a byte that is not visible ASCII.
    Origin(Box<str>),
    /// The subprotocol is not a token.
    Subprotocol(Box<str>),
    /// The subprotocol is offered already.
    SubprotocolRepeated(Box<str>),
    /// The window bits of an offer are not 8 to 15.
    WindowBits(u8),
    /// The header cannot be added.
    Header(FieldError),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(found) => {
                write!(
                    f,
                    "{found} is not an origin: write scheme, host and port, as in https://example.com:8443"
                )
            }
            Self::Subprotocol(found) => {
                write!(f, "subprotocol {found} is not a token: use letters, digits, hyphens and dots")
            }
            Self::SubprotocolRepeated(found) => write!(f, "subprotocol {found} is offered twice"),
            Self::WindowBits(bits) => write!(f, "{bits} window bits cannot be offered: 8 to 15 can"),
            Self::Header(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RequestError {}
