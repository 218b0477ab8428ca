//! Where log lines go: standard error, filtered by level and target.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging. `filter` is a level, or `target=level` pairs with commas between.
///
/// # Errors
/// When the filter does not parse.
pub(crate) fn start(filter: &str) -> Result<(), String> {
    let targets: Targets = filter.parse().map_err(|e| {
        format!(
            "--log {filter:?}: {e}; write a level (error, warn, info, debug, trace) or target=level pairs"
        )
    })?;
    let format =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(targets).with(format).init();
    Ok(())
}
