//! From the configuration to a node: where the parts of the server are put together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use antiphon_hub::auth::Verifier;
use antiphon_hub::backend::{
    Asker, Backend, ConnectAsk, ConnectGrant, Events, Occurrence, PublishAsk, PublishGrant, RefreshAnswer,
    RpcAsk, SubRefreshAsk, SubscribeAsk, SubscribeGrant,
};
use antiphon_hub::clock::{Clock, SystemClock};
use antiphon_hub::engine::memory::MemoryEngine;
use antiphon_hub::presence::memory::MemoryPresence;
use antiphon_hub::protocol::{ClientError, Disconnect, Refusal};
use antiphon_hub::rules::{RuleBook, Rules};
use antiphon_hub::{Deferred, Hub, Keys, Node, NodeParts, WorkerId};
use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::runtime::Handle;

use crate::backend::{
    BackendSettings, Client, EventSettings, HookStats, HttpBackend, HttpEvents, ProxySettings,
    StatusTransform,
};
use crate::config::Config;
use crate::config::proxy::{Proxy, StatusTransform as StatusSetting};

/// What has to do with the application behind the server.
pub(crate) struct Application {
    client: Client,
    clock: Arc<dyn Clock>,
    pub(crate) backend: Arc<Reloadable>,
    pub(crate) events: Option<HttpEvents>,
}

impl Application {
    /// Calls of the application run on `runtime`.
    ///
    /// # Errors
    /// When a setting is wrong; the sentence names it.
    pub(super) fn new(config: &Config, runtime: Handle) -> Result<Self, String> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let client = Client::new(runtime);
        let backend = HttpBackend::new(&client, &backend_settings(config), Arc::clone(&clock))?;
        let settings = event_settings(config);
        let events =
            settings.map(|settings| HttpEvents::new(&client, &settings, Arc::clone(&clock))).transpose()?;
        Ok(Self { client, clock, backend: Arc::new(Reloadable(ArcSwap::from_pointee(backend))), events })
    }

    /// The node, for so many workers, with the engine that keeps its channels.
    ///
    /// # Errors
    /// When a setting is wrong; the sentence names it.
    pub(super) fn node(
        &self,
        config: &Config,
        workers: WorkerId,
    ) -> Result<(Arc<Node>, Arc<MemoryEngine>), String> {
        let hub = Arc::new(Hub::new(workers));
        let sink = Arc::clone(&hub);
        let engine = Arc::new(MemoryEngine::new(sink, Arc::clone(&self.clock)));
        let (rules, keys) = self.rules(config)?;
        let runtime = self.client.runtime().clone();
        let node = Node::new(NodeParts {
            rules,
            keys,
            engine: Arc::clone(&engine) as Arc<_>,
            presence: Arc::new(MemoryPresence::default()),
            backend: Arc::clone(&self.backend) as Arc<_>,
            events: match &self.events {
                Some(events) => Arc::new(events.clone()),
                None => Arc::new(Nobody),
            },
            hub,
            clock: Arc::clone(&self.clock),
            detach: Box::new(move |future| drop(runtime.spawn(future))),
            version: env!("CARGO_PKG_VERSION"),
        });
        Ok((Arc::new(node), engine))
    }

    /// Asks as it is set now. Questions under way are not disturbed.
    ///
    /// # Errors
    /// When a setting is wrong; the sentence names it.
    pub(super) fn reload(&self, config: &Config) -> Result<(), String> {
        let backend = HttpBackend::new(&self.client, &backend_settings(config), Arc::clone(&self.clock))?;
        self.backend.0.store(Arc::new(backend));
        Ok(())
    }

    /// What clients may do, and who checks tokens.
    ///
    /// # Errors
    /// When a setting is wrong; the sentence names it.
    pub(super) fn rules(&self, config: &Config) -> Result<(Rules, Keys), String> {
        let rules = Rules::new(RuleBook {
            client: config.client_options(),
            naming: config.channel.naming.clone(),
            without_namespace: config.channel.without_namespace.clone(),
            namespaces: config.channel.namespaces.clone(),
            history_meta_ttl: config.channel.history_meta_ttl.0,
            publication_data_format: config.channel.publication_data_format,
            rpc_namespace_boundary: config.rpc.namespace_boundary.clone(),
            rpc_without_namespace: config.rpc.without_namespace.clone(),
            rpc_namespaces: rpc_namespaces(config),
        })?;
        let verifier = |options| {
            let fetch = Arc::new(self.client.clone());
            Ok::<_, String>(Arc::new(Verifier::new(options, fetch, Arc::clone(&self.clock))?))
        };
        let connect = verifier(&config.client.token)?;
        // One cache of keys where the settings are the same.
        let subscribe = match config.client.subscription_token.enabled {
            true => verifier(config.subscription_token())?,
            false => Arc::clone(&connect),
        };
        Ok((rules, Keys { connect, subscribe }))
    }
}

fn rpc_namespaces(config: &Config) -> HashMap<String, antiphon_hub::options::RpcOptions> {
    let namespaces = config.rpc.namespaces.iter();
    namespaces.map(|namespace| (namespace.name.clone(), namespace.options.clone())).collect()
}

/// The names under which the headers of a client's request are kept for hooks, in lower case.
pub(super) fn forwarded_headers(config: &Config) -> Box<[Box<str>]> {
    let own = [
        &config.client.proxy.connect.proxy,
        &config.client.proxy.refresh.proxy,
        &config.channel.proxy.subscribe,
        &config.channel.proxy.publish,
        &config.channel.proxy.sub_refresh,
        &config.rpc.proxy,
    ];
    let all = own.into_iter().chain(config.proxies.iter().map(|named| &named.proxy));
    let mut names: Vec<Box<str>> =
        all.flat_map(|proxy| &proxy.http_headers).map(|name| name.to_ascii_lowercase().into()).collect();
    names.sort();
    names.dedup();
    names.into()
}

fn backend_settings(config: &Config) -> BackendSettings {
    let client = &config.client.proxy;
    let one = |enabled: bool, proxy: &Proxy| enabled.then(|| proxy_settings(proxy));
    // Each kind has its own `default`, and all that have names.
    let named = |own: &Proxy| {
        let named = config.proxies.iter().map(|named| (named.name.clone(), proxy_settings(&named.proxy)));
        let own = (!own.endpoint.is_empty()).then(|| ("default".to_owned(), proxy_settings(own)));
        named.chain(own).collect::<BTreeMap<_, _>>()
    };
    BackendSettings {
        connect: one(client.connect.enabled, &client.connect.proxy),
        refresh: one(client.refresh.enabled, &client.refresh.proxy),
        subscribe: named(&config.channel.proxy.subscribe),
        publish: named(&config.channel.proxy.publish),
        sub_refresh: named(&config.channel.proxy.sub_refresh),
        rpc: named(&config.rpc.proxy),
    }
}

fn proxy_settings(proxy: &Proxy) -> ProxySettings {
    ProxySettings {
        endpoint: proxy.endpoint.clone(),
        timeout: proxy.timeout.0,
        http_headers: proxy.http_headers.clone(),
        emulated_headers: proxy.emulated_headers.clone(),
        static_headers: proxy.http.static_headers.clone(),
        binary_encoding: proxy.binary_encoding,
        include_connection_meta: proxy.include_connection_meta,
        status_to_code_transforms: proxy
            .http
            .status_to_code_transforms
            .iter()
            .map(status_transform)
            .collect(),
    }
}

fn status_transform(setting: &StatusSetting) -> StatusTransform {
    let StatusSetting { status_code, to_error, to_disconnect } = setting;
    let to = match to_disconnect.code {
        0 => Refusal::Error(ClientError {
            code: to_error.code,
            message: to_error.message.clone().into(),
            temporary: to_error.temporary,
        }),
        code => Refusal::Disconnect(Disconnect { code, reason: to_disconnect.reason.clone().into() }),
    };
    StatusTransform { status_code: *status_code, to }
}

fn event_settings(config: &Config) -> Option<EventSettings> {
    let events = &config.events;
    (!events.endpoint.is_empty()).then(|| EventSettings {
        endpoint: events.endpoint.clone(),
        secret: events.secret.clone(),
        kinds: events.kinds.clone(),
        timeout: events.timeout.0,
        batch_size: events.batch_size,
        batch_delay: events.batch_delay.0,
        retry_min: events.retry_min.0,
        retry_max: events.retry_max.0,
        queue_size: events.queue_size,
        ..EventSettings::default()
    })
}

/// The backends as they are set now.
#[derive(Debug)]
pub(crate) struct Reloadable(ArcSwap<HttpBackend>);

impl Reloadable {
    /// How every backend does.
    pub(crate) fn stats(&self) -> Vec<HookStats> {
        self.0.load().stats()
    }
}

impl Backend for Reloadable {
    fn connect(&self, ask: ConnectAsk) -> Deferred<Result<ConnectGrant, Refusal>> {
        self.0.load().connect(ask)
    }

    fn refresh(&self, asker: Asker) -> Deferred<Result<RefreshAnswer, Refusal>> {
        self.0.load().refresh(asker)
    }

    fn subscribe(&self, ask: SubscribeAsk) -> Deferred<Result<SubscribeGrant, Refusal>> {
        self.0.load().subscribe(ask)
    }

    fn publish(&self, ask: PublishAsk) -> Deferred<Result<PublishGrant, Refusal>> {
        self.0.load().publish(ask)
    }

    fn sub_refresh(&self, ask: SubRefreshAsk) -> Deferred<Result<RefreshAnswer, Refusal>> {
        self.0.load().sub_refresh(ask)
    }

    fn rpc(&self, ask: RpcAsk) -> Deferred<Result<Bytes, Refusal>> {
        self.0.load().rpc(ask)
    }
}

/// Where there is nobody to tell.
#[derive(Debug)]
struct Nobody;

impl Events for Nobody {
    fn tell(&self, _: Occurrence<'_>) {}
}
