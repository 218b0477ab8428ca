//! `[channel]` and `[rpc]`: what clients may do in channels and call, by namespace.

use antiphon_hub::Span;
use antiphon_hub::options::{ChannelOptions, DataFormat, Namespace, Naming, RpcOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::proxy::Proxy;

/// What clients may do in channels, and what channels keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Channel {
    /// How names are read.
    #[serde(flatten)]
    pub(crate) naming: Naming,
    /// How long a channel's epoch and offset are kept after its last use.
    pub(crate) history_meta_ttl: Span,
    /// What the data of publications must be: json, json_object, binary, or empty for anything but nothing.
    pub(crate) publication_data_format: DataFormat,
    /// The channels whose names have no namespace.
    pub(crate) without_namespace: ChannelOptions,
    /// Namespaces: a name, and what else [channel.without_namespace] has.
    pub(crate) namespaces: Vec<Namespace>,
    /// The backends that are asked where a namespace names no other.
    pub(crate) proxy: ChannelProxies,
}

impl Default for Channel {
    fn default() -> Self {
        Self {
            naming: Naming::default(),
            history_meta_ttl: Span::seconds(720 * 3600),
            publication_data_format: DataFormat::default(),
            without_namespace: ChannelOptions::default(),
            namespaces: Vec::new(),
            proxy: ChannelProxies::default(),
        }
    }
}

/// The backends that are asked about channels where a namespace names no other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ChannelProxies {
    /// The backend `default` that is asked who may subscribe.
    pub(crate) subscribe: Proxy,
    /// The backend `default` that is asked who may publish what.
    pub(crate) publish: Proxy,
    /// The backend `default` that is asked whether an expired subscription goes on.
    pub(crate) sub_refresh: Proxy,
}

/// What clients may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rpc {
    /// Ends the namespace in the name of a method.
    pub(crate) namespace_boundary: String,
    /// The methods whose names have no namespace.
    pub(crate) without_namespace: RpcOptions,
    /// Namespaces of methods: a name, and what else [rpc.without_namespace] has.
    pub(crate) namespaces: Vec<RpcNamespace>,
    /// The backend `default` that is called.
    pub(crate) proxy: Proxy,
}

impl Default for Rpc {
    fn default() -> Self {
        Self {
            namespace_boundary: ":".into(),
            without_namespace: RpcOptions::default(),
            namespaces: Vec::new(),
            proxy: Proxy::default(),
        }
    }
}

/// A namespace of methods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct RpcNamespace {
    /// The name, made like those of [[channel.namespaces]].
    pub(crate) name: String,
    /// What holds in it.
    #[serde(flatten)]
    pub(crate) options: RpcOptions,
}
