//! The section that concerns TLS.

use std::path::PathBuf;

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
