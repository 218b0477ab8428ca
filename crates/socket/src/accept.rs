//! The server's side of the opening handshake over a stream of bytes.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use antiphon_proto::handshake::{
    Acceptance, Accepted, FieldError, Progress, Refusal, Request, ServerHandshake, ServerPolicy,
};
use antiphon_proto::{Config, Connection};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use crate::websocket::WebSocket;

/// A refused client may still be sending: so long it is read from, so that no reset eats the response.
const LINGER: Duration = Duration::from_secs(1);

/// Accepts a WebSocket on a stream that has just been connected, with the defaults of [`Acceptor`].
///
/// # Errors
///
/// The request is refused (the client has been told why), comes too late, or the stream fails.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Result<WebSocket<S>, AcceptError> {
    Acceptor::default().accept(stream, |_| Ok(())).await.map(|(socket, _)| socket)
}

/// How a server accepts: which requests, with which subprotocol and compression, and what the connection may do then.
#[derive(Clone, Debug)]
pub struct Acceptor {
    /// Limits of the request's head, and whose pages may connect.
    pub policy: ServerPolicy,
    /// The subprotocols that are spoken here, best first.
    pub subprotocols: Vec<String>,
    /// Agree to permessage-deflate when the client offers it, as [`Config::deflate`] says.
    pub compression: bool,
    /// Limits and timers of the connection.
    pub config: Arc<Config>,
    /// How long the request may take.
    pub timeout: Duration,
}

impl Default for Acceptor {
    /// The same host's pages and clients that are no browsers, no compression, 10 seconds.
    fn default() -> Self {
        Self {
            policy: ServerPolicy::default(),
            subprotocols: Vec::new(),
            compression: false,
            config: Arc::default(),
            timeout: Duration::from_secs(10),
        }
    }
}

/// A WebSocket was not accepted.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// The client: its request was refused, and it has been told so.
    Refused(Refusal),
    /// The client: it closed the stream within the request, or before it.
    Eof,
    /// The caller: the response cannot be made of what [`Acceptor`] says.
    Field(FieldError),
    /// The network.
    Io(io::Error),
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "the request was refused: {refusal}"),
            Self::Eof => f.write_str("the client closed the stream before its request was complete"),
            Self::Field(error) => write!(f, "the response cannot be made: {error}"),
            Self::Io(error) => write!(f, "the stream failed: {error}"),
        }
    }
}

impl std::error::Error for AcceptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Field(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Eof => None,
        }
    }
}

impl From<io::Error> for AcceptError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Acceptor {
    /// Reads the request, lets `check` look at it, and answers. Whatever is refused, the client is told why.
    ///
    /// # Errors
    ///
    /// The request is refused, comes too late, or the stream fails.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
        check: impl FnOnce(&Request) -> Result<(), Refusal>,
    ) -> Result<(WebSocket<S>, Request), AcceptError> {
        let (request, rest) = match self.read_request(&mut stream).await {
            Ok(read) => read,
            Err(AcceptError::Refused(refusal)) => return Err(refuse(stream, refusal).await),
            Err(error) => return Err(error),
        };
        if let Err(refusal) = check(&request) {
            return Err(refuse(stream, refusal).await);
        }
        let subprotocols: Vec<&str> = self.subprotocols.iter().map(String::as_str).collect();
        let acceptance = Acceptance {
            subprotocols: &subprotocols,
            deflate: self.compression.then_some(&self.config.deflate),
            ..Acceptance::default()
        };
        let Accepted { response, agreed } = request.accept(&acceptance).map_err(AcceptError::Field)?;
        stream.write_all(&response).await?;
        stream.flush().await?;
        let now = Instant::now().into_std();
        let connection = Connection::server(Arc::clone(&self.config), agreed.deflate, now);
        Ok((WebSocket::new(stream, connection, &rest), request))
    }

    /// The request, and what came behind it.
    async fn read_request<S: AsyncRead + Unpin>(
        &self,
        stream: &mut S,
    ) -> Result<(Request, Vec<u8>), AcceptError> {
        let deadline = Instant::now() + self.timeout;
        let mut handshake = ServerHandshake::new(&self.policy);
        let mut buffer = [0; 2048];
        loop {
            let Ok(read) = timeout_at(deadline, stream.read(&mut buffer)).await else {
                return Err(AcceptError::Refused(handshake.handle_timeout()));
            };
            let input = buffer.get(..read?).unwrap_or_default();
            if input.is_empty() {
                return Err(handshake.handle_eof().map_or(AcceptError::Eof, AcceptError::Refused));
            }
            if let Progress::Complete { value, used } =
                handshake.receive(input).map_err(AcceptError::Refused)?
            {
                return Ok((value, input.get(used..).unwrap_or_default().to_vec()));
            }
        }
    }
}

/// Tells the client, and reads on for a while.
async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, refusal: Refusal) -> AcceptError {
    let told = async {
        stream.write_all(&refusal.to_bytes()).await?;
        stream.shutdown().await?;
        let mut rest = [0; 2048];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether or not it listened, it has been refused.
    let _ = timeout(LINGER, told).await;
    AcceptError::Refused(refusal)
}
