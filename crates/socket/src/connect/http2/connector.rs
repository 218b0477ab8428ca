//! From a URL to an HTTP/2 connection, and past it where the server has none.

use std::sync::Arc;

use antiphon_proto::handshake::{ClientRequest, HeadLimits, Response, WsUri};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::link::Link;
use super::{Http2, Http2Fault, HttpVersion};
use crate::connect::target::Target;
use crate::connect::{
    Alpn, CallerFault, ClientStream, ConnectError, Connector, Limit, PeerFault, Stage, from_now,
};
use crate::websocket::WebSocket;

impl Connector {
    /// Connects to the server of a URL by HTTP/2, to open WebSockets there: for `wss` with ALPN, for `ws` with prior knowledge
    /// (RFC 9113 §3.3). Neither the path of the URL is used nor [`http`](Self::http).
    ///
    /// # Errors
    ///
    /// The server cannot be reached, does not prove who it is, or does not take WebSockets over HTTP/2.
    pub async fn http2(&self, server: &str) -> Result<Http2, ConnectError> {
        let uri: WsUri = server.parse()?;
        let total = from_now(self.timeouts.total);
        let limit = Limit::new(self.timeouts.reach, self.timeouts.total, total);
        let stream = self.reach(Target::of(&uri)?, &limit, Alpn::Http2).await?;
        if uri.is_tls() && !stream.chose_http2() {
            return Err(PeerFault::Http2(Http2Fault::NotSpoken).into());
        }
        let limit = Limit::new(self.timeouts.handshake, self.timeouts.total, total);
        self.multiplex(stream, uri, &limit).await
    }

    /// The same over a stream that is connected already, for a `ws` URL.
    ///
    /// # Errors
    ///
    /// The URL says `wss`; or the server does not take WebSockets over HTTP/2.
    pub async fn http2_on<S>(&self, stream: S, server: &str) -> Result<Http2, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let uri: WsUri = server.parse()?;
        if uri.is_tls() {
            return Err(CallerFault::NotSecured.into());
        }
        self.multiplex(stream, uri, &self.handshake_limit()).await
    }

    /// Opens one WebSocket, over HTTP/2 if the server lets it.
    pub(in crate::connect) async fn connect_http2(
        &self,
        target: Target,
        request: ClientRequest,
        reach: &Limit,
        total: Instant,
    ) -> Result<(WebSocket<ClientStream>, Response), ConnectError> {
        let only = self.http == HttpVersion::Http2;
        let uri = request.uri().clone();
        let stream = self.reach(target, reach, if only { Alpn::Http2 } else { Alpn::Either }).await?;
        let limit = Limit::new(self.timeouts.handshake, self.timeouts.total, total);
        if stream.is_secure() && !stream.chose_http2() {
            if only {
                return Err(PeerFault::Http2(Http2Fault::NotSpoken).into());
            }
            return self.handshake(stream, request, &limit).await;
        }
        let (address, secure) = (stream.peer_address(), stream.is_secure());
        let asked = async {
            let connection = self.multiplex(stream, uri.clone(), &limit).await?;
            connection.ask(request.clone(), &limit).await
        };
        match asked.await {
            Ok((stream, response)) => {
                let stream = ClientStream::multiplexed(stream, address, secure);
                Ok((self.websocket(stream, &response, &[]), response))
            }
            Err(ConnectError::Peer(PeerFault::Http2(fault))) if !only && fault.asks_for_http1() => {
                let reach = Limit::new(self.timeouts.reach, self.timeouts.total, total);
                let stream = self.reach(Target::of(&uri)?, &reach, Alpn::Http1).await?;
                let limit = Limit::new(self.timeouts.handshake, self.timeouts.total, total);
                self.handshake(stream, request, &limit).await
            }
            Err(error) => Err(error),
        }
    }

    async fn multiplex<S>(&self, stream: S, server: WsUri, limit: &Limit) -> Result<Http2, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let link = Link::new(stream, &self.http2, HeadLimits::default().bytes);
        let Link { requests, slots, over } =
            limit.run(Stage::Settings, link).await?.map_err(PeerFault::Http2)?;
        Ok(Http2 { requests, slots, over, server: Arc::new(server), connector: Arc::new(self.clone()) })
    }
}
