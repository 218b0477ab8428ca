//! `[client]`: who may connect, and how long a silent or slow client is borne.

use antiphon_hub::auth::TokenOptions;
use antiphon_hub::options::ClientOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::proxy::SwitchedProxy;

/// Who may connect, and how long a silent or slow client is borne.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Client {
    /// Pages on other hosts that may connect: `https://example.com:8443`, or `*` for every page there is.
    /// A page on the same host as the server always may.
    pub(crate) allowed_origins: Vec<String>,
    /// Connections that this node takes in all; 0 is no limit.
    pub(crate) connection_limit: usize,
    /// Connections that one address may open a second; 0 is no limit.
    pub(crate) connection_rate_limit: u32,
    /// What the hub holds every client to.
    #[serde(flatten)]
    pub(crate) options: ClientOptions,
    /// How tokens are checked, of connections and of subscriptions. Without any key, none is valid.
    pub(crate) token: TokenOptions,
    /// How tokens of subscriptions are checked, where that differs.
    pub(crate) subscription_token: SubscriptionToken,
    /// What the backend is asked about connections.
    pub(crate) proxy: ClientProxies,
}

/// How tokens of subscriptions are checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct SubscriptionToken {
    /// Check them by what stands here, and not by [client.token].
    pub(crate) enabled: bool,
    /// How.
    #[serde(flatten)]
    pub(crate) token: TokenOptions,
}

/// What the backend is asked about connections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClientProxies {
    /// Asks the backend who may connect, where a client shows no token.
    pub(crate) connect: SwitchedProxy,
    /// Asks the backend whether an expired connection goes on.
    pub(crate) refresh: SwitchedProxy,
}
