//! Figures as JSON, and the latencies they are made of.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use crate::process::Process;

/// Latencies in nanoseconds up to a minute, to three digits.
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, 60_000_000_000, 3).context("histogram")?))
    }

    pub(crate) fn record(&mut self, taken: Duration) {
        self.0.saturating_record(taken.as_nanos() as u64);
    }

    pub(crate) fn reset(&mut self) {
        self.0.reset();
    }

    fn json(&self) -> Value {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1e3;
        json!({ "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": self.0.max() as f64 / 1e3 })
    }
}

/// A stretch of time with what the server spent in it.
pub(crate) struct Stretch {
    server: Process,
    cpu: Duration,
    start: Instant,
}

impl Stretch {
    pub(crate) fn begin(server: Process) -> Result<Self> {
        Ok(Self { server, cpu: server.cpu()?, start: Instant::now() })
    }

    pub(crate) fn end(self) -> Result<(Duration, Duration)> {
        Ok((self.start.elapsed(), self.server.cpu()?.saturating_sub(self.cpu)))
    }
}

/// What every measurement of traffic reports; `count` messages in `taken` for `cpu`.
pub(crate) fn traffic(
    count: u64,
    (taken, cpu): (Duration, Duration),
    latency: &Latency,
) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("messages".into(), json!(count));
    out.insert("seconds".into(), json!(taken.as_secs_f64()));
    out.insert("messages_per_s".into(), json!(count as f64 / taken.as_secs_f64()));
    out.insert("cpu_s_per_million".into(), json!(cpu.as_secs_f64() * 1e6 / count as f64));
    out.insert("server_busy".into(), json!(cpu.as_secs_f64() / taken.as_secs_f64()));
    out.insert("latency_us".into(), latency.json());
    out
}
