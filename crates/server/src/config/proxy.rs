//! How the backend is asked.

use std::collections::BTreeMap;

use antiphon_hub::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The backend that is asked, over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Proxy {
    /// Where it is, as an http or https URL.
    pub(crate) endpoint: String,
    /// How long an answer may take.
    pub(crate) timeout: Span,
    /// Headers of the client's request that it is given, by name.
    pub(crate) http_headers: Vec<String>,
    /// Headers that the client names itself, in `connect`, and that it is given. It must not trust them.
    pub(crate) emulated_headers: Vec<String>,
    /// Give it data in base64, whatever the client sent.
    pub(crate) binary_encoding: bool,
    /// Give it what the server keeps about the connection (`meta`).
    pub(crate) include_connection_meta: bool,
    /// What only HTTP has.
    pub(crate) http: ProxyHttp,
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            timeout: Span::seconds(1),
            http_headers: Vec::new(),
            emulated_headers: Vec::new(),
            binary_encoding: false,
            include_connection_meta: false,
            http: ProxyHttp::default(),
        }
    }
}

/// What only HTTP has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProxyHttp {
    /// Headers that every request has, as `name = "value"`. Those of the client win.
    pub(crate) static_headers: BTreeMap<String, String>,
    /// What a status other than 200 means to the client; an internal error where nothing is said.
    pub(crate) status_to_code_transforms: Vec<StatusTransform>,
}

/// What one status means to the client: an error or its disconnection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StatusTransform {
    /// The status.
    pub(crate) status_code: u16,
    /// The error that the client is given.
    pub(crate) to_error: ToError,
    /// How the client is disconnected.
    pub(crate) to_disconnect: ToDisconnect,
}

/// An error for the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ToError {
    /// The code of the error; 0 for none.
    pub(crate) code: u32,
    /// For the client's developer, in ASCII.
    pub(crate) message: String,
    /// The client may try again.
    pub(crate) temporary: bool,
}

/// The end of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ToDisconnect {
    /// The code of the disconnection; 0 for none.
    pub(crate) code: u32,
    /// Why, for the client's developer, in ASCII.
    pub(crate) reason: String,
}

/// A backend that is asked only where it is enabled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct SwitchedProxy {
    /// Ask it.
    pub(crate) enabled: bool,
    /// How it is asked.
    #[serde(flatten)]
    pub(crate) proxy: Proxy,
}

/// A backend that namespaces refer to by its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct NamedProxy {
    /// The name: letters, digits, `-`, `_` and `.`, at least two of them; not `default`.
    pub(crate) name: String,
    /// How it is asked.
    #[serde(flatten)]
    pub(crate) proxy: Proxy,
}
