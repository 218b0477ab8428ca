//! The sections that concern what HTTP comes in: TLS, and HTTP/2.

use std::path::PathBuf;

use antiphon_hub::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// HTTPS. With a certificate and its key, every address in http.listen speaks TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    /// File with the certificate and those between it and a root, in PEM, the server's own first. SIGHUP reads it again.
    pub(crate) cert: PathBuf,
    /// File with the key of the certificate, in PEM. SIGHUP reads it again.
    pub(crate) key: PathBuf,
    pub(crate) acme: Acme,
}

impl Tls {
    /// Whether there is a certificate to show.
    pub(crate) fn has_files(&self) -> bool {
        !self.cert.as_os_str().is_empty()
    }
}

/// A certificate that the server gets and renews by itself (ACME, RFC 8555), in place of files. With domains, every address in http.listen speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Acme {
    /// Names that the certificate is for. Port 80 of each must lead to an address in http.listen_plain, where the authority looks (http-01).
    pub(crate) domains: Vec<String>,
    /// Where the authority may write to its subscriber.
    pub(crate) email: String,
    /// URL of the authority's directory. Who sets domains agrees to its terms of service.
    pub(crate) directory: String,
    /// Folder for the key of the account and the certificate, which the server makes for itself alone.
    pub(crate) cache: PathBuf,
    /// File with the roots that the authority's own HTTPS is checked against, in PEM. Without it, as the platform does.
    pub(crate) ca: PathBuf,
}

impl Default for Acme {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            email: String::new(),
            directory: "https://acme-v02.api.letsencrypt.org/directory".into(),
            cache: PathBuf::new(),
            ca: PathBuf::new(),
        }
    }
}

impl Acme {
    /// Whether there is a certificate to get.
    pub(crate) fn is_set(&self) -> bool {
        !self.domains.is_empty()
    }
}

/// HTTP/2, which browsers speak over TLS, and others in clear text as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http2 {
    /// Speak HTTP/1.1 only.
    pub(crate) disabled: bool,
    /// Requests and WebSockets that one connection may have at a time. A browser does not open a WebSocket beyond it, and says nothing.
    pub(crate) max_concurrent_streams: u32,
    /// How often a connection is asked whether it is still there.
    pub(crate) ping_interval: Span,
    /// How long the answer may take; then the connection is closed.
    pub(crate) ping_timeout: Span,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            disabled: false,
            max_concurrent_streams: 1000,
            ping_interval: Span::seconds(30),
            ping_timeout: Span::seconds(20),
        }
    }
}
