//! What the server is told to do: sections of settings, their defaults, and where they come from.
//!
//! Each key stands once, as a field with its sentence. What keys there are (`schema`), and the file that
//! `antiphon config default` prints (`print`), follow from that.

pub(crate) mod channel;
pub(crate) mod client;
mod contradictions;
mod fault;
mod layers;
mod print;
pub(crate) mod proxy;
mod schema;
mod secret;
pub(crate) mod server;
mod shown;
pub(crate) mod tls;

use antiphon_hub::Span;
use antiphon_hub::auth::TokenOptions;
use antiphon_hub::options::{ChannelOptions, ClientOptions, DeltaType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use channel::{Channel, Rpc};
use client::Client;
use proxy::{NamedProxy, Proxy};
use server::{
    Admin, Echo, EventSource, Events, Health, Http, HttpApi, HttpStream, Log, OpenTelemetry, Poll,
    Prometheus, Shutdown, Sse, WebSocket,
};
use tls::{Http2, Tls};

pub(crate) use layers::{Layers, check};
pub(crate) use print::default_toml;
pub(crate) use schema::json_schema;
pub(crate) use shown::{Origins, Setting, shown};

/// Every setting of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) http: Http,
    pub(crate) tls: Tls,
    pub(crate) http2: Http2,
    pub(crate) websocket: WebSocket,
    pub(crate) http_stream: HttpStream,
    pub(crate) sse: Sse,
    pub(crate) poll: Poll,
    pub(crate) event_source: EventSource,
    pub(crate) echo: Echo,
    pub(crate) client: Client,
    pub(crate) channel: Channel,
    pub(crate) rpc: Rpc,
    /// Backends that namespaces refer to: a name, and what else [channel.proxy.subscribe] has.
    pub(crate) proxies: Vec<NamedProxy>,
    pub(crate) events: Events,
    pub(crate) http_api: HttpApi,
    pub(crate) admin: Admin,
    pub(crate) prometheus: Prometheus,
    pub(crate) health: Health,
    pub(crate) log: Log,
    pub(crate) opentelemetry: OpenTelemetry,
    pub(crate) shutdown: Shutdown,
}

impl Config {
    /// The settings of development mode: everybody on this machine may do everything, in every channel.
    pub(crate) fn development() -> Self {
        let everything = ChannelOptions {
            presence: true,
            join_leave: true,
            history_size: 1000,
            history_ttl: Span::seconds(3600),
            allow_positioning: true,
            force_recovery: true,
            allow_recovery: true,
            allowed_delta_types: vec![DeltaType::Fossil],
            delta_publish: true,
            allow_tags_filter: true,
            allow_subscribe_for_client: true,
            allow_subscribe_for_anonymous: true,
            allow_publish_for_client: true,
            allow_publish_for_anonymous: true,
            allow_presence_for_client: true,
            allow_presence_for_anonymous: true,
            allow_history_for_client: true,
            allow_history_for_anonymous: true,
            ..ChannelOptions::default()
        };
        let mut config = Self::default();
        config.echo.enabled = true;
        config.client.options.allow_anonymous_connect_without_token = true;
        config.channel.without_namespace = everything;
        // Without these, `chat:lobby` would be in a namespace that there is not, and `$lobby` would need a token.
        config.channel.naming.namespace_boundary.clear();
        config.channel.naming.private_prefix.clear();
        config.http_api.insecure = true;
        config.admin.enabled = true;
        config.prometheus.enabled = true;
        config
    }

    /// Whether clients may listen on something that they cannot send on.
    pub(crate) fn emulates(&self) -> bool {
        self.http_stream.enabled || self.sse.enabled || self.poll.enabled
    }

    /// The backend of that name; `own` where the name is empty or `default`.
    pub(crate) fn proxy<'a>(&'a self, own: &'a Proxy, name: &str) -> Option<&'a Proxy> {
        match name {
            "" | "default" => Some(own),
            _ => self.proxies.iter().find(|named| named.name == name).map(|named| &named.proxy),
        }
    }
}

/// The settings as the hub takes them.
impl Config {
    /// What holds for every client.
    pub(crate) fn client_options(&self) -> ClientOptions {
        ClientOptions {
            connect_proxy_enabled: self.client.proxy.connect.enabled,
            refresh_proxy_enabled: self.client.proxy.refresh.enabled,
            ..self.client.options.clone()
        }
    }

    /// How the tokens of subscriptions are checked.
    pub(crate) fn subscription_token(&self) -> &TokenOptions {
        let own = &self.client.subscription_token;
        if own.enabled { &own.token } else { &self.client.token }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn development_mode_is_without_contradictions() {
        let layers = Layers::default();
        assert_eq!(layers.resolve().unwrap(), Config::development());
    }

    #[test]
    fn the_hub_is_given_what_holds_in_the_end() {
        let mut config = Config::default();
        config.client.proxy.refresh.enabled = true;
        config.client.options.channel_limit = 3;
        let options = config.client_options();
        assert_eq!((options.connect_proxy_enabled, options.refresh_proxy_enabled), (false, true));
        assert_eq!(options.channel_limit, 3);

        config.client.subscription_token.token.issuer = "a".into();
        assert_eq!(config.subscription_token().issuer, "");
        config.client.subscription_token.enabled = true;
        assert_eq!(config.subscription_token().issuer, "a");
    }

    #[test]
    fn a_backend_is_found_by_its_name() {
        let mut config = Config::default();
        let there = Proxy { endpoint: "http://there".into(), ..Proxy::default() };
        config.proxies = vec![NamedProxy { name: "there".into(), proxy: there }];
        let own = &config.rpc.proxy;
        for (name, endpoint) in
            [("", Some("")), ("default", Some("")), ("there", Some("http://there")), ("a", None)]
        {
            assert_eq!(config.proxy(own, name).map(|proxy| &*proxy.endpoint), endpoint, "{name}");
        }
    }
}
