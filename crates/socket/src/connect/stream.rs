//! The stream below a client's WebSocket.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

#[cfg(feature = "http2")]
use super::http2::Http2Stream;
use super::target::Cleartext;
#[cfg(feature = "tls")]
use tokio_rustls::client::TlsStream;

/// Any stream that can carry a tunnel.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Io for S {}

/// A way to the server that says nothing yet: it becomes a [`ClientStream`].
pub(super) enum Link {
    Direct(TcpStream),
    /// Through a proxy, which may itself be spoken to over TLS.
    Tunnel(Box<dyn Io>),
}

/// The stream of a client: TCP or a proxy's tunnel, TLS in it for `wss`, and perhaps a stream of HTTP/2 in that.
pub struct ClientStream {
    kind: Kind,
    address: SocketAddr,
}

enum Kind {
    Tcp(TcpStream),
    Tunnel(Box<dyn Io>),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
    #[cfg(feature = "tls")]
    TunnelTls(Box<TlsStream<Box<dyn Io>>>),
    /// One of the streams of a connection, which itself is one of the others.
    #[cfg(feature = "http2")]
    Http2 {
        stream: Box<Http2Stream>,
        secure: bool,
    },
}

impl ClientStream {
    /// The link as it is.
    pub(super) fn cleartext(link: Link, address: SocketAddr, _granted: Cleartext) -> Self {
        let kind = match link {
            Link::Direct(stream) => Kind::Tcp(stream),
            Link::Tunnel(stream) => Kind::Tunnel(stream),
        };
        Self { kind, address }
    }

    /// TLS on the link, its handshake done: the server has proved that it is `name`.
    #[cfg(feature = "tls")]
    pub(super) async fn secured(
        link: Link,
        address: SocketAddr,
        tls: &crate::tls::Handshake,
    ) -> io::Result<Self> {
        let kind = match link {
            Link::Direct(stream) => Kind::Tls(Box::new(tls.run(stream).await?)),
            Link::Tunnel(stream) => Kind::TunnelTls(Box::new(tls.run(stream).await?)),
        };
        Ok(Self { kind, address })
    }

    /// Whether the bytes are encrypted on their way to the server.
    pub fn is_secure(&self) -> bool {
        match &self.kind {
            Kind::Tcp(_) | Kind::Tunnel(_) => false,
            #[cfg(feature = "tls")]
            Kind::Tls(_) | Kind::TunnelTls(_) => true,
            #[cfg(feature = "http2")]
            Kind::Http2 { secure, .. } => *secure,
        }
    }

    /// Whether it is a stream of an HTTP/2 connection.
    #[cfg(feature = "http2")]
    pub fn is_http2(&self) -> bool {
        matches!(self.kind, Kind::Http2 { .. })
    }

    /// A stream of a connection to `address`.
    #[cfg(feature = "http2")]
    pub(super) fn multiplexed(stream: Http2Stream, address: SocketAddr, secure: bool) -> Self {
        Self { kind: Kind::Http2 { stream: Box::new(stream), secure }, address }
    }

    /// Whether the server chose HTTP/2 within TLS.
    #[cfg(feature = "http2")]
    pub(super) fn chose_http2(&self) -> bool {
        #[cfg(feature = "tls")]
        let chosen = match &self.kind {
            Kind::Tls(stream) => stream.get_ref().1.alpn_protocol(),
            Kind::TunnelTls(stream) => stream.get_ref().1.alpn_protocol(),
            Kind::Tcp(_) | Kind::Tunnel(_) | Kind::Http2 { .. } => None,
        };
        #[cfg(not(feature = "tls"))]
        let chosen: Option<&[u8]> = None;
        chosen == Some(b"h2")
    }

    /// The address that was connected to: the server's, or that of the proxy.
    pub fn peer_address(&self) -> SocketAddr {
        self.address
    }
}

impl fmt::Debug for ClientStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ClientStream");
        out.field("peer", &self.address).field("secure", &self.is_secure()).finish_non_exhaustive()
    }
}

/// Runs an expression on the stream that is there.
macro_rules! on {
    ($this:expr, $stream:ident => $call:expr) => {
        match &mut $this.kind {
            Kind::Tcp($stream) => $call,
            Kind::Tunnel($stream) => $call,
            #[cfg(feature = "tls")]
            Kind::Tls($stream) => $call,
            #[cfg(feature = "tls")]
            Kind::TunnelTls($stream) => $call,
            #[cfg(feature = "http2")]
            Kind::Http2 { stream: $stream, .. } => $call,
        }
    };
}

/// Under TLS an end without `close_notify` is an error of the kind `UnexpectedEof`; an end in order reads zero bytes.
impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, into))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        chunks: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, chunks))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.kind {
            Kind::Tcp(stream) => stream.is_write_vectored(),
            Kind::Tunnel(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Kind::Tls(_) | Kind::TunnelTls(_) => true,
            #[cfg(feature = "http2")]
            Kind::Http2 { .. } => true,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// A stream of which some bytes have been read already.
pub(super) struct Rewind<S> {
    kept: Bytes,
    stream: S,
}

impl<S: Io + 'static> Rewind<S> {
    /// `stream` as a tunnel that begins with `kept`.
    pub(super) fn boxed(kept: Bytes, stream: S) -> Box<dyn Io> {
        if kept.is_empty() { Box::new(stream) } else { Box::new(Self { kept, stream }) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewind<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.kept.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, into);
        }
        let length = self.kept.len().min(into.remaining());
        into.put_slice(&self.kept[..length]);
        self.kept.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewind<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        chunks: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, chunks)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_was_kept_comes_first_whatever_the_size_of_the_reads() {
        for size in 1..12 {
            let (near, mut far) = duplex(64);
            far.write_all(b" and the rest").await.unwrap();
            drop(far);
            let mut stream = Rewind::boxed(Bytes::from_static(b"kept"), near);
            let (mut all, mut part) = (Vec::<u8>::new(), vec![0; size]);
            loop {
                match stream.read(&mut part).await.unwrap() {
                    0 => break,
                    length => all.extend(&part[..length]),
                }
            }
            assert_eq!(all, b"kept and the rest", "reads of {size}");
        }
    }
}
