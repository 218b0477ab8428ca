//! From a request of an HTTP library to an open socket.
//!
//! The rules of the opening handshake are the engine's, and stand there once; here the stream is taken over from hyper when
//! the 101 has been sent.

#[cfg(feature = "axum")]
pub mod axum;

use std::fmt;
use std::sync::Arc;

use antiphon_proto::handshake::{Agreed, Opening, Refusal, http::check};
use antiphon_proto::{Config, Connection};
use http::{Response, request};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::accept::{Acceptor, unanswerable};
use crate::websocket::WebSocket;

/// The stream of an upgraded connection, whatever carries it.
pub type HttpStream = TokioIo<Upgraded>;

/// Checks a request of hyper's, and answers it: with the 101 to send, and the socket to come when it has been sent.
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
    let opening = check(request, &acceptor.policy)?;
    PendingSocket::accept(request.extensions.remove(), &opening, acceptor)
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
    /// without a call through a pointer for each read and write.
    ///
    /// # Errors
    ///
    /// The connection ended before, or hyper was given another stream than an `S`.
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
    /// The caller: hyper was given another stream than the one asked for.
    OtherStream,
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(error) => write!(f, "the connection ended before it was upgraded: {error}"),
            Self::OtherStream => f.write_str(
                "hyper serves another type of stream; ask for that one, or take PendingSocket::socket",
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
