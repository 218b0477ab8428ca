//! From a request of an HTTP library to an open socket.
//!
//! The rules of the opening handshake are the engine's, and stand there once; here the stream is taken over from hyper when
//! the 101 has been sent. With the feature `http2`, extended CONNECT (RFC 8441) is answered as well, with a 200: hyper's HTTP/2 server has to be
//! told so with `enable_connect_protocol`, and lets 200 streams in on a connection unless `max_concurrent_streams` says
//! otherwise. What a client sends waits in a stream's window until the socket is read.

#[cfg(feature = "axum")]
pub mod axum;

use std::fmt;
use std::sync::Arc;

use antiphon_proto::handshake::http::check;
#[cfg(feature = "http2")]
use antiphon_proto::handshake::http::check_connect;
use antiphon_proto::handshake::{Agreed, Opening, Refusal, ServerPolicy};
use antiphon_proto::{Config, Connection};
use http::{Response, request};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::accept::{Acceptor, unanswerable};
use crate::websocket::WebSocket;

/// The stream of an upgraded connection, or one of the streams of an HTTP/2 connection.
pub type HttpStream = TokioIo<Upgraded>;

/// Checks a request of hyper's, and answers it: with the 101 to send, or the 200 over HTTP/2, and the socket to come when it
/// has been sent.
///
/// The [`Acceptor`]'s limits of the head and its timeout are not used: the head has been read by hyper, with hyper's.
///
/// ```
/// # use http_body_util::Full; use hyper::body::{Bytes, Incoming}; use hyper::{Request, Response};
/// use antiphon_socket::{Acceptor, upgrade::upgrade};
///
/// fn answer(request: Request<Incoming>, acceptor: &Acceptor) -> Response<Full<Bytes>> {
///     let (mut parts, _body) = request.into_parts();
///     match upgrade(&mut parts, acceptor) {
///         Ok((response, pending)) => {
///             tokio::spawn(async move {
///                 let mut socket = pending.socket().await?;
///                 while let Some(message) = socket.recv().await? {
///                     socket.send(message).await?;
///                 }
///                 Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
///             });
///             response.map(|()| Full::default())
///         }
///         Err(refusal) => refusal.to_http().map(Full::from),
///     }
/// }
/// ```
///
/// # Errors
///
/// The request opens no WebSocket; the refusal is the response that says why.
pub fn upgrade(
    request: &mut request::Parts,
    acceptor: &Acceptor,
) -> Result<(Response<()>, PendingSocket), Refusal> {
    let opening = open(request, &acceptor.policy)?;
    PendingSocket::accept(request.extensions.remove(), &opening, acceptor)
}

/// The rules for a request of either kind.
fn open(request: &request::Parts, policy: &ServerPolicy) -> Result<Opening, Refusal> {
    #[cfg(feature = "http2")]
    if request.version >= http::Version::HTTP_2 {
        let protocol = request.extensions.get::<hyper::ext::Protocol>();
        return check_connect(request, protocol.map(hyper::ext::Protocol::as_str), policy);
    }
    check(request, policy)
}

/// A socket whose 101 has yet to be sent.
#[derive(Debug)]
pub struct PendingSocket {
    upgrade: OnUpgrade,
    agreed: Agreed,
    config: Arc<Config>,
}

impl PendingSocket {
    fn accept(
        upgrade: Option<OnUpgrade>,
        opening: &Opening,
        acceptor: &Acceptor,
    ) -> Result<(Response<()>, Self), Refusal> {
        let Some(upgrade) = upgrade else {
            return Err(
                opening.refuse(500, "This connection cannot be upgraded: its server does not allow it.")
            );
        };
        let subprotocols: Vec<&str> = acceptor.subprotocols.iter().map(String::as_str).collect();
        let accepted = opening.accept_http(&acceptor.acceptance(&subprotocols));
        let (response, agreed) = accepted.map_err(|error| unanswerable(&error))?;
        Ok((response, Self { upgrade, agreed, config: Arc::clone(&acceptor.config) }))
    }

    /// What both ends have agreed on.
    pub fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// The socket, when the 101 has been sent.
    ///
    /// # Errors
    ///
    /// The connection ended before.
    pub async fn socket(self) -> Result<WebSocket<HttpStream>, hyper::Error> {
        let Self { upgrade, agreed, config } = self;
        let stream = TokioIo::new(upgrade.await?);
        let connection = Connection::server(config, agreed.deflate, Instant::now().into_std());
        Ok(WebSocket::new(stream, connection, &[]))
    }

    /// The socket on the bare stream that hyper was given in a [`TokioIo`], such as a `TcpStream`: without hyper's buffer, and
    /// without a call through a pointer for each read and write. An HTTP/2 connection cannot be taken from hyper.
    ///
    /// # Errors
    ///
    /// The connection ended before, is one of HTTP/2, or hyper was given another stream than an `S`.
    pub async fn socket_on<S>(self) -> Result<WebSocket<S>, UpgradeError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { upgrade, agreed, config } = self;
        let upgraded = upgrade.await.map_err(UpgradeError::Ended)?;
        let parts = upgraded.downcast::<TokioIo<S>>().map_err(|_| UpgradeError::OtherStream)?;
        let connection = Connection::server(config, agreed.deflate, Instant::now().into_std());
        Ok(WebSocket::new(parts.io.into_inner(), connection, &parts.read_buf))
    }
}

/// A connection could not be taken over from hyper.
#[derive(Debug)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The network: the connection ended before the 101 was sent.
    Ended(hyper::Error),
    /// The caller: hyper was given another stream than the one asked for, or it is one of HTTP/2.
    OtherStream,
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(error) => write!(f, "the connection ended before it was upgraded: {error}"),
            Self::OtherStream => f.write_str(
                "hyper serves another type of stream, or HTTP/2; ask for that type, or take PendingSocket::socket",
            ),
        }
    }
}

impl std::error::Error for UpgradeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Ended(error) => Some(error),
            Self::OtherStream => None,
        }
    }
}
