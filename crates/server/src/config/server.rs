//! The sections that concern the server as a whole: what it listens on, how it ends, what it tells about itself.

use std::net::SocketAddr;
use std::time::Duration;

use antiphon_hub::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the server listens, and with how many threads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http {
    /// Addresses to listen on. Port 0 takes a free one.
    pub(crate) listen: Vec<SocketAddr>,
    /// More addresses to listen on, which speak no TLS even when those in listen do: for a proxy in front, or checks from inside.
    pub(crate) listen_plain: Vec<SocketAddr>,
    /// Worker threads, each with its own event loop; 0 is one for each core.
    pub(crate) workers: u16,
}

impl Http {
    /// Every address that is listened on.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &SocketAddr> {
        self.listen.iter().chain(&self.listen_plain)
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: vec![SocketAddr::from(([127, 0, 0, 1], 8000))], listen_plain: Vec::new(), workers: 0 }
    }
}

/// What holds for WebSockets other than `/echo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebSocket {
    /// Offer permessage-deflate (RFC 7692) to clients that ask for it.
    pub(crate) compression: bool,
    /// The largest message that a client may send, in bytes.
    pub(crate) message_size_limit: usize,
    /// The largest frame that a client may send, in bytes.
    pub(crate) frame_size_limit: usize,
    /// The most fragments that one message may come in.
    pub(crate) fragment_limit: u32,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self {
            compression: false,
            message_size_limit: 64 * 1024,
            frame_size_limit: 64 * 1024,
            fragment_limit: 1024,
        }
    }
}

/// HTTP streaming for clients without WebSocket, at `/connection/http_stream`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpStream {
    /// Serve it.
    pub(crate) enabled: bool,
}

impl Default for HttpStream {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Server-Sent Events for clients without WebSocket, at `/connection/sse`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sse {
    /// Serve it.
    pub(crate) enabled: bool,
}

impl Default for Sse {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Long polling for clients without WebSocket, at `/connection/poll`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Poll {
    /// Serve it.
    pub(crate) enabled: bool,
}

impl Default for Poll {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Channels as plain Server-Sent Events, at `/events`: for `EventSource`, without a client library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EventSource {
    /// Serve it.
    pub(crate) enabled: bool,
}

impl Default for EventSource {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// The echo endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Echo {
    /// Serve /echo, which sends every message back.
    pub(crate) enabled: bool,
}

/// How the server ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Shutdown {
    /// How long connections may take to close after SIGTERM.
    pub(crate) drain_timeout: Span,
    /// How long telling clients to connect anew is spread over; never longer than drain_timeout.
    pub(crate) drain_window: Span,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { drain_timeout: Span::seconds(30), drain_window: Span::seconds(10) }
    }
}

/// The server API over HTTP, `/api`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpApi {
    /// Serve nothing at /api.
    pub(crate) disabled: bool,
    /// The key that requests must show, in X-API-Key or as "Authorization: apikey KEY". Without one none is let in.
    pub(crate) key: String,
    /// Let everybody in, without a key.
    pub(crate) insecure: bool,
}

/// The inspector at `/admin/`, and its API for scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    /// Serve them. Needs a password or a token; in development mode, where there is neither, the server makes a token at its start.
    pub(crate) enabled: bool,
    /// The password that people log in with.
    pub(crate) password: String,
    /// The token that scripts show, as "Authorization: Bearer TOKEN". People may log in with it as well.
    pub(crate) token: String,
    /// How long a login lasts.
    pub(crate) session_ttl: Span,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            enabled: false,
            password: String::new(),
            token: String::new(),
            session_ttl: Span::seconds(12 * 3600),
        }
    }
}

/// Metrics for Prometheus, at `/metrics`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Prometheus {
    /// Serve them.
    pub(crate) enabled: bool,
}

/// Whether the server works, at `/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Health {
    /// Serve it.
    pub(crate) enabled: bool,
}

impl Default for Health {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// What goes to standard error. The flag --log and ANTIPHON_LOG win over the level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// error, warn, info, debug, trace, or target=level pairs with commas between.
    pub(crate) level: String,
    /// text for people, json for machines.
    pub(crate) format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

/// Traces to a collector, over OTLP. Needs a server that was built with the feature `otlp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OpenTelemetry {
    /// Send them.
    pub(crate) enabled: bool,
    /// The collector, as an http or https URL.
    pub(crate) endpoint: String,
}

impl Default for OpenTelemetry {
    fn default() -> Self {
        Self { enabled: false, endpoint: "http://localhost:4318".into() }
    }
}

/// What can happen that the backend may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EventKind {
    /// A client connected.
    Connected,
    /// A client that had connected is gone.
    Disconnected,
    /// A client subscribed.
    Subscribed,
    /// A client is not subscribed any more.
    Unsubscribed,
    /// A channel has its first subscriber.
    Occupied,
    /// A channel has lost its last subscriber.
    Vacated,
    /// A client sent a message (`send`). Without this kind, a client that does so is disconnected.
    Message,
}

impl EventKind {
    /// Those of a client's and a channel's life.
    pub(crate) const LIFE: [Self; 6] = [
        Self::Connected,
        Self::Disconnected,
        Self::Subscribed,
        Self::Unsubscribed,
        Self::Occupied,
        Self::Vacated,
    ];
}

/// Events of clients and channels, told to the backend over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Events {
    /// Where they are told, as an http or https URL. Without one, nowhere.
    pub(crate) endpoint: String,
    /// What requests are signed with.
    pub(crate) secret: String,
    /// Which of them: connected, disconnected, subscribed, unsubscribed, occupied, vacated, and message, what clients `send`.
    pub(crate) kinds: Vec<EventKind>,
    /// The most events in one request.
    pub(crate) batch_size: usize,
    /// How long an event may wait for others to share its request.
    pub(crate) batch_delay: Span,
    /// How long a request may take.
    pub(crate) timeout: Span,
    /// Events that may wait; beyond that the oldest are dropped, and counted.
    pub(crate) queue_size: usize,
    /// How long to wait after a request that failed. Doubles each time.
    pub(crate) retry_min: Span,
    /// The longest such wait.
    pub(crate) retry_max: Span,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            secret: String::new(),
            kinds: EventKind::LIFE.into(),
            batch_size: 100,
            batch_delay: Span(Duration::from_millis(100)),
            timeout: Span::seconds(5),
            queue_size: 10_000,
            retry_min: Span(Duration::from_millis(250)),
            retry_max: Span::seconds(30),
        }
    }
}
