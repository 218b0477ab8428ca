//! HTTPS: what the server shows of itself, and the stream that carries it.

pub(crate) mod acme;
mod identity;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use antiphon_socket::rustls::ServerConfig;
use antiphon_socket::rustls::crypto::ring;
use antiphon_socket::rustls::crypto::ring::Ticketer;
use antiphon_socket::rustls::server::{ClientHello, ResolvesServerCert};
use antiphon_socket::rustls::sign::CertifiedKey;
use arc_swap::ArcSwap;

pub(crate) use identity::{load, self_signed};
pub(crate) use stream::{NoTls, TlsStream};

/// How the server speaks TLS, on every listener that does. Its clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    server: Arc<ServerConfig>,
    shown: Arc<Shown>,
    proofs: Arc<ArcSwap<Proofs>>,
}

/// What an authority that asks for a token is told (RFC 8555 §8.3), by token.
pub(crate) type Proofs = BTreeMap<String, String>;

/// The certificate that is shown now.
#[derive(Debug)]
struct Shown(ArcSwap<CertifiedKey>);

impl Tls {
    /// With this certificate until there is another, and these protocols by ALPN, the most wanted first. TLS 1.2 and 1.3; sessions are resumed on every worker, by tickets.
    ///
    /// # Errors
    /// When there is no randomness for the keys of tickets.
    pub(crate) fn new(identity: CertifiedKey, protocols: &[&str]) -> Result<Self, String> {
        let shown = Arc::new(Shown(ArcSwap::from_pointee(identity)));
        let provider = Arc::new(ring::default_provider());
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS: {error}"))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<_>);
        server.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        server.ticketer = Ticketer::new().map_err(|error| format!("TLS: {error}"))?;
        Ok(Self { server: Arc::new(server), shown, proofs: Arc::default() })
    }

    /// Shows another certificate to those who connect from now on.
    pub(crate) fn show(&self, identity: CertifiedKey) {
        self.shown.0.store(Arc::new(identity));
    }

    /// Answers authorities with these from now on, and with no others.
    #[cfg(feature = "acme")]
    fn prove(&self, proofs: Proofs) {
        self.proofs.store(Arc::new(proofs));
    }

    /// What the authority is told that asks for this token.
    pub(crate) fn proof(&self, token: &str) -> Option<String> {
        self.proofs.load().get(token).cloned()
    }

    /// What a handshake needs.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}
