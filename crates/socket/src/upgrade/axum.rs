//! An extractor for axum.

use std::sync::Arc;

use antiphon_proto::Config;
use antiphon_proto::handshake::{Agreed, Opening, Refusal};
use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use hyper::upgrade::OnUpgrade;

use super::{HttpStream, PendingSocket, open};
use crate::accept::Acceptor;
use crate::websocket::WebSocket;

/// A request that opens a WebSocket: an extractor. A request that does not is refused with the status and the sentence that fit.
///
/// ```
/// use antiphon_socket::upgrade::axum::WebSocketUpgrade;
/// use axum::{Router, response::Response, routing::any};
///
/// async fn echo(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.compression(true).on_upgrade(|mut socket| async move {
///         while let Ok(Some(message)) = socket.recv().await {
///             if socket.send(message).await.is_err() {
///                 break;
///             }
///         }
///     })
/// }
///
/// let app: Router = Router::new().route("/echo", any(echo));
/// ```
///
/// Over HTTP/2 (feature `http2`) the method is CONNECT: route with `any`, not with `get`.
///
/// Pages of the same host may connect, and clients that are no browsers. For another policy put an [`Acceptor`] into the
/// request's extensions: `.layer(Extension(acceptor))`.
#[derive(Debug)]
pub struct WebSocketUpgrade {
    upgrade: Option<OnUpgrade>,
    opening: Opening,
    acceptor: Acceptor,
}

/// A request that opens no WebSocket.
#[derive(Debug)]
pub struct Rejection(pub Refusal);

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.0.to_http().map(Body::from)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        let acceptor = parts.extensions.get::<Acceptor>().cloned().unwrap_or_default();
        let opening = open(parts, &acceptor.policy).map_err(Rejection)?;
        Ok(Self { upgrade: parts.extensions.remove(), opening, acceptor })
    }
}

impl WebSocketUpgrade {
    /// The subprotocols that are spoken here, best first.
    #[must_use]
    pub fn subprotocols<I: IntoIterator<Item: Into<String>>>(mut self, subprotocols: I) -> Self {
        self.acceptor.subprotocols = subprotocols.into_iter().map(Into::into).collect();
        self
    }

    /// Agree to permessage-deflate when the client offers it.
    #[must_use]
    pub fn compression(mut self, compression: bool) -> Self {
        self.acceptor.compression = compression;
        self
    }

    /// Limits and timers of the connection.
    #[must_use]
    pub fn config(mut self, config: Arc<Config>) -> Self {
        self.acceptor.config = config;
        self
    }

    /// What the request says.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// Answers the request, and runs `serve` with the socket, in a task of its own, when the answer has been sent.
    pub fn on_upgrade<F, Fut>(self, serve: F) -> Response
    where
        F: FnOnce(WebSocket<HttpStream>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.on_upgrade_with(|socket, _| serve(socket))
    }

    /// The same, and tells `serve` what both ends have agreed on.
    pub fn on_upgrade_with<F, Fut>(self, serve: F) -> Response
    where
        F: FnOnce(WebSocket<HttpStream>, Agreed) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        match PendingSocket::accept(self.upgrade, &self.opening, &self.acceptor) {
            Ok((response, pending)) => {
                tokio::spawn(async move {
                    let agreed = pending.agreed().clone();
                    // A client that went away before it got its answer is nobody's error.
                    if let Ok(socket) = pending.socket().await {
                        serve(socket, agreed).await;
                    }
                });
                response.map(|()| Body::empty())
            }
            Err(refusal) => Rejection(refusal).into_response(),
        }
    }
}
