//! WebSockets over HTTP/2 (RFC 8441): many on one connection.
//!
//! ```text
//!   Connector ─► Http2 ─┬─► open("/a") ─► WebSocket<Http2Stream>
//!                       └─► open("/b") ─► WebSocket<Http2Stream>
//! ```
//!
//! A task drives the connection: it is spawned with it, and ends when the last WebSocket and the last [`Http2`] are gone, or when the
//! connection breaks. It holds what has been received until it is read: at most a window for each stream.

mod chunk;
mod connector;
mod fault;
mod link;
mod slots;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use antiphon_proto::handshake::{ClientRequest, ExtendedHandshake, PROTOCOL, Response, UriError, WsUri};
use h2::client::SendRequest;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderName, HeaderValue, Method, Request, Version};
use tokio::sync::watch;
use tokio::time::timeout_at;

use super::{CallerFault, ConnectError, Connector, EnvironmentFault, IntoRequest, Limit, PeerFault, Stage};
use crate::websocket::WebSocket;
use chunk::Chunk;
pub use fault::Http2Fault;
use slots::Slots;
pub use stream::Http2Stream;

/// The largest window (RFC 9113 §6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;

/// Which HTTP a WebSocket is opened over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpVersion {
    /// HTTP/1.1, with a connection for each WebSocket. The default: most servers of HTTP/2 take WebSockets over HTTP/1.1 only, and
    /// would be connected to twice.
    #[default]
    Http1,
    /// For `wss` HTTP/2 if the server chooses it (ALPN) and takes WebSockets over it, or else HTTP/1.1, for which a second connection is made
    /// when the server has chosen HTTP/2. For `ws` HTTP/1.1.
    Negotiated,
    /// HTTP/2 and nothing else: for `ws` with prior knowledge (RFC 9113 §3.3).
    Http2,
}

/// What an HTTP/2 connection may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2Config {
    /// How many bytes a server may send on a stream before they are read: 65,535 by default, at most 2,147,483,647. What
    /// one WebSocket can receive in a round trip is bounded by it.
    pub window: u32,
    /// How many DATA frames of less than 256 bytes may wait to be read, on all streams together: 1,048,576 by default. Each
    /// costs about 250 bytes beside its payload. A server that sends more is taken for an attacker, and the connection closed
    /// with ENHANCE_YOUR_CALM.
    pub small_frames: usize,
}

impl Default for Http2Config {
    fn default() -> Self {
        Self { window: 65_535, small_frames: 1 << 20 }
    }
}

/// An HTTP/2 connection to a server, on which WebSockets are opened. Clones share it.
///
/// ```no_run
/// use antiphon_socket::connect::Http2;
///
/// # async fn hello() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Http2::connect("wss://example.com").await?;
/// let (mut chat, _) = server.open("/chat").await?;
/// let (mut prices, _) = server.open("/prices?of=tea").await?;
/// chat.send("hello").await?;
/// println!("{:?}", prices.recv().await?);
/// # Ok(())
/// # }
/// ```
///
/// It stays open while a WebSocket or a handle is there. When the server goes away (GOAWAY), those that are open go on, and
/// [`is_usable`](Self::is_usable) turns false.
#[derive(Clone)]
pub struct Http2 {
    requests: SendRequest<Chunk>,
    slots: Arc<Slots>,
    over: watch::Receiver<()>,
    server: Arc<WsUri>,
    connector: Arc<Connector>,
}

impl Http2 {
    /// Connects with the defaults of [`Connector`]: see [`Connector::http2`].
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says whose fault it is.
    pub async fn connect(server: &str) -> Result<Self, ConnectError> {
        Connector::default().http2(server).await
    }

    /// Opens a WebSocket at a path of this server, with its query. The response is the server's 200.
    ///
    /// When the server allows no more streams at a time, it waits for one, as long as [`Timeouts`](super::Timeouts) let a handshake take.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says whose fault it is.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future resets the stream.
    pub async fn open(&self, path: &str) -> Result<(WebSocket<Http2Stream>, Response), ConnectError> {
        self.open_request(self.request(path)?).await
    }

    /// A request for a path of this server, to add subprotocols and headers to.
    ///
    /// # Errors
    ///
    /// The path has a byte that no URL has.
    pub fn request(&self, path: &str) -> Result<ClientRequest, ConnectError> {
        let server = &self.server;
        let uri = WsUri::new(server.is_tls(), server.host(), server.port(), path);
        Ok(ClientRequest::new(uri?))
    }

    /// Opens the WebSocket that a request asks for; its URL must be of this server.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says whose fault it is.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future resets the stream.
    pub async fn open_request(
        &self,
        request: impl IntoRequest,
    ) -> Result<(WebSocket<Http2Stream>, Response), ConnectError> {
        let request = self.connector.prepare(request)?;
        let (stream, response) = self.ask(request, &self.connector.handshake_limit()).await?;
        Ok((self.connector.websocket(stream, &response, &[]), response))
    }

    /// Gives this handle up and waits until the connection has ended, after the last WebSocket and the last other handle. A runtime
    /// that is shut down before cuts it off.
    pub async fn close(self) {
        let mut over = self.over.clone();
        drop(self);
        // Nothing is sent: it ends with its sender.
        let _ = over.changed().await;
    }

    /// Whether WebSockets can still be opened here. Not after the server has said that it goes away, nor when the connection has broken.
    pub fn is_usable(&self) -> bool {
        self.check_usable().is_ok()
    }

    /// Asks for the WebSocket. Nothing but the request is sent before the answer has been checked.
    pub(super) async fn ask(
        &self,
        request: ClientRequest,
        limit: &Limit,
    ) -> Result<(Http2Stream, Response), ConnectError> {
        self.check_server(request.uri())?;
        let mut handshake = ExtendedHandshake::new(request);
        let head = head(&handshake)?;
        let mut requests = self.requests.clone();
        let allowed = || self.allowed();
        let slot = match timeout_at(limit.deadline, self.slots.acquire(allowed)).await {
            Ok(slot) => slot?,
            Err(_) => {
                let allowed = self.requests.current_max_send_streams();
                return Err(EnvironmentFault::NoStream { allowed, limit: limit.limit }.into());
            }
        };
        let sent = requests.send_request(head, false).map_err(fault)?;
        let (response, sending) = sent;
        let response = limit.run(Stage::Handshake, response).await?.map_err(fault)?;
        let (head, mut body) = response.into_parts();
        let fields = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let opened = handshake.receive_head(head.status.as_u16(), fields).map_err(PeerFault::Handshake)?;
        if let Some(response) = opened {
            return Ok((Http2Stream::new(sending, body, slot), response));
        }
        loop {
            let refused = match timeout_at(limit.deadline, body.data()).await {
                Ok(Some(Ok(data))) => {
                    let _ = body.flow_control().release_capacity(data.len());
                    match handshake.receive_body(&data) {
                        Ok(()) => continue,
                        Err(refused) => refused,
                    }
                }
                Ok(None) => handshake.handle_eof(),
                Ok(Some(Err(_))) | Err(_) => handshake.handle_timeout(),
            };
            return Err(PeerFault::Handshake(refused).into());
        }
    }

    /// How many streams there may be now, if any (RFC 8441 §3: none without the setting).
    fn allowed(&self) -> Result<usize, ConnectError> {
        self.check_usable().map_err(fault)?;
        if !self.requests.is_extended_connect_protocol_enabled() {
            return Err(PeerFault::Http2(Http2Fault::NoWebSockets).into());
        }
        Ok(self.requests.current_max_send_streams())
    }

    /// Fails if the connection opens no more streams. A handle of which nothing waits is ready at once.
    fn check_usable(&self) -> Result<(), h2::Error> {
        match self.requests.clone().poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// The certificate that was checked, and the address, are for one server only.
    fn check_server(&self, uri: &WsUri) -> Result<(), CallerFault> {
        let of = |uri: &WsUri| (uri.is_tls(), uri.host().to_ascii_lowercase(), uri.port());
        if of(uri) == of(&self.server) {
            return Ok(());
        }
        let origin =
            |uri: &WsUri| format!("{}://{}", if uri.is_tls() { "wss" } else { "ws" }, uri.authority());
        Err(CallerFault::OtherServer { asked: origin(uri), connected: origin(&self.server) })
    }
}

impl fmt::Debug for Http2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Http2");
        out.field("server", &self.server.authority())
            .field("usable", &self.is_usable())
            .finish_non_exhaustive()
    }
}

fn fault(error: h2::Error) -> ConnectError {
    PeerFault::Http2(Http2Fault::new(error)).into()
}

/// The request in the types of `http`.
fn head(handshake: &ExtendedHandshake) -> Result<Request<()>, CallerFault> {
    let path = PathAndQuery::try_from(handshake.path()).map_err(|_| unsendable(handshake.path()))?;
    let uri = Uri::builder()
        .scheme(handshake.scheme())
        .authority(handshake.authority())
        .path_and_query(path)
        .build()
        .map_err(|_| CallerFault::Url(UriError::Host(handshake.authority().into())))?;
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri;
    request.extensions_mut().insert(h2::ext::Protocol::from_static(PROTOCOL));
    for (name, value) in handshake.fields() {
        // Both have been checked: `http` takes them.
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(mut value)) = (name, value) {
            // Not for compression, from whose tables it could be guessed (RFC 7541 §7.1.3).
            value.set_sensitive(matches!(name.as_str(), "authorization" | "cookie"));
            request.headers_mut().append(name, value);
        }
    }
    Ok(request)
}

/// The first byte that `http` does not take in a path, though RFC 6455 leaves it to the caller.
fn unsendable(path: &str) -> CallerFault {
    let refused = |byte: &u8| PathAndQuery::try_from(&[b'/', *byte][..]).is_err();
    CallerFault::Url(UriError::Resource(path.bytes().find(refused).unwrap_or(b'?')))
}
