//! What the workers make of the configuration, once for all of them.

use std::sync::Arc;

use antiphon_proto::deflate::DeflateConfig;
use antiphon_proto::handshake::{HeadLimits, OriginPolicy, ServerPolicy};
use antiphon_proto::{Config as SocketConfig, KeepAliveConfig, Limits};

use super::assembly;
use crate::api::Access;
use crate::config::{Config, Origins};

/// The largest message and frame of `/echo`.
const ECHO_SIZE: u64 = 16 * 1024 * 1024;
/// The most fragments of one message on `/echo`.
const ECHO_FRAGMENTS: u32 = 131_072;

/// The configuration in the form in which connections use it.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    /// Where the configuration comes from.
    pub(crate) origins: Origins,
    /// No configuration file: the demo is served.
    pub(crate) development: bool,
    /// Requests must name this machine in their Host, so that no page elsewhere gets at a development server by a name
    /// of its own that resolves to 127.0.0.1 (DNS rebinding).
    pub(crate) loopback_only: bool,
    pub(crate) handshake: ServerPolicy,
    /// Pages of every origin may connect.
    pub(crate) is_any_origin: bool,
    pub(crate) deflate: Option<DeflateConfig>,
    pub(crate) echo: Arc<SocketConfig>,
    pub(crate) raw: Arc<SocketConfig>,
    pub(crate) client: Arc<SocketConfig>,
    /// The headers of clients' requests that are kept for hooks, in lower case.
    pub(crate) forwarded_headers: Box<[Box<str>]>,
    /// Who may call the server API.
    pub(crate) access: Access,
}

impl Settings {
    /// # Errors
    /// When an allowed origin is none.
    pub(crate) fn new(config: Config, origins: Origins, development: bool) -> Result<Self, String> {
        let allowed = &config.client.allowed_origins;
        let is_any_origin = allowed.iter().any(|origin| origin == "*");
        let origin = if is_any_origin {
            OriginPolicy::any()
        } else {
            let listed = OriginPolicy::listed(allowed.iter().map(String::as_str));
            listed.map_err(|e| format!("client.allowed_origins: {e}"))?
        };
        let limits = Limits {
            frame: config.websocket.frame_size_limit as u64,
            message: config.websocket.message_size_limit as u64,
            fragments: config.websocket.fragment_limit,
            outbox: config.client.options.queue_max_size,
        };
        let ping = KeepAliveConfig {
            interval: config.client.options.ping_interval.0,
            timeout: config.client.options.pong_timeout.0,
        };
        let keep_alive = (!ping.interval.is_zero() && !ping.timeout.is_zero()).then_some(ping);
        let raw = SocketConfig { limits, keep_alive, ..SocketConfig::default() };
        // The client protocol has pings of its own.
        let client = SocketConfig { keep_alive: None, ..raw };
        // What is echoed may wait in whole.
        let outbox = (2 * ECHO_SIZE) as usize;
        let limits = Limits { frame: ECHO_SIZE, message: ECHO_SIZE, fragments: ECHO_FRAGMENTS, outbox };
        let echo = SocketConfig { limits, ..raw };
        Ok(Self {
            development,
            loopback_only: development && config.http.addresses().all(|address| address.ip().is_loopback()),
            is_any_origin,
            handshake: ServerPolicy { limits: HeadLimits::default(), origin },
            deflate: config.websocket.compression.then(DeflateConfig::default),
            echo: Arc::new(echo),
            raw: Arc::new(raw),
            client: Arc::new(client),
            forwarded_headers: assembly::forwarded_headers(&config),
            access: Access::new(&config.http_api.key, config.http_api.insecure),
            config,
            origins,
        })
    }
}
