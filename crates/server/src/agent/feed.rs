//! The development server as the agent of its own machine.

use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::api::Message;
use antiphon_hub::data::Data;

use super::machine::Machine;
use super::{CHANNEL, Reporter};
use crate::serve::Shared;

const EVERY: Duration = Duration::from_secs(1);

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
        let report = Message::new(Data::Json(reporter.report(None::<()>)?.into()));
        if let Err(error) = shared.node.api().publish(CHANNEL, &report).await {
            tracing::debug!(%error, "the machine was not reported");
        }
    }
}
