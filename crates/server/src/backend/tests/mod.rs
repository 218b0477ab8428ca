//! Tests against a real HTTP server on this machine.

pub(super) mod app;
mod client;
mod proxy;
mod tls;

use std::sync::Arc;

use antiphon_hub::backend::Asker;
use antiphon_hub::protocol::Encoding;

/// A client that connected over WebSocket and writes JSON.
pub(super) fn asker() -> Asker {
    Asker {
        client: "c1".into(),
        user: "ann".into(),
        transport: "websocket",
        encoding: Encoding::Json,
        meta: r#"{"plan":"free"}"#.into(),
        headers: Arc::new([]),
        emulated_headers: Arc::default(),
    }
}
