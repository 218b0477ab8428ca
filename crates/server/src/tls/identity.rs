//! A certificate with its key: from files, or made on the spot for development.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use antiphon_socket::rustls::crypto::ring::default_provider;
use antiphon_socket::rustls::pki_types::pem::{self, PemObject};
use antiphon_socket::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use antiphon_socket::rustls::sign::CertifiedKey;
use antiphon_socket::rustls::{Error, InconsistentKeys};
use rcgen::{CertificateParams, KeyPair};

/// Reads the chain of certificates, the server's own first, and the key of that one, both in PEM.
///
/// # Errors
/// When a file cannot be read, has nothing of its kind, or the two do not belong together. The sentence names the setting.
pub(crate) fn load(certificates: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let about = |setting: &str, path: &Path, wanted: &str, error: &pem::Error| {
        let path = path.display();
        match error {
            pem::Error::NoItemsFound => format!("{setting} {path} has no {wanted} in PEM"),
            pem::Error::Io(error) => format!("{setting} {path} cannot be read: {error}"),
            error => format!("{setting} {path} is no PEM file: {error}"),
        }
    };
    let chain = CertificateDer::pem_file_iter(certificates).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| about("tls.cert", certificates, "CERTIFICATE", &error))?;
    if chain.is_empty() {
        return Err(about("tls.cert", certificates, "CERTIFICATE", &pem::Error::NoItemsFound));
    }
    let signing = PrivateKeyDer::from_pem_file(key);
    let signing = signing.map_err(|error| about("tls.key", key, "PRIVATE KEY", &error))?;
    certified(chain, signing).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            format!(
                "tls.key {} is not the key of the first certificate in {}",
                key.display(),
                certificates.display()
            )
        }
        error => format!("tls.cert {} with tls.key {}: {error}", certificates.display(), key.display()),
    })
}

/// A certificate and its key as rustls takes them.
///
/// # Errors
/// When the key is of no kind that is known, or of another certificate.
pub(super) fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, Error> {
    CertifiedKey::from_der(chain, key, &default_provider())
}

/// A certificate that nobody vouches for.
#[derive(Debug)]
pub(crate) struct SelfSigned {
    pub(crate) identity: CertifiedKey,
    /// The SHA-256 of the certificate, as browsers show it.
    pub(crate) fingerprint: String,
}

/// How long a self-signed certificate is valid.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// Clocks of clients may be behind.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Makes a certificate for this machine's own names, with a new key that stays in memory.
///
/// # Errors
/// When there is no randomness for a key.
pub(crate) fn self_signed() -> Result<SelfSigned, String> {
    let failed = |error: rcgen::Error| format!("no certificate can be made: {error}");
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names).map_err(failed)?;
    let now = SystemTime::now();
    (params.not_before, params.not_after) = ((now - DAY).into(), (now + YEAR).into());
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    let hash = ring::digest::digest(&ring::digest::SHA256, certificate.der());
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let identity = certified(vec![certificate.der().clone()], key.into());
    let identity = identity.map_err(|error| format!("no certificate can be made: {error}"))?;
    Ok(SelfSigned { identity, fingerprint: hex(hash.as_ref()) })
}

/// Bytes as pairs of digits, with colons between.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (index, byte) in bytes.iter().enumerate() {
        let colon = if index == 0 { "" } else { ":" };
        // Writing to a string does not fail.
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}
