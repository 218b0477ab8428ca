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
}

impl Tls {
    /// Whether there is a certificate to show.
    pub(crate) fn has_files(&self) -> bool {
        !self.cert.as_os_str().is_empty()
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
