//! The development server as the agent of its own machine.

use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::api::Message;
use antiphon_hub::data::Data;
use serde::Serialize;

use super::machine::Machine;
use super::{CHANNEL, Reporter};
use crate::admin::Point;
use crate::serve::Shared;

const EVERY: Duration = Duration::from_secs(1);

/// What the server says of itself.
#[derive(Debug, Serialize)]
struct Server {
    version: &'static str,
    connections: i64,
    clients: i64,
    channels: usize,
    publications_per_s: f64,
    deliveries_per_s: f64,
    lag_p99_ms: Option<f64>,
    memory_bytes: Option<u64>,
    /// Cores in use.
    cpu: Option<f64>,
}

impl From<&Point> for Server {
    fn from(point: &Point) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            connections: point.connections.values().sum(),
            clients: point.clients,
            channels: point.channels,
            publications_per_s: point.publications_per_s,
            deliveries_per_s: point.deliveries_per_s,
            lag_p99_ms: point.lag_p99_ms,
            memory_bytes: point.memory_bytes,
            cpu: point.cpu,
        }
    }
}

/// Reports what this machine and this server do, as long as that can be told.
pub(crate) async fn feed(shared: Arc<Shared>) {
    if let Err(error) = report(&shared).await {
        tracing::warn!("the monitoring page shows nothing of this machine: {error}");
    }
}

async fn report(shared: &Shared) -> Result<(), String> {
    let mut reporter = Reporter::new(Machine::name(), EVERY)?;
    let mut ticks = reporter.ticks();
    loop {
        ticks.tick().await;
        let server = shared.series.latest().map(|point| Server::from(&*point));
        let report = Message::new(Data::Json(reporter.report(server)?.into()));
        if let Err(error) = shared.node.api().publish(CHANNEL, &report).await {
            tracing::debug!(%error, "the machine was not reported");
        }
    }
}
