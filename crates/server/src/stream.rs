//! The bytes of a connection, whatever carries them.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

use crate::tls::TlsStream;

/// A connection of this worker, as a stream of bytes.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
    /// A stream of an HTTP/2 connection, which stays where it is.
    H2(Box<H2Stream>),
    /// What becomes the body of a response, and the peer that it is for. The end of what is read is the peer's.
    Pipe(Box<DuplexStream>, IpAddr),
}

/// A stream on its way from one worker to another.
#[derive(Debug)]
pub(crate) enum Parked {
    Tcp(std::net::TcpStream),
    Tls(Box<TlsStream<std::net::TcpStream>>),
    H2(Box<H2Stream>),
    /// What becomes the body of a response, and the peer that it is for. The end of what is read is the peer's.
    Pipe(Box<DuplexStream>, IpAddr),
}

/// A stream of an HTTP/2 connection that an extended CONNECT has opened. Its end is END_STREAM.
#[derive(Debug)]
pub(crate) struct H2Stream {
    pub(crate) upgraded: TokioIo<Upgraded>,
    pub(crate) peer: IpAddr,
}

/// One write to such a stream takes at most this much.
const H2_WRITE: usize = 64 * 1024;

impl Stream {
    /// The peer's address, unless it has gone.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        let tcp = match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.get_ref(),
            Self::H2(stream) => return Some(stream.peer),
            Self::Pipe(_, peer) => return Some(*peer),
        };
        tcp.peer_addr().ok().map(|address| address.ip())
    }

    /// Whether it is a connection that speaks TLS here.
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Takes it out of this worker's event loop.
    ///
    /// # Errors
    /// When the operating system does not let go of it.
    pub(crate) fn park(self) -> io::Result<Parked> {
        match self {
            Self::Tcp(stream) => stream.into_std().map(Parked::Tcp),
            Self::Tls(stream) => stream.park().map(|stream| Parked::Tls(Box::new(stream))),
            Self::H2(stream) => Ok(Parked::H2(stream)),
            Self::Pipe(pipe, peer) => Ok(Parked::Pipe(pipe, peer)),
        }
    }
}

impl Parked {
    /// Puts it into this worker's event loop.
    ///
    /// # Errors
    /// When the event loop does not take it.
    pub(crate) fn resume(self) -> io::Result<Stream> {
        match self {
            Self::Tcp(stream) => TcpStream::from_std(stream).map(Stream::Tcp),
            Self::Tls(stream) => stream.resume().map(|stream| Stream::Tls(Box::new(stream))),
            Self::H2(stream) => Ok(Stream::H2(stream)),
            Self::Pipe(pipe, peer) => Ok(Stream::Pipe(pipe, peer)),
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<TlsStream> for Stream {
    fn from(stream: TlsStream) -> Self {
        Self::Tls(Box::new(stream))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Pipe(stream, _) => Pin::new(stream).poll_read(cx, buf),
            Self::H2(stream) => Pin::new(&mut stream.upgraded).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Pipe(stream, _) => Pin::new(stream).poll_write(cx, buf),
            // It is copied as it is taken, before the peer has room for it.
            Self::H2(stream) => {
                Pin::new(&mut stream.upgraded).poll_write(cx, &buf[..buf.len().min(H2_WRITE)])
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Pipe(stream, _) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::H2(stream) => Pin::new(&mut stream.upgraded).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::H2(_) | Self::Pipe(..) => false,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Pipe(stream, _) => Pin::new(stream).poll_flush(cx),
            Self::H2(stream) => Pin::new(&mut stream.upgraded).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Pipe(stream, _) => Pin::new(stream).poll_shutdown(cx),
            Self::H2(stream) => Pin::new(&mut stream.upgraded).poll_shutdown(cx),
        }
    }
}
