//! Why a client has no connection, and whose fault that is.

use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, io};

use antiphon_proto::handshake::{ClientError, Rejection, RequestError, UriError};

use super::host::{Host, HostRule};
#[cfg(feature = "http2")]
use super::http2::Http2Fault;
use super::proxy::{ProxyFault, ProxyUrlError};

/// Why there is no connection. The variant says whose fault it is; the message names the thing, the value and the way out.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// Whoever called: nothing was sent, and trying again will not help.
    Caller(CallerFault),
    /// What lies between: the name service, the network, a proxy, this machine. Trying again may help.
    Environment(EnvironmentFault),
    /// The server: it was reached, and what it said is no open WebSocket.
    Peer(PeerFault),
}

impl ConnectError {
    /// The server's answer when it was not a 101, or over HTTP/2 not a 2xx: its status, headers and the beginning of its body. Redirects (3xx) and
    /// demands for credentials (401) come this way. None is followed: whether the next server may see the headers that were
    /// meant for this one is for the caller to say.
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Peer(PeerFault::Handshake(ClientError::Rejected(rejection))) => Some(rejection),
            _ => None,
        }
    }

    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Environment(EnvironmentFault::TimedOut { .. }) => true,
            #[cfg(feature = "http2")]
            Self::Environment(EnvironmentFault::NoStream { .. }) => true,
            Self::Environment(EnvironmentFault::Dial { attempts, .. }) => {
                attempts.iter().any(|attempt| attempt.error.kind() == io::ErrorKind::TimedOut)
            }
            _ => false,
        }
    }
}

/// A fault of whoever called.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallerFault {
    /// The URL is no WebSocket URL.
    Url(UriError),
    /// The URL's host can be no host.
    Host {
        /// The host.
        host: String,
        /// The rule that it breaks.
        rule: HostRule,
    },
    /// A part of the request cannot be sent.
    Request(RequestError),
    /// The URL says `wss`, or the proxy's `https`, and this build has no TLS.
    NoTls,
    /// The URL says `wss`, and the stream that came with it would be used as it is.
    NotSecured,
    /// The request is for another server than the HTTP/2 connection leads to.
    #[cfg(feature = "http2")]
    OtherServer {
        /// The request's.
        asked: String,
        /// The connection's.
        connected: String,
    },
}

/// A fault of what lies between.
#[derive(Debug)]
#[non_exhaustive]
pub enum EnvironmentFault {
    /// The name could not be looked up.
    LookUp {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The name has no address.
    NoAddress {
        /// The name.
        host: String,
    },
    /// No address took the connection.
    Dial {
        /// The host, of the proxy if there is one.
        host: Host,
        /// Its port.
        port: u16,
        /// Every address that was tried, in the order of their failures.
        attempts: Vec<Attempt>,
    },
    /// An environment variable names a proxy that is none.
    ProxyVariable {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        source: ProxyUrlError,
    },
    /// The proxy was reached and did not let the connection through.
    Proxy {
        /// The proxy, without its password.
        proxy: String,
        /// What it did.
        fault: ProxyFault,
    },
    /// TLS cannot be set up: there are no root certificates to trust.
    Tls {
        /// What is missing.
        reason: String,
    },
    /// Time ran out.
    TimedOut {
        /// What was being done.
        stage: Stage,
        /// The time that ran out.
        limit: Duration,
    },
    /// All streams that the server allows on the HTTP/2 connection were in use, until time ran out.
    #[cfg(feature = "http2")]
    NoStream {
        /// How many the server allows at a time (RFC 9113 §5.1.2).
        allowed: usize,
        /// The time that ran out.
        limit: Duration,
    },
}

/// A fault of the server.
#[derive(Debug)]
#[non_exhaustive]
pub enum PeerFault {
    /// It did not prove over TLS who it is, or does not speak TLS.
    Tls {
        /// The host that was asked for.
        host: Host,
        /// What TLS says.
        source: io::Error,
    },
    /// The stream failed in the opening handshake.
    Stream(io::Error),
    /// Its answer is a refusal, or breaks a rule.
    Handshake(ClientError),
    /// HTTP/2 did not come to an answer.
    #[cfg(feature = "http2")]
    Http2(Http2Fault),
}

/// An address that did not take the connection, and why.
#[derive(Debug)]
pub struct Attempt {
    /// The address.
    pub address: SocketAddr,
    /// Why not.
    pub error: io::Error,
}

/// What is done on the way to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The name is looked up.
    LookUp,
    /// The proxy opens its tunnel.
    Proxy,
    /// TLS is set up.
    Tls,
    /// The server says whether it takes WebSockets over HTTP/2.
    #[cfg(feature = "http2")]
    Settings,
    /// The WebSocket is asked for.
    Handshake,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LookUp => "looking up the name",
            Self::Proxy => "waiting for the proxy",
            Self::Tls => "setting up TLS",
            #[cfg(feature = "http2")]
            Self::Settings => "waiting for the server's HTTP/2 settings",
            Self::Handshake => "waiting for the server's answer to the request",
        })
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller(fault) => fault.fmt(f),
            Self::Environment(fault) => fault.fmt(f),
            Self::Peer(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for CallerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Host { host, rule } => write!(f, "the URL's host {host:?} cannot be used: {rule}"),
            Self::Request(error) => error.fmt(f),
            Self::NoTls => f.write_str("wss needs TLS: build antiphon-socket with the feature `tls`"),
            Self::NotSecured => f.write_str(
                "the URL says wss, and the stream would be used as it is: call `open_tls`, or write ws if it is encrypted already",
            ),
            #[cfg(feature = "http2")]
            Self::OtherServer { asked, connected } => write!(
                f,
                "the request is for {asked}, and this HTTP/2 connection leads to {connected}: make one for each server"
            ),
        }
    }
}

impl fmt::Display for EnvironmentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookUp { host, source } => write!(f, "the name {host} cannot be looked up: {source}"),
            Self::NoAddress { host } => write!(f, "the name {host} has no address"),
            Self::Dial { host, port, attempts } => {
                write!(f, "{host}:{port} cannot be reached")?;
                for (index, attempt) in attempts.iter().enumerate() {
                    write!(f, "{} {attempt}", if index == 0 { ":" } else { ";" })?;
                }
                Ok(())
            }
            Self::ProxyVariable { name, source } => {
                write!(f, "the environment variable {name} names no proxy: {source}")
            }
            Self::Proxy { proxy, fault } => write!(f, "the proxy {proxy} {fault}"),
            Self::Tls { reason } => write!(
                f,
                "TLS has no root certificates to trust ({reason}): install the system's (ca-certificates) or add one"
            ),
            Self::TimedOut { stage, limit } => write!(f, "{stage} took longer than {limit:?}"),
            #[cfg(feature = "http2")]
            Self::NoStream { allowed, limit } => write!(
                f,
                "all {allowed} streams that the server allows on this HTTP/2 connection were in use for {limit:?}: close a WebSocket, or make another connection"
            ),
        }
    }
}

impl fmt::Display for PeerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls { host, source } => {
                write!(f, "TLS with {host} failed: {source}")?;
                #[cfg(feature = "tls")]
                if let Some(hint) = crate::tls::hint(source) {
                    write!(f, ": {hint}")?;
                }
                Ok(())
            }
            Self::Stream(source) => write!(f, "the stream failed in the opening handshake: {source}"),
            Self::Handshake(error) => error.fmt(f),
            #[cfg(feature = "http2")]
            Self::Http2(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.error)
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Caller(CallerFault::Url(error)) => Some(error),
            Self::Caller(CallerFault::Request(error)) => Some(error),
            Self::Environment(EnvironmentFault::LookUp { source, .. }) => Some(source),
            Self::Environment(EnvironmentFault::ProxyVariable { source, .. }) => Some(source),
            Self::Peer(PeerFault::Tls { source, .. } | PeerFault::Stream(source)) => Some(source),
            Self::Peer(PeerFault::Handshake(error)) => Some(error),
            #[cfg(feature = "http2")]
            Self::Peer(PeerFault::Http2(Http2Fault::Stream(source))) => Some(source),
            _ => None,
        }
    }
}

impl From<CallerFault> for ConnectError {
    fn from(fault: CallerFault) -> Self {
        Self::Caller(fault)
    }
}

impl From<EnvironmentFault> for ConnectError {
    fn from(fault: EnvironmentFault) -> Self {
        Self::Environment(fault)
    }
}

impl From<PeerFault> for ConnectError {
    fn from(fault: PeerFault) -> Self {
        Self::Peer(fault)
    }
}

impl From<UriError> for ConnectError {
    fn from(error: UriError) -> Self {
        Self::Caller(CallerFault::Url(error))
    }
}

/// So that a request and its connection share one `?`.
impl From<RequestError> for ConnectError {
    fn from(error: RequestError) -> Self {
        Self::Caller(CallerFault::Request(error))
    }
}
