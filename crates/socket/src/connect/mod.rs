//! The client: from a URL to an open WebSocket.
//!
//! ```text
//!   URL ─► look-up ─► TCP (Happy Eyeballs) ─► proxy's tunnel ─► TLS (wss) ─► opening handshake ─► WebSocket
//! ```
//!
//! [`connect`] does it with the defaults of [`Connector`]. Subprotocols and headers are parts of the
//! [`ClientRequest`].
//!
//! Redirects are not followed and credentials not asked for: see [`ConnectError::rejection`]. A client is to have one
//! handshake at a time under way to a host (RFC 6455 §4.1, item 2); that is left to whoever opens several, as only the
//! caller knows whether this server minds. [`Backoff`] says how long to wait before connecting again.

mod backoff;
mod dial;
mod error;
mod host;
#[cfg(feature = "http2")]
mod http2;
mod proxy;
mod stream;
mod target;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use antiphon_proto::deflate::Offer;
use antiphon_proto::handshake::{ClientError, ClientHandshake, ClientRequest, Progress, Response, WsUri};
use antiphon_proto::{Config, Connection};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use crate::entropy::OsEntropy;
use crate::websocket::WebSocket;

pub use backoff::Backoff;
pub use dial::{Resolve, Resolving, SystemResolver};
pub use error::{Attempt, CallerFault, ConnectError, EnvironmentFault, PeerFault, Stage};
pub use host::{Credentials, Host, HostRule};
#[cfg(feature = "http2")]
pub use http2::{Http2, Http2Config, Http2Fault, Http2Stream, HttpVersion};
pub use proxy::{Proxy, ProxyChoice, ProxyFault, ProxyUrlError};
pub use stream::ClientStream;
use stream::Link;
use target::{Scheme, Target};

#[cfg(feature = "tls")]
use crate::tls::{Handshake, TlsOptions};

/// Opens a WebSocket to a `ws` or `wss` URL, with the defaults of [`Connector`].
///
/// A user and password in the URL are refused, as is a fragment (RFC 6455 §3): credentials go in an `Authorization` header. A
/// host outside ASCII is written in punycode.
///
/// ```no_run
/// # async fn hello() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut socket, _response) = antiphon_socket::connect("wss://example.com/chat").await?;
/// socket.send("hello").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`ConnectError`] says whose fault it is.
pub async fn connect(request: impl IntoRequest) -> Result<(WebSocket<ClientStream>, Response), ConnectError> {
    Connector::default().connect(request).await
}

/// Opens a WebSocket to a `ws` URL over a stream of the caller's, with the defaults of [`Connector`].
///
/// # Errors
///
/// Those of [`Connector::open`].
pub async fn client<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: impl IntoRequest,
) -> Result<(WebSocket<S>, Response), ConnectError> {
    Connector::default().open(stream, request).await
}

/// What a client asks for: a URL, or a request with more in it.
pub trait IntoRequest {
    /// The request.
    ///
    /// # Errors
    ///
    /// The URL is none.
    fn into_request(self) -> Result<ClientRequest, CallerFault>;
}

impl IntoRequest for &str {
    fn into_request(self) -> Result<ClientRequest, CallerFault> {
        self.parse().map(ClientRequest::new).map_err(CallerFault::Url)
    }
}

impl IntoRequest for &String {
    fn into_request(self) -> Result<ClientRequest, CallerFault> {
        self.as_str().into_request()
    }
}

impl IntoRequest for WsUri {
    fn into_request(self) -> Result<ClientRequest, CallerFault> {
        Ok(ClientRequest::new(self))
    }
}

impl IntoRequest for ClientRequest {
    fn into_request(self) -> Result<ClientRequest, CallerFault> {
        Ok(self)
    }
}

/// How long opening a connection may take. Whichever ends first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// All of it.
    pub total: Duration,
    /// Reaching the server: look-up, TCP, proxy and TLS.
    pub reach: Duration,
    /// The opening handshake (rule 35 is that there is a limit): the request and its answer, with the body of a refusal.
    pub handshake: Duration,
}

impl Default for Timeouts {
    /// 10 seconds for all of it, and as much for each part.
    fn default() -> Self {
        let limit = Duration::from_secs(10);
        Self { total: limit, reach: limit, handshake: limit }
    }
}

/// How a client connects: by which way, whom it trusts, how long it waits, and what the connection may do then.
///
/// ```no_run
/// use std::sync::Arc;
/// use antiphon_socket::connect::{Connector, ProxyChoice};
/// use antiphon_socket::proto::handshake::ClientRequest;
///
/// # async fn hello() -> Result<(), Box<dyn std::error::Error>> {
/// let request = ClientRequest::new("wss://example.com/chat".parse()?)
///     .subprotocol("chat.v2")?
///     .header("Authorization", "Bearer abc")?;
/// let connector = Connector {
///     compression: true,
///     proxy: ProxyChoice::Fixed("socks5://127.0.0.1:1080".parse()?),
///     ..Connector::default()
/// };
/// let (socket, response) = connector.connect(request).await?;
/// println!("the server chose {:?}", response.agreed().subprotocol);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connector {
    /// Limits and timers of the connection.
    pub config: Arc<Config>,
    /// Offer permessage-deflate, as [`Config::deflate`] says.
    pub compression: bool,
    /// Whether to go through a proxy.
    pub proxy: ProxyChoice,
    /// Whom to trust.
    #[cfg(feature = "tls")]
    pub tls: Arc<TlsOptions>,
    /// Which HTTP to open WebSockets over.
    #[cfg(feature = "http2")]
    pub http: HttpVersion,
    /// What an HTTP/2 connection may hold.
    #[cfg(feature = "http2")]
    pub http2: Http2Config,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Send small messages at once (TCP_NODELAY).
    pub nodelay: bool,
    /// The address of this machine to connect from; by default the operating system chooses. Addresses of the other family are
    /// then out of reach.
    pub local_address: Option<IpAddr>,
    /// What looks names up.
    pub resolver: Arc<dyn Resolve>,
}

impl Default for Connector {
    /// The environment's proxy, the platform's roots, HTTP/1.1, 10 seconds, no compression.
    fn default() -> Self {
        Self {
            config: Arc::default(),
            compression: false,
            proxy: ProxyChoice::default(),
            #[cfg(feature = "tls")]
            tls: TlsOptions::platform(),
            #[cfg(feature = "http2")]
            http: HttpVersion::default(),
            #[cfg(feature = "http2")]
            http2: Http2Config::default(),
            timeouts: Timeouts::default(),
            nodelay: true,
            local_address: None,
            resolver: Arc::new(SystemResolver),
        }
    }
}

impl Connector {
    /// Opens a WebSocket. The response is the server's 101, or over HTTP/2 its 200.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says whose fault it is.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops every connection that it has begun.
    pub async fn connect(
        &self,
        request: impl IntoRequest,
    ) -> Result<(WebSocket<ClientStream>, Response), ConnectError> {
        let request = self.prepare(request)?;
        let target = Target::of(request.uri())?;
        let total = from_now(self.timeouts.total);
        let reach = Limit::new(self.timeouts.reach, self.timeouts.total, total);
        #[cfg(feature = "http2")]
        if self.http == HttpVersion::Http2 || (self.http == HttpVersion::Negotiated && target.is_secure()) {
            return Box::pin(self.connect_http2(target, request, &reach, total)).await;
        }
        let stream = self.reach(target, &reach, Alpn::Http1).await?;
        let handshake = Limit::new(self.timeouts.handshake, self.timeouts.total, total);
        self.handshake(stream, request, &handshake).await
    }

    /// Opens a WebSocket to a `ws` URL over a stream that is connected already.
    ///
    /// A `wss` URL is refused, so that none is spoken to in the clear: see [`open_tls`](Self::open_tls).
    ///
    /// # Errors
    ///
    /// The URL says `wss`; or the server's answer is none that opens a WebSocket.
    pub async fn open<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        request: impl IntoRequest,
    ) -> Result<(WebSocket<S>, Response), ConnectError> {
        let request = self.prepare(request)?;
        if Target::of(request.uri())?.is_secure() {
            return Err(CallerFault::NotSecured.into());
        }
        self.handshake(stream, request, &self.handshake_limit()).await
    }

    /// Opens a WebSocket to a `wss` or `ws` URL over TLS, on a stream that is connected already.
    ///
    /// # Errors
    ///
    /// The server does not prove who it is, or its answer is none that opens a WebSocket.
    #[cfg(feature = "tls")]
    pub async fn open_tls<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        request: impl IntoRequest,
    ) -> Result<(WebSocket<tokio_rustls::client::TlsStream<S>>, Response), ConnectError> {
        let request = self.prepare(request)?;
        let host = Target::of(request.uri())?.host;
        let tls = self.tls_handshake(&host, Alpn::Http1).await?;
        let limit = Limit::new(self.timeouts.reach, self.timeouts.total, from_now(self.timeouts.total));
        let secured = limit.run(Stage::Tls, tls.run(stream)).await?;
        let stream = secured.map_err(|source| PeerFault::Tls { host, source })?;
        self.handshake(stream, request, &self.handshake_limit()).await
    }

    /// Goes the way to a URL's server, with TLS under `wss`, and says nothing there: for other requests of HTTP/1.1 than those
    /// that open a WebSocket, over the same proxies and with the same trust.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, or does not prove who it is.
    pub async fn dial(&self, uri: &WsUri) -> Result<ClientStream, ConnectError> {
        let limit = Limit::new(self.timeouts.reach, self.timeouts.total, from_now(self.timeouts.total));
        self.reach(Target::of(uri)?, &limit, Alpn::Http1).await
    }

    fn prepare(&self, request: impl IntoRequest) -> Result<ClientRequest, ConnectError> {
        let request = request.into_request()?;
        if self.compression { Ok(request.deflate(Offer::new(&self.config.deflate))?) } else { Ok(request) }
    }

    fn handshake_limit(&self) -> Limit {
        Limit::new(self.timeouts.handshake, self.timeouts.total, from_now(self.timeouts.total))
    }

    /// Goes all the way to the server, and says nothing to it that is the request's.
    async fn reach(&self, target: Target, limit: &Limit, alpn: Alpn) -> Result<ClientStream, ConnectError> {
        #[cfg(not(feature = "tls"))]
        let _ = alpn;
        let proxy = self.proxy.route(&target)?;
        #[cfg(not(feature = "tls"))]
        if target.is_secure() || proxy.as_ref().is_some_and(Proxy::is_secure) {
            return Err(CallerFault::NoTls.into());
        }
        // Set up before anything is sent: without roots there is no use in connecting.
        #[cfg(feature = "tls")]
        let tls = match &target.scheme {
            Scheme::Wss => Some(limit.run(Stage::Tls, self.tls_handshake(&target.host, alpn)).await??),
            Scheme::Ws(_) => None,
        };

        let (host, port) = match &proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (&target.host, target.port),
        };
        let addresses = limit.run(Stage::LookUp, dial::look_up(&*self.resolver, host, port)).await??;
        let (stream, address) =
            dial::dial(host, port, &addresses, limit.deadline, self.nodelay, self.local_address).await?;
        let link = match proxy {
            None => Link::Direct(stream),
            Some(proxy) => limit.run(Stage::Proxy, self.tunnel(&proxy, stream, &target)).await??,
        };

        match target.scheme {
            Scheme::Ws(granted) => Ok(ClientStream::cleartext(link, address, granted)),
            #[cfg(feature = "tls")]
            Scheme::Wss => {
                let tls = tls.ok_or(CallerFault::NoTls)?;
                let secured = limit.run(Stage::Tls, ClientStream::secured(link, address, &tls)).await?;
                Ok(secured.map_err(|source| PeerFault::Tls { host: target.host, source })?)
            }
            #[cfg(not(feature = "tls"))]
            Scheme::Wss => Err(CallerFault::NoTls.into()),
        }
    }

    async fn tunnel(
        &self,
        proxy: &Proxy,
        stream: tokio::net::TcpStream,
        target: &Target,
    ) -> Result<Link, ConnectError> {
        let at_fault = |fault| EnvironmentFault::Proxy { proxy: proxy.to_string(), fault };
        #[cfg(feature = "tls")]
        if proxy.is_secure() {
            let tls = self.tls_handshake(proxy.host(), Alpn::Http1).await?;
            let stream = tls.run(stream).await.map_err(|error| at_fault(ProxyFault::Tls(error)))?;
            return Ok(Link::Tunnel(proxy.tunnel(stream, target).await.map_err(at_fault)?));
        }
        Ok(Link::Tunnel(proxy.tunnel(stream, target).await.map_err(at_fault)?))
    }

    #[cfg(feature = "tls")]
    async fn tls_handshake(&self, host: &Host, alpn: Alpn) -> Result<Handshake, ConnectError> {
        let name = host.server_name()?;
        Ok(Handshake::new(&self.tls, name, alpn).await.map_err(|reason| EnvironmentFault::Tls { reason })?)
    }

    /// Asks for the WebSocket. Nothing but the request is sent before the answer has been checked (rule 36).
    async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
        request: ClientRequest,
        limit: &Limit,
    ) -> Result<(WebSocket<S>, Response), ConnectError> {
        let mut handshake = ClientHandshake::new(request, &mut OsEntropy);
        let asked = async {
            stream.write_all(handshake.request_bytes()).await?;
            stream.flush().await
        };
        limit.run(Stage::Handshake, asked).await?.map_err(PeerFault::Stream)?;
        let mut buffer = [0; 2048];
        loop {
            let Ok(read) = timeout_at(limit.deadline, stream.read(&mut buffer)).await else {
                return Err(match handshake.handle_timeout() {
                    ClientError::Timeout => limit.passed(Stage::Handshake),
                    rejected => PeerFault::Handshake(rejected).into(),
                });
            };
            let input = &buffer[..read.map_err(PeerFault::Stream)?];
            if input.is_empty() {
                return Err(PeerFault::Handshake(handshake.handle_eof()).into());
            }
            let progress = handshake.receive(input).map_err(PeerFault::Handshake)?;
            if let Progress::Complete { value: response, used } = progress {
                // What came with the 101 is frames (rule 32).
                return Ok((self.websocket(stream, &response, &input[used..]), response));
            }
        }
    }

    /// The socket that a server's answer opens.
    fn websocket<S>(&self, stream: S, response: &Response, read: &[u8]) -> WebSocket<S> {
        let (config, deflate) = (Arc::clone(&self.config), response.agreed().deflate);
        let connection = Connection::client(config, deflate, Box::new(OsEntropy), Instant::now().into_std());
        WebSocket::new(stream, connection, read)
    }
}

/// The protocols that are offered within TLS (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alpn {
    Http1,
    #[cfg(feature = "http2")]
    Http2,
    /// HTTP/2 rather than HTTP/1.1.
    #[cfg(feature = "http2")]
    Either,
}

/// A point in time, and the limit that it comes from.
struct Limit {
    deadline: Instant,
    limit: Duration,
}

impl Limit {
    /// `part` from now on, unless the `total` ends before.
    fn new(part: Duration, total: Duration, total_deadline: Instant) -> Self {
        let deadline = from_now(part);
        if deadline < total_deadline {
            Self { deadline, limit: part }
        } else {
            Self { deadline: total_deadline, limit: total }
        }
    }

    async fn run<F: Future>(&self, stage: Stage, work: F) -> Result<F::Output, ConnectError> {
        timeout_at(self.deadline, work).await.map_err(|_| self.passed(stage))
    }

    fn passed(&self, stage: Stage) -> ConnectError {
        EnvironmentFault::TimedOut { stage, limit: self.limit }.into()
    }
}

/// A limit that no clock can hold is none that anyone lives to see.
fn from_now(limit: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    Instant::now() + limit.min(FAR)
}
