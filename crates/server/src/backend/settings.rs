//! What is set for the questions to the application.

use std::collections::BTreeMap;
use std::time::Duration;

use antiphon_hub::protocol::Refusal;

/// The backends, by what they are asked. A missing one is never asked: what would need it is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BackendSettings {
    /// May somebody connect?
    pub(crate) connect: Option<ProxySettings>,
    /// Does a connection go on?
    pub(crate) refresh: Option<ProxySettings>,
    /// May somebody subscribe? By the backend's name, of which `default` is one; so are the next three.
    pub(crate) subscribe: BTreeMap<String, ProxySettings>,
    /// May somebody publish?
    pub(crate) publish: BTreeMap<String, ProxySettings>,
    /// Does a subscription go on?
    pub(crate) sub_refresh: BTreeMap<String, ProxySettings>,
    /// What does a call come to?
    pub(crate) rpc: BTreeMap<String, ProxySettings>,
}

/// One backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxySettings {
    /// Where questions are posted: an `http` or `https` URL.
    pub(crate) endpoint: String,
    /// For everything from looking up the name to the last byte of the answer.
    pub(crate) timeout: Duration,
    /// Headers of the client's request that are passed on.
    pub(crate) http_headers: Vec<String>,
    /// Headers that the client wrote into `connect` and that are passed on, where the request itself has none of that name.
    pub(crate) emulated_headers: Vec<String>,
    /// Headers that every question has, where the client gives none of that name.
    pub(crate) static_headers: BTreeMap<String, String>,
    /// Send data in base64, as `b64data`, for applications whose data is not JSON.
    pub(crate) binary_encoding: bool,
    /// Send what is kept with the connection, as `meta`.
    pub(crate) include_connection_meta: bool,
    /// What statuses other than 200 mean. One that is not listed means that the backend is broken.
    pub(crate) status_to_code_transforms: Vec<StatusTransform>,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            timeout: Duration::from_secs(1),
            http_headers: Vec::new(),
            emulated_headers: Vec::new(),
            static_headers: BTreeMap::new(),
            binary_encoding: false,
            include_connection_meta: false,
            status_to_code_transforms: Vec::new(),
        }
    }
}

/// What a status means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusTransform {
    /// The status, other than 200.
    pub(crate) status_code: u16,
    /// What the client is told.
    pub(crate) to: Refusal,
}
