//! What can go wrong once a socket is open.

use std::{fmt, io};

use antiphon_proto::{End, SendError};

/// What went wrong on an open socket. A closing handshake is not an error.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer or the network: the connection ended without both sides agreeing to it.
    Ended {
        /// What each side said, and the cause.
        end: Box<End>,
        /// What the transport said, if it failed.
        io: Option<io::Error>,
    },
    /// The caller: this cannot be sent.
    Send(SendError),
}

impl Error {
    /// How the connection ended, if it did.
    pub fn end(&self) -> Option<&End> {
        match self {
            Self::Ended { end, .. } => Some(end),
            Self::Send(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended { end, io: None } => end.fmt(f),
            Self::Ended { end, io: Some(io) } => write!(f, "{end}: {io}"),
            Self::Send(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Ended { io, .. } => io.as_ref().map(|io| io as _),
            Self::Send(error) => Some(error),
        }
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

/// For code between `AsyncRead` and `AsyncWrite`.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Ended { io: Some(io), .. } => io.kind(),
            Error::Ended { .. } => io::ErrorKind::ConnectionAborted,
            Error::Send(SendError::Closed) => io::ErrorKind::BrokenPipe,
            Error::Send(_) => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}
