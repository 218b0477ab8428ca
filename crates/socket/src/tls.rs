//! TLS for clients: rustls with ring, and whom it trusts.

use std::io;
use std::sync::{Arc, LazyLock, OnceLock};
use std::{error, fmt};

use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::connect::Alpn;

/// Whom a client trusts over TLS. By default: whoever the platform trusts, under the name in the URL.
///
/// The configuration is made once, at the first connection, and shared by all that have the same `TlsOptions`: sessions
/// are resumed. ALPN is `http/1.1`, the protocol of a classic upgrade, and `h2` where a connector is told so.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    roots: Vec<CertificateDer<'static>>,
    only_added_roots: bool,
    accept_any: bool,
    made: OnceLock<Arc<ClientConfig>>,
}

impl TlsOptions {
    /// The platform's roots. All who ask share one value.
    pub fn platform() -> Arc<Self> {
        static PLATFORM: LazyLock<Arc<TlsOptions>> = LazyLock::new(Arc::default);
        Arc::clone(&PLATFORM)
    }

    /// Options that use a configuration of the caller's: client certificates, other versions, other verifiers. Its ALPN protocols
    /// are replaced.
    pub fn from_rustls(mut config: ClientConfig) -> Self {
        config.alpn_protocols = protocols(Alpn::Http1);
        Self { made: OnceLock::from(Arc::new(config)), ..Self::default() }
    }

    /// Trusts the certificates of a PEM text as well, as roots.
    ///
    /// # Errors
    ///
    /// There is no certificate in it, or one that cannot be read.
    pub fn add_root_pem(mut self, pem: &[u8]) -> Result<Self, RootError> {
        let before = self.roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| RootError(error.to_string()))?;
            // A root that cannot be a trust anchor is told to whoever adds it, not to whoever connects.
            RootCertStore::empty().add(certificate.clone()).map_err(|error| RootError(error.to_string()))?;
            self.roots.push(certificate);
        }
        if self.roots.len() == before {
            return Err(RootError("there is no CERTIFICATE section".to_owned()));
        }
        self.made = OnceLock::new();
        Ok(self)
    }

    /// Trusts only the roots that are added, not the platform's.
    pub fn only_added_roots(mut self) -> Self {
        self.only_added_roots = true;
        self.made = OnceLock::new();
        self
    }

    /// **Dangerous**: accepts any certificate of anyone, expired, self-signed or for another name. Whoever is on the way reads
    /// and writes at will. For tests on one's own machine.
    pub fn dangerously_accept_any_certificate(mut self) -> Self {
        self.accept_any = true;
        self.made = OnceLock::new();
        self
    }

    /// The configuration, made off the runtime's threads the first time, as the platform's roots are read from disk.
    async fn config(self: &Arc<Self>) -> Result<Arc<ClientConfig>, String> {
        if let Some(config) = self.made.get() {
            return Ok(Arc::clone(config));
        }
        let options = Arc::clone(self);
        let made = tokio::task::spawn_blocking(move || options.make()).await;
        let config = made.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Ok(Arc::clone(self.made.get_or_init(|| config)))
    }

    fn make(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = if self.accept_any {
            Arc::new(AcceptAny(Arc::clone(&provider)))
        } else if self.only_added_roots {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(self.roots.iter().cloned());
            WebPkiServerVerifier::builder_with_provider(store.into(), Arc::clone(&provider))
                .build()
                .map_err(|error| rustls::Error::General(error.to_string()))?
        } else {
            Arc::new(Verifier::new_with_extra_roots(self.roots.iter().cloned(), Arc::clone(&provider))?)
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = protocols(Alpn::Http1);
        Ok(Arc::new(config))
    }
}

/// The names of protocols (RFC 7301 §6), the most wanted first.
fn protocols(alpn: Alpn) -> Vec<Vec<u8>> {
    let http1 = b"http/1.1".to_vec();
    match alpn {
        Alpn::Http1 => vec![http1],
        #[cfg(feature = "http2")]
        Alpn::Http2 => vec![b"h2".to_vec()],
        #[cfg(feature = "http2")]
        Alpn::Either => vec![b"h2".to_vec(), http1],
    }
}

/// A PEM text that adds no root certificate, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootError(String);

impl fmt::Display for RootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no root certificate can be read from the PEM text: {}", self.0)
    }
}

impl error::Error for RootError {}

/// A TLS handshake that is ready to run: with whom, and whom to trust.
pub(crate) struct Handshake {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Handshake {
    /// # Errors
    ///
    /// There is nobody to trust.
    pub(crate) async fn new(
        options: &Arc<TlsOptions>,
        name: ServerName<'static>,
        alpn: Alpn,
    ) -> Result<Self, String> {
        let mut config = options.config().await?;
        let protocols = protocols(alpn);
        if config.alpn_protocols != protocols {
            // A copy shares the sessions that can be resumed.
            Arc::make_mut(&mut config).alpn_protocols = protocols;
        }
        Ok(Self { connector: config.into(), name })
    }

    /// Sends SNI for names, and fails unless the certificate is trusted and for this name.
    pub(crate) async fn run<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}

/// The way out of an error of TLS, where there is one.
pub(crate) fn hint(error: &io::Error) -> Option<&'static str> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "nobody whom this machine trusts vouches for it; add its root certificate if you do"
        }
        rustls::Error::InvalidMessage(_) => {
            "does the server speak TLS on this port? if not, the scheme is ws"
        }
        _ => return None,
    })
}

/// Checks that the peer holds the key of its certificate, and nothing else.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
