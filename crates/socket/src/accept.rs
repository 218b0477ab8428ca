//! The server's side of the opening handshake over a stream of bytes.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{fmt, io};

use antiphon_proto::handshake::{
    Acceptance, Accepted, FieldError, Progress, Refusal, Request, ServerHandshake, ServerPolicy,
};
use antiphon_proto::{Config, Connection};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout, timeout_at};

use crate::websocket::WebSocket;
use crate::websocket::buffers::with_input;

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
    /// How long the request and the answer to it may take.
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
        stream: S,
        check: impl FnOnce(&Request) -> Result<(), Refusal>,
    ) -> Result<(WebSocket<S>, Request), AcceptError> {
        // A task is as large as its largest state: what only the handshake needs is not to stay in it.
        Box::pin(self.handshake(stream, check)).await
    }

    async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
        check: impl FnOnce(&Request) -> Result<(), Refusal>,
    ) -> Result<(WebSocket<S>, Request), AcceptError> {
        let deadline = Instant::now() + self.timeout;
        let mut handshake = ServerHandshake::new(&self.policy);
        let read = match timeout_at(deadline, read_request(&mut stream, &mut handshake)).await {
            Ok(read) => read,
            Err(_) => Err(AcceptError::Refused(handshake.handle_timeout())),
        };
        let checked = read.and_then(|(request, rest)| {
            check(&request).map_err(AcceptError::Refused)?;
            Ok((request, rest))
        });
        let (request, rest) = match checked {
            Ok(checked) => checked,
            Err(AcceptError::Refused(refusal)) => {
                tell(&mut stream, &refusal).await;
                return Err(AcceptError::Refused(refusal));
            }
            Err(error) => return Err(error),
        };
        let subprotocols: Vec<&str> = self.subprotocols.iter().map(String::as_str).collect();
        let Accepted { response, agreed } = match request.accept(&self.acceptance(&subprotocols)) {
            Ok(accepted) => accepted,
            Err(error) => {
                tell(&mut stream, &unanswerable(&error)).await;
                return Err(AcceptError::Field(error));
            }
        };
        let answered = timeout_at(deadline, async {
            stream.write_all(&response).await?;
            stream.flush().await
        });
        answered.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let now = Instant::now().into_std();
        let connection = Connection::server(Arc::clone(&self.config), agreed.deflate, now);
        Ok((WebSocket::new(stream, connection, &rest), request))
    }

    pub(crate) fn acceptance<'a>(&'a self, subprotocols: &'a [&'a str]) -> Acceptance<'a> {
        let deflate = self.compression.then_some(&self.config.deflate);
        Acceptance { subprotocols, deflate, ..Acceptance::default() }
    }
}

/// What a client is told when its request is good, but the answer to it is not.
pub(crate) fn unanswerable(error: &FieldError) -> Refusal {
    Refusal::application(500, &format!("The server's answer has {error}."))
}

/// The request, and what came behind it.
async fn read_request<S: AsyncRead + Unpin>(
    stream: &mut S,
    handshake: &mut ServerHandshake<'_>,
) -> Result<(Request, Vec<u8>), AcceptError> {
    let mut take = |input: &[u8]| -> Result<Option<(Request, Vec<u8>)>, AcceptError> {
        if input.is_empty() {
            return Err(handshake.handle_eof().map_or(AcceptError::Eof, AcceptError::Refused));
        }
        Ok(match handshake.receive(input).map_err(AcceptError::Refused)? {
            Progress::Complete { value, used } => {
                Some((value, input.get(used..).unwrap_or_default().to_vec()))
            }
            Progress::Incomplete => None,
        })
    };
    loop {
        let taken =
            poll_fn(|cx| poll_read(cx, stream, |read| read.map_err(AcceptError::Io).and_then(&mut take)));
        if let Some(complete) = taken.await? {
            return Ok(complete);
        }
    }
}

/// Reads once to the thread's buffer.
fn poll_read<S: AsyncRead + Unpin, T>(
    cx: &mut Context<'_>,
    stream: &mut S,
    take: impl FnOnce(io::Result<&[u8]>) -> T,
) -> Poll<T> {
    with_input(|buffer| {
        let mut read = ReadBuf::new(buffer);
        let result = ready!(Pin::new(stream).poll_read(cx, &mut read));
        Poll::Ready(take(result.map(|()| read.filled())))
    })
}

/// Tells the client why it is refused, and reads on for a while. Whether or not it listens, it has been refused.
async fn tell<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, refusal: &Refusal) {
    let told = async {
        stream.write_all(&refusal.to_bytes()).await?;
        stream.shutdown().await?;
        while poll_fn(|cx| poll_read(cx, stream, |read| read.map(<[u8]>::len))).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(LINGER, told).await;
}
