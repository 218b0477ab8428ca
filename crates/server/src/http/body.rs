//! The body of a response.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead as _, DuplexStream, ReadBuf};

/// So much goes into one piece of a body at most, in bytes.
const PIECE: usize = 4096;

/// The body of a response: all of it at once, or what comes through a pipe.
#[derive(Debug)]
pub(super) enum Body {
    Full(Full<Bytes>),
    /// Ends when the other end is shut down, which in turn finds the end when the client has gone.
    Piped(DuplexStream),
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let pipe = match self.get_mut() {
            Self::Full(body) => {
                return Pin::new(body).poll_frame(cx).map_err(|never| match never {});
            }
            Self::Piped(pipe) => pipe,
        };
        let mut piece = [0; PIECE];
        let mut read = ReadBuf::new(&mut piece);
        Poll::Ready(match ready!(Pin::new(pipe).poll_read(cx, &mut read)) {
            Ok(()) if read.filled().is_empty() => None,
            Ok(()) => Some(Ok(Frame::data(Bytes::copy_from_slice(read.filled())))),
            Err(error) => Some(Err(error)),
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(body) if body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(body) => body.size_hint(),
            Self::Piped(_) => SizeHint::default(),
        }
    }
}
