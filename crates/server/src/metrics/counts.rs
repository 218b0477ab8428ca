//! What the server counts itself: requests over HTTP.

use std::fmt;

use antiphon_hub::metrics::{Codes, Counter};

use super::page::Page;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    WebSocket,
    HttpStream,
    Sse,
    Poll,
    EventSource,
    Emulation,
    Raw,
    Echo,
    Api,
    Metrics,
    Health,
    Admin,
    Asset,
    /// Nothing stands there.
    None,
    /// The request could not be read.
    Unread,
}

/// In the order of [`Endpoint`].
const ENDPOINTS: [&str; 15] = [
    "websocket",
    "http_stream",
    "sse",
    "poll",
    "event_source",
    "emulation",
    "raw",
    "echo",
    "api",
    "metrics",
    "health",
    "admin",
    "asset",
    "none",
    "unread",
];

/// The statuses that the server gives.
const STATUSES: [u32; 21] =
    [101, 200, 204, 304, 308, 400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 421, 426, 429, 431, 500, 503];

/// How a request to the server API ends. `/api` leaves it in the response's extensions; else the status says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiOutcome {
    /// It was done.
    Done,
    /// It was not: the answer says an error.
    Failed,
    /// It showed no key, or a wrong one.
    Refused,
}

/// In the order of [`ApiOutcome`].
const OUTCOMES: [&str; 3] = ["done", "failed", "refused"];

/// The methods of the server API; the last stands for all that there are not.
const METHODS: [&str; 14] = [
    "publish",
    "broadcast",
    "subscribe",
    "unsubscribe",
    "disconnect",
    "refresh",
    "presence",
    "presence_stats",
    "history",
    "history_remove",
    "channels",
    "info",
    "batch",
    "other",
];

/// Requests over HTTP.
#[derive(Debug)]
pub(crate) struct Counts {
    requests: [Codes; ENDPOINTS.len()],
    api: [[Counter; OUTCOMES.len()]; METHODS.len()],
    /// Connections over HTTP/2.
    pub(crate) http2: Counter,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            requests: std::array::from_fn(|_| Codes::new(STATUSES)),
            api: Default::default(),
            http2: Counter::default(),
        }
    }
}

impl Counts {
    /// Counts a request that was answered.
    pub(crate) fn request(&self, endpoint: Endpoint, status: u16) {
        self.requests[endpoint as usize].count(status.into());
    }

    /// Counts a request to the server API.
    pub(crate) fn api(&self, method: &str, outcome: ApiOutcome) {
        let place = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1);
        self.api[place][outcome as usize].add(1);
    }

    pub(super) fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        // Most pairs never come.
        let requests = ENDPOINTS.iter().zip(&self.requests).flat_map(|(endpoint, codes)| {
            codes.values().filter(|(_, count)| *count > 0).map(|(code, count)| {
                let status = code.map_or_else(|| "other".to_owned(), |code| code.to_string());
                ([("route", (*endpoint).to_owned()), ("status", status)], count)
            })
        });
        let name = "antiphon_multiplexed_connections_total";
        page.counter(name, "Connections on which HTTP/2 was spoken", self.http2.value())?;
        page.counters("antiphon_http_requests_total", "Requests over HTTP that were answered", requests)?;
        let api = METHODS.iter().zip(&self.api).flat_map(|(method, outcomes)| {
            OUTCOMES
                .iter()
                .zip(outcomes)
                .filter(|(_, counter)| counter.value() > 0)
                .map(|(outcome, counter)| ([("method", *method), ("outcome", *outcome)], counter.value()))
        });
        page.counters("antiphon_api_requests_total", "Requests to the server API", api)
    }
}
