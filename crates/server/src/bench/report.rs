//! What a measurement came to, for people and for machines.

use std::time::Duration;

use serde::Serialize;

use super::histogram::Histogram;
use crate::cli::BenchEchoArgs;

/// The quantiles of a report: name, and how many of a million.
const QUANTILES: [(&str, u64); 4] =
    [("p50", 500_000), ("p90", 900_000), ("p99", 990_000), ("p99.9", 999_000)];

/// What a measurement of an echo came to.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    url: &'a str,
    connections: u32,
    size: u32,
    depth: u32,
    seconds: f64,
    messages: u64,
    messages_per_second: f64,
    /// Microseconds from the sending of a message to its return.
    latency_us: Latency,
}

#[derive(Debug, Serialize)]
struct Latency {
    min: f64,
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    #[serde(rename = "p99.9")]
    p99_9: f64,
    max: f64,
}

fn microseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e7).round() / 10.0
}

impl<'a> Report<'a> {
    pub(super) fn new(args: &'a BenchEchoArgs, seconds: f64, latencies: &Histogram) -> Self {
        let [p50, p90, p99, p99_9] =
            QUANTILES.map(|(_, quantile)| microseconds(latencies.quantile(quantile)));
        let (min, mean, max) = (latencies.min(), latencies.mean(), latencies.max());
        let [min, mean, max] = [min, mean, max].map(microseconds);
        Self {
            url: &args.url,
            connections: args.connections,
            size: args.size,
            depth: args.depth,
            seconds: (seconds * 1000.0).round() / 1000.0,
            messages: latencies.count(),
            messages_per_second: (latencies.count() as f64 / seconds).round(),
            latency_us: Latency { min, mean, p50, p90, p99, p99_9, max },
        }
    }

    /// One object on one line.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// A few lines for people.
    pub(super) fn text(&self) -> String {
        let Self { url, connections, size, depth, seconds, messages, messages_per_second, latency_us } = self;
        let megabytes = messages_per_second * f64::from(*size) / 1e6;
        let Latency { min, mean, p50, p90, p99, p99_9, max } = latency_us;
        format!(
            "{url}: {connections} connections, {size} bytes, {depth} at a time, {seconds:.1} s\n\
             messages    {messages} ({messages_per_second:.0} a second, {megabytes:.1} MB/s each way)\n\
             round trip  min {min} µs, mean {mean}, p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p99_9}, max {max}\n"
        )
    }
}

/// What is known so far, as a line that is written over again and again.
pub(super) fn progress(seconds: f64, since_last: f64, messages: u64, latencies: &Histogram) -> String {
    let [p50, _, p99, _] = QUANTILES.map(|(_, quantile)| microseconds(latencies.quantile(quantile)));
    let rate = messages as f64 / since_last;
    format!("\r{seconds:5.1} s  {rate:9.0} messages/s  p50 {p50} µs  p99 {p99} µs\x1b[K")
}
