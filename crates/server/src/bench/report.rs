//! What a measurement came to, for people and for machines.

use std::fmt;
use std::io::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

use super::histogram::Histogram;

/// The quantiles of a report, as how many of a million: the median, 90 %, 99 % and 99.9 %.
const QUANTILES: [u64; 4] = [500_000, 900_000, 990_000, 999_000];

/// Latencies in microseconds.
#[derive(Debug, Serialize)]
pub(super) struct Latency {
    min: f64,
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    #[serde(rename = "p99.9")]
    p99_9: f64,
    max: f64,
}

impl Latency {
    pub(super) fn new(latencies: &Histogram) -> Self {
        let [p50, p90, p99, p99_9] = QUANTILES.map(|quantile| microseconds(latencies.quantile(quantile)));
        let (min, mean, max) = (latencies.min(), latencies.mean(), latencies.max());
        let [min, mean, max] = [min, mean, max].map(microseconds);
        Self { min, mean, p50, p90, p99, p99_9, max }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, mean, p50, p90, p99, p99_9, max } = self;
        write!(f, "min {min} µs, mean {mean}, p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p99_9}, max {max}")
    }
}

fn microseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e7).round() / 10.0
}

/// Seconds, to the millisecond.
pub(super) fn seconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// So many a second.
pub(super) fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { (count as f64 / seconds).round() } else { 0.0 }
}

/// What is known of latencies so far, for the live line.
pub(super) fn so_far(latencies: &Histogram) -> String {
    let Latency { p50, p99, .. } = Latency::new(latencies);
    format!("p50 {p50} µs  p99 {p99} µs")
}

/// Prints a report: one object on one line for machines, a few lines for people.
///
/// # Errors
/// When standard output fails.
pub(super) fn print(report: &(impl Serialize + fmt::Display), json: bool) -> Result<(), String> {
    let text =
        if json { serde_json::to_string(report).map_err(|e| e.to_string())? } else { report.to_string() };
    match writeln!(io::stdout(), "{text}") {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {e}")),
        _ => Ok(()),
    }
}
