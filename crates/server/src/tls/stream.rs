//! TLS over TCP that holds no buffer while nothing is on its way.
//!
//! ```text
//!   socket ─► [partial | scratch of the thread] ─► rustls ─► the reader's buffer, and `plain` for what does not fit
//!   socket ◄─ `out`, what the system did not take ◄─ scratch of the thread ◄─ rustls ◄─ the writer's bytes
//! ```
//!
//! rustls' unbuffered interface leaves all buffers to the caller. Each of the three that a connection has is empty, and without
//! memory, unless a record came or went in part.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::{fmt, mem};

use antiphon_socket::rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use antiphon_socket::rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, WriteTraffic,
};
use antiphon_socket::rustls::{self, ServerConfig};
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// One read takes at most this much from the system, beside the part of a record that came before.
const READ: usize = 64 * 1024;
/// One write takes at most this much: four whole records.
const WRITE: usize = 64 * 1024;
/// The most that one record holds (RFC 8446 §5.1).
const RECORD: usize = 16 * 1024;
/// The type of the first byte of a TLS handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

thread_local! {
    static INPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static OUTPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static GATHERED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The server's end of a TLS connection. `T` is the TCP connection, in an event loop or between two.
///
/// A write takes bytes when all that was taken before has been written; a flush writes what is left of them. A shutdown says
/// close_notify. An end of the stream without the peer's close_notify is an error, [`io::ErrorKind::UnexpectedEof`].
pub(crate) struct TlsStream<T = TcpStream> {
    tcp: T,
    session: Session,
}

struct Session {
    connection: UnbufferedServerConnection,
    /// The beginning of a record or of a handshake message whose rest has not come.
    partial: Vec<u8>,
    /// Decrypted, and not asked for yet.
    plain: BytesMut,
    /// Encrypted, and not written yet.
    out: BytesMut,
    failure: Option<Box<rustls::Error>>,
    /// The peer has said close_notify.
    is_ended: bool,
    /// This end has.
    is_shut_down: bool,
}

/// Why there is no TLS connection.
#[derive(Debug)]
pub(crate) enum NoTls {
    /// The peer speaks in clear text, probably HTTP. What it has said is still to be read.
    ClearText(TcpStream),
    /// The handshake failed, or the peer has gone.
    Failed(io::Error),
}

impl TlsStream {
    /// Makes the handshake. Nothing limits its time here.
    ///
    /// # Errors
    /// When the peer speaks no TLS, has nothing in common with this server, or goes.
    pub(crate) async fn accept(tcp: TcpStream, config: Arc<ServerConfig>) -> Result<Self, NoTls> {
        let mut first = [0];
        match tcp.peek(&mut first).await {
            Ok(0) => return Err(NoTls::Failed(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) if first[0] != HANDSHAKE && first[0].is_ascii_alphabetic() => {
                return Err(NoTls::ClearText(tcp));
            }
            Ok(_) => {}
            Err(error) => return Err(NoTls::Failed(error)),
        }
        let connection = UnbufferedServerConnection::new(config);
        let connection = connection.map_err(|error| NoTls::Failed(io::Error::other(error)))?;
        let session = Session {
            connection,
            partial: Vec::new(),
            plain: BytesMut::new(),
            out: BytesMut::new(),
            failure: None,
            is_ended: false,
            is_shut_down: false,
        };
        let mut stream = Self { tcp, session };
        poll_fn(|cx| stream.poll_handshake(cx)).await.map_err(NoTls::Failed)?;
        Ok(stream)
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            // What failed is told to the peer before it is told here.
            ready!(self.poll_out(cx))?;
            if let Some(error) = self.session.failure() {
                return Poll::Ready(Err(error));
            }
            if !self.session.connection.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_fill(cx, &mut ReadBuf::new(&mut [])))?;
        }
    }

    /// Reads once from the system. What is decrypted goes to `buf`, and beyond it to `plain`.
    fn poll_fill(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut scratch = INPUT.take();
        let held = self.session.partial.len();
        if scratch.len() < held + READ {
            scratch.resize(held + READ, 0);
        }
        let mut read = ReadBuf::new(&mut scratch[held..held + READ]);
        let outcome = Pin::new(&mut self.tcp).poll_read(cx, &mut read);
        let count = read.filled().len();
        let outcome = match outcome {
            Poll::Ready(Ok(())) if count == 0 => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(Ok(())) => {
                scratch[..held].copy_from_slice(&self.session.partial);
                let used = self.session.process(&mut scratch[..held + count], buf, None);
                self.session.partial = scratch[used..held + count].to_vec();
                Poll::Ready(Ok(()))
            }
            outcome => outcome,
        };
        INPUT.set(scratch);
        outcome
    }

    /// Writes what is encrypted already.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let out = &mut self.session.out;
        while !out.is_empty() {
            match ready!(Pin::new(&mut self.tcp).poll_write(cx, out)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => out.advance(count),
                Err(error) => {
                    *out = BytesMut::new();
                    return Poll::Ready(Err(error));
                }
            }
        }
        // Lets go of the buffer.
        *out = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Encrypts `plain` and writes it, as far as the system takes it now. The rest waits.
    fn poll_seal(&mut self, cx: &mut Context<'_>, plain: &[u8]) -> Poll<io::Result<usize>> {
        if self.session.is_shut_down {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(self.poll_out(cx))?;
        let plain = &plain[..plain.len().min(WRITE)];
        let mut scratch = OUTPUT.take();
        let sealed = self.session.write(&mut scratch, &mut |traffic, space| traffic.encrypt(plain, space));
        let written = sealed.and_then(|sealed| {
            let sealed = &scratch[..sealed];
            // What was queued meanwhile, an answer to a change of keys, comes first.
            let written = match self.session.out.is_empty() {
                true => Pin::new(&mut self.tcp).poll_write(cx, sealed),
                false => Poll::Pending,
            };
            let written = match written {
                Poll::Ready(written) => written?,
                Poll::Pending => 0,
            };
            self.session.out.extend_from_slice(&sealed[written..]);
            Ok(plain.len())
        });
        OUTPUT.set(scratch);
        if !self.session.out.is_empty() {
            // Asks to be told when there is room again, or the writer would not know. What fails fails the next write.
            let _ = self.poll_out(cx);
        }
        Poll::Ready(written)
    }

    /// The memory that its buffers hold, in bytes.
    #[cfg(test)]
    pub(crate) fn buffered(&self) -> usize {
        let Session { partial, plain, out, .. } = &self.session;
        partial.capacity() + plain.capacity() + out.capacity()
    }

    /// The TCP connection.
    pub(crate) fn get_ref(&self) -> &TcpStream {
        &self.tcp
    }

    /// Takes it out of this thread's event loop.
    ///
    /// # Errors
    /// When the operating system does not let go of it.
    pub(crate) fn park(self) -> io::Result<TlsStream<std::net::TcpStream>> {
        Ok(TlsStream { tcp: self.tcp.into_std()?, session: self.session })
    }
}

impl TlsStream<std::net::TcpStream> {
    /// Puts it into this thread's event loop.
    ///
    /// # Errors
    /// When the event loop does not take it.
    pub(crate) fn resume(self) -> io::Result<TlsStream> {
        Ok(TlsStream { tcp: TcpStream::from_std(self.tcp)?, session: self.session })
    }
}

/// Encrypts something into a buffer that may turn out to be too small for it.
type Seal<'a> =
    dyn FnMut(&mut WriteTraffic<'_, ServerConnectionData>, &mut [u8]) -> Result<usize, EncryptError> + 'a;

/// What there is to encrypt, where to, and what it came to.
struct Sealing<'a, 's> {
    seal: &'a mut Seal<'s>,
    into: &'a mut Vec<u8>,
    sealed: Option<Result<usize, EncryptError>>,
}

impl Session {
    /// Lets rustls see `input`, and answers how much of it is used. What fails is noted.
    ///
    /// The unused rest has to stand at the front of the next input, also when that is for writing only: rustls keeps
    /// the places of unfinished handshake messages in it.
    fn process(
        &mut self,
        input: &mut [u8],
        buf: &mut ReadBuf<'_>,
        mut sealing: Option<&mut Sealing<'_, '_>>,
    ) -> usize {
        let mut used = 0;
        if self.failure.is_some() {
            return input.len();
        }
        while self.failure.is_none() {
            let status = self.connection.process_tls_records(&mut input[used..]);
            let mut discard = status.discard;
            let mut is_settled = false;
            match status.state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        discard += record.discard;
                        let fits = if self.plain.is_empty() { buf.remaining() } else { 0 };
                        let (now, later) = record.payload.split_at(fits.min(record.payload.len()));
                        buf.put_slice(now);
                        self.plain.extend_from_slice(later);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    let start = self.out.len();
                    let mut space = Vec::new();
                    if let Ok(count) = roomy(&mut space, |space| data.encode(space)) {
                        self.out.resize(start + count, 0);
                        self.out[start..].copy_from_slice(&space[..count]);
                    }
                }
                // Nothing overtakes `out`.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.is_ended = true,
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    if let Some(Sealing { seal, into, sealed }) = sealing.take() {
                        *sealed = Some(roomy(into, |space| seal(&mut traffic, space)));
                    }
                    is_settled = true;
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => is_settled = true,
                // Early data is not accepted, and other states there are not.
                Ok(state) => self.failure = Some(Box::new(rustls::Error::General(format!("{state:?}")))),
                Err(error) => self.failure = Some(Box::new(error)),
            }
            used += discard;
            if is_settled {
                return used;
            }
        }
        // The alert that tells the peer. After it rustls is asked nothing more.
        if let Ok(ConnectionState::EncodeTlsData(mut data)) =
            self.connection.process_tls_records(&mut input[used..]).state
        {
            let mut space = Vec::new();
            if let Ok(count) = roomy(&mut space, |space| data.encode(space)) {
                self.out.extend_from_slice(&space[..count]);
            }
        }
        input.len()
    }

    /// Encrypts into `into`, and answers how much it came to.
    fn write(&mut self, into: &mut Vec<u8>, seal: &mut Seal<'_>) -> io::Result<usize> {
        let mut sealing = Sealing { seal, into, sealed: None };
        let mut partial = mem::take(&mut self.partial);
        let used = self.process(&mut partial, &mut ReadBuf::new(&mut []), Some(&mut sealing));
        partial.drain(..used);
        self.partial = partial;
        if let Some(error) = self.failure() {
            return Err(error);
        }
        match sealing.sealed {
            Some(sealed) => sealed.map_err(|error| io::Error::other(error.to_string())),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn failure(&self) -> Option<io::Error> {
        let failure = self.failure.as_deref()?;
        Some(io::Error::new(io::ErrorKind::InvalidData, failure.clone()))
    }
}

/// Runs `encode` with so much space as it needs.
fn roomy<E>(space: &mut Vec<u8>, mut encode: impl FnMut(&mut [u8]) -> Result<usize, E>) -> Result<usize, E>
where
    E: TooSmall,
{
    loop {
        match encode(space) {
            Err(error) if error.required().is_some_and(|required| required > space.len()) => {
                let required = error.required().unwrap_or_default();
                space.resize(required, 0);
            }
            outcome => return outcome,
        }
    }
}

/// An error that may be about the size of a buffer.
trait TooSmall {
    /// The size that would do.
    fn required(&self) -> Option<usize>;
}

impl TooSmall for EncodeError {
    fn required(&self) -> Option<usize> {
        match self {
            Self::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            Self::AlreadyEncoded => None,
        }
    }
}

impl TooSmall for EncryptError {
    fn required(&self) -> Option<usize> {
        match self {
            Self::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            Self::EncryptExhausted => None,
        }
    }
}

impl<T> fmt::Debug for TlsStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").finish_non_exhaustive()
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        while buf.filled().len() == before {
            if !this.session.out.is_empty() {
                // Answers of the protocol itself. What fails here fails the next read.
                let _ = this.poll_out(cx);
            }
            let plain = &mut this.session.plain;
            if !plain.is_empty() {
                let count = plain.len().min(buf.remaining());
                buf.put_slice(&plain.split_to(count));
                if plain.is_empty() {
                    *plain = BytesMut::new();
                }
                break;
            }
            if let Some(error) = this.session.failure() {
                return Poll::Ready(Err(error));
            }
            if this.session.is_ended {
                break;
            }
            ready!(this.poll_fill(cx, buf))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_seal(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Small pieces share a record.
        match bufs.iter().find(|piece| !piece.is_empty()) {
            None => return Poll::Ready(Ok(0)),
            Some(first) if first.len() >= RECORD => return this.poll_seal(cx, first),
            Some(_) => {}
        }
        let mut gathered = GATHERED.take();
        gathered.clear();
        for piece in bufs {
            let room = WRITE - gathered.len();
            gathered.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        let written = this.poll_seal(cx, &gathered);
        GATHERED.set(gathered);
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx))?;
        Pin::new(&mut this.tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.session.is_shut_down && this.session.failure.is_none() {
            let mut notice = Vec::new();
            let sealed =
                this.session.write(&mut notice, &mut |traffic, space| traffic.queue_close_notify(space));
            // Without keys there is nobody to be told.
            if let Ok(count) = sealed {
                this.session.out.extend_from_slice(&notice[..count]);
            }
        }
        this.session.is_shut_down = true;
        ready!(this.poll_out(cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}
