//! What a URL says about the way to its server.

use antiphon_proto::handshake::WsUri;

use super::error::CallerFault;
use super::host::Host;

/// The right to send bytes that anyone on the way can read. Only a `ws` URL grants it.
///
/// No plain [`ClientStream`](super::ClientStream) can be made without one, and only this file makes one: so no path through this crate
/// sends a plain byte for `wss`.
#[derive(Debug)]
pub(super) struct Cleartext(());

/// How the bytes travel.
#[derive(Debug)]
pub(super) enum Scheme {
    Ws(Cleartext),
    Wss,
}

/// Where to go, and whether in the clear.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) scheme: Scheme,
    pub(super) host: Host,
    pub(super) port: u16,
}

impl Target {
    pub(super) fn of(uri: &WsUri) -> Result<Self, CallerFault> {
        let host = Host::parse(uri.host())
            .map_err(|rule| CallerFault::Host { host: uri.host().to_owned(), rule })?;
        let scheme = if uri.is_tls() { Scheme::Wss } else { Scheme::Ws(Cleartext(())) };
        Ok(Self { scheme, host, port: uri.port() })
    }

    pub(super) fn is_secure(&self) -> bool {
        matches!(self.scheme, Scheme::Wss)
    }
}
