//! Proxies: which one a connection goes through, and how it asks it for a tunnel.

mod bypass;
mod environment;
mod http;
mod socks5;

use std::str::FromStr;
use std::{fmt, io};

use super::error::EnvironmentFault;
use super::host::{Authority, Credentials, Host, HostRule};
use super::stream::{Io, Rewind};
use super::target::Target;

/// Whether a connection goes through a proxy.
#[derive(Clone, Debug, Default)]
pub enum ProxyChoice {
    /// As the environment says, under the names that curl made common: for `wss` `https_proxy`, `HTTPS_PROXY`; for `ws`
    /// `http_proxy`; for both then `all_proxy`, `ALL_PROXY`; and none for what `no_proxy`, `NO_PROXY` list and for loopback addresses.
    ///
    /// `HTTP_PROXY` in capitals is not read: a CGI server puts a request's `Proxy` header there ("httpoxy").
    #[default]
    Environment,
    /// Never.
    Direct,
    /// Always through this one.
    Fixed(Proxy),
}

impl ProxyChoice {
    /// The proxy on the way to `target`.
    pub(super) fn route(&self, target: &Target) -> Result<Option<Proxy>, EnvironmentFault> {
        match self {
            Self::Environment => environment::route(target, &|name| std::env::var(name).ok()),
            Self::Direct => Ok(None),
            Self::Fixed(proxy) => Ok(Some(proxy.clone())),
        }
    }
}

/// A proxy, from its URL: `http://`, `https://`, `socks5://` or `socks5h://`, with `user:password@` if it wants them. Without a
/// scheme it is an `http` one.
///
/// HTTP proxies are asked for a tunnel with CONNECT, for `ws` as well (RFC 6455 §4.1, item 3). SOCKS5 proxies (RFC 1928) are given
/// the name and look it up themselves, under either scheme: so the name does not leak past the proxy.
///
/// `Display` and `Debug` do not show the password.
///
/// ```
/// use antiphon_socket::connect::Proxy;
///
/// let proxy: Proxy = "http://user:secret@proxy.test:3128".parse()?;
/// assert_eq!(proxy.to_string(), "http://***@proxy.test:3128");
/// # Ok::<(), antiphon_socket::connect::ProxyUrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    protocol: Protocol,
    host: Host,
    port: u16,
    credentials: Option<Credentials>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http,
    Https,
    Socks5,
}

impl Proxy {
    /// The proxy's host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The proxy's port: by default 80, 443 or 1080.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the proxy itself is spoken to over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.protocol == Protocol::Https
    }

    /// Asks for a tunnel to `target` on `stream`, which leads to the proxy.
    pub(super) async fn tunnel<S: Io + 'static>(
        &self,
        mut stream: S,
        target: &Target,
    ) -> Result<Box<dyn Io>, ProxyFault> {
        let credentials = self.credentials.as_ref();
        match self.protocol {
            Protocol::Http | Protocol::Https => {
                let kept = http::connect(&mut stream, target, credentials).await?;
                Ok(Rewind::boxed(kept, stream))
            }
            Protocol::Socks5 => {
                socks5::connect(&mut stream, target, credentials).await?;
                Ok(Box::new(stream))
            }
        }
    }
}

impl FromStr for Proxy {
    type Err = ProxyUrlError;

    fn from_str(text: &str) -> Result<Self, ProxyUrlError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let protocol = match scheme.to_ascii_lowercase().as_str() {
            "http" => Protocol::Http,
            "https" => Protocol::Https,
            "socks5" | "socks5h" => Protocol::Socks5,
            _ => return Err(ProxyUrlError::Scheme(scheme.escape_debug().take(32).collect())),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // The end of a password that should have been encoded is not to be shown as a path.
        if rest.contains(['/', '?', '#']) {
            return Err(ProxyUrlError::Path);
        }
        let Authority { credentials, host, port } = Authority::parse(rest).map_err(ProxyUrlError::Host)?;
        let fits = |part: &str| (1..=255).contains(&part.len());
        if protocol == Protocol::Socks5
            && credentials.as_ref().is_some_and(|known| !fits(known.user()) || !fits(known.password()))
        {
            return Err(ProxyUrlError::SocksCredentials);
        }
        let port = port.unwrap_or(match protocol {
            Protocol::Http => 80,
            Protocol::Https => 443,
            Protocol::Socks5 => 1080,
        });
        Ok(Self { protocol, host, port, credentials })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            Protocol::Http => "http",
            Protocol::Https => "https",
            Protocol::Socks5 => "socks5",
        };
        let user = if self.credentials.is_some() { "***@" } else { "" };
        write!(f, "{scheme}://{user}{}:{}", self.host, self.port)
    }
}

/// Why a text is no proxy. It shows neither user nor password.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyUrlError {
    /// The scheme is none of a proxy's.
    Scheme(String),
    /// There is a path, a query or a fragment.
    Path,
    /// The user, password, host or port cannot be used.
    Host(HostRule),
    /// A user or password that SOCKS5 cannot carry.
    SocksCredentials,
}

impl fmt::Display for ProxyUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(found) => {
                write!(f, "no proxy is spoken to over \"{found}\": write http, https, socks5 or socks5h")
            }
            Self::Path => f.write_str(
                "a proxy is a scheme, a host and a port: leave out the path, and percent-encode '/', '?' and '#' in a password",
            ),
            Self::Host(rule) => rule.fmt(f),
            Self::SocksCredentials => f.write_str("SOCKS5 carries a user and a password of 1 to 255 bytes each"),
        }
    }
}

impl std::error::Error for ProxyUrlError {}

/// What a proxy did instead of opening a tunnel; the `Display` goes on after its name.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyFault {
    /// The stream to it failed.
    Stream(io::Error),
    /// TLS with it failed.
    Tls(io::Error),
    /// It wants credentials, or others: 407, or the SOCKS5 equivalents.
    Credentials {
        /// What it asks for: the `Proxy-Authenticate` of an HTTP proxy.
        wanted: Option<String>,
        /// Whether some were sent.
        sent: bool,
    },
    /// An HTTP proxy answered with this status.
    Status(u16),
    /// A SOCKS5 proxy answered with this code.
    Reply(u8),
    /// It does not speak the protocol that its URL says.
    Protocol(String),
}

impl fmt::Display for ProxyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => write!(f, "broke off: {error}"),
            Self::Tls(error) => write!(f, "cannot be spoken to over TLS: {error}"),
            Self::Credentials { wanted, sent } => {
                f.write_str(if *sent {
                    "refuses the user and password"
                } else {
                    "wants a user and a password"
                })?;
                if let Some(wanted) = wanted {
                    write!(f, " (it asks for {wanted})")?;
                }
                f.write_str(": write them in its URL, as USER:PASSWORD@ before the host")
            }
            Self::Status(status) => write!(f, "answered CONNECT with status {status}, not with a 2xx"),
            Self::Reply(code) => write!(f, "answered with SOCKS5 code {code}: {}", socks5::sentence(*code)),
            Self::Protocol(found) => write!(f, "does not speak its protocol: {found}"),
        }
    }
}

impl From<io::Error> for ProxyFault {
    fn from(error: io::Error) -> Self {
        Self::Stream(error)
    }
}

#[cfg(test)]
mod tests;
