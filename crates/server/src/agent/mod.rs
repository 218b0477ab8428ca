//! `antiphon agent`: publishes what a machine does, once a second, for the monitoring page and for whoever subscribes.
//!
//! A server in development mode is the agent of its own machine, and tells of itself as well.

mod feed;
mod machine;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::AgentArgs;
use crate::client::{Api, block_on};

pub(crate) use feed::feed;
use machine::{Figures, Machine};

/// The channel of the monitoring page.
pub(crate) const CHANNEL: &str = "monitoring";

/// Processors are not counted more often.
pub(crate) const SHORTEST: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;

/// What an agent publishes.
#[derive(Debug, Serialize)]
struct Report<'a, S> {
    agent: &'a str,
    /// Milliseconds since 1970.
    at: u64,
    /// How long it is until the next one.
    interval_s: f64,
    #[serde(flatten)]
    figures: Figures,
    /// Where the agent is a server: what it says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<S>,
}

/// Makes the reports of one agent.
struct Reporter {
    name: String,
    interval: Duration,
    machine: Machine,
}

impl Reporter {
    /// # Errors
    /// Those of [`Machine::new`].
    fn new(name: String, interval: Duration) -> Result<Self, String> {
        Ok(Self { name, interval, machine: Machine::new()? })
    }

    /// The report of now, as JSON.
    ///
    /// # Errors
    /// When what the server says cannot be written.
    fn report<S: Serialize>(&mut self, server: Option<S>) -> Result<Vec<u8>, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let report = Report {
            agent: &self.name,
            at: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            interval_s: self.interval.as_secs_f64(),
            figures: self.machine.look(),
            server,
        };
        serde_json::to_vec(&report).map_err(|e| e.to_string())
    }

    /// Waits until a report is due. The first is due after one interval, since a rate needs two looks.
    fn ticks(&self) -> tokio::time::Interval {
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        ticks
    }
}

#[derive(Serialize)]
struct Request<'a> {
    channel: &'a str,
    data: &'a serde_json::value::RawValue,
}

/// Publishes reports through a server's API until it has published as many as it is to. While the server is away it goes on trying.
///
/// # Errors
/// When the server does not take the first report.
pub(crate) fn run(args: &AgentArgs) -> Result<(), String> {
    block_on(async {
        let mut api = Api::of(&args.server)?;
        let name = args.name.clone().unwrap_or_else(Machine::name);
        let mut reporter = Reporter::new(name, args.interval.0)?;
        let mut ticks = reporter.ticks();
        let (mut published, mut is_failing) = (0_u64, false);
        loop {
            ticks.tick().await;
            let report = reporter.report(None::<()>)?;
            let data = serde_json::from_slice(&report).map_err(|e| e.to_string())?;
            let body = serde_json::to_vec(&Request { channel: &args.channel, data });
            let outcome =
                api.call::<serde::de::IgnoredAny>("publish", body.map_err(|e| e.to_string())?).await;
            match &outcome {
                Ok(_) if published == 0 => {
                    tracing::info!(channel = args.channel, agent = reporter.name, "reporting")
                }
                Ok(_) if is_failing => tracing::info!("the server is back"),
                Ok(_) => {}
                Err(error) if published == 0 => return Err(error.clone()),
                Err(error) if is_failing => tracing::debug!("not reported: {error}"),
                Err(error) => tracing::warn!("not reported, and tried again at each report: {error}"),
            }
            is_failing = outcome.is_err();
            published += u64::from(outcome.is_ok());
            if args.count == Some(published) {
                return Ok(());
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_what_the_page_reads() {
        let mut reporter = Reporter::new("attic".into(), Duration::from_secs(2)).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&reporter.report(Some([1])).unwrap()).unwrap();
        assert_eq!(report["agent"], "attic");
        assert_eq!(report["interval_s"], 2.0);
        assert_eq!(report["server"], serde_json::json!([1]));
        for number in ["at", "cores", "cpu", "uptime_s"] {
            assert!(report[number].is_number(), "{number} in {report}");
        }
        for share in ["memory", "swap", "disk"] {
            assert!(report[share]["used"].is_u64() && report[share]["total"].is_u64(), "{share} in {report}");
        }
        assert!(report["network"]["received_per_s"].is_number() && report["load"][2].is_number());
        let silent: serde_json::Value =
            serde_json::from_slice(&reporter.report(None::<()>).unwrap()).unwrap();
        assert!(silent.get("server").is_none());
    }
}
