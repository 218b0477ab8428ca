//! How the server has been doing: one point for each second of the last ten minutes.
//!
//! Points are made of what is counted anyway, once a second, by the thread that does nothing else. Nobody who asks for them makes
//! anything be counted.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use antiphon_hub::clock::{Clock as _, SystemClock};
use antiphon_hub::metrics::{BOUNDS, Codes, Counter, Durations};
use serde::Serialize;

use crate::metrics::Usage;
use crate::serve::{Shared, Transport};

/// Points that are kept.
const KEPT: usize = 600;

/// A point is not made of less time than this, in nanoseconds: rates of it would say nothing.
const SHORTEST: u64 = 500_000_000;

const NANOS: f64 = 1e9;

/// The points of the last ten minutes.
#[derive(Default)]
pub(crate) struct Series(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    points: VecDeque<Arc<Point>>,
    /// What had been counted when the last point was made.
    before: Option<Totals>,
}

/// How the server did in one second, and how it stood at its end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Point {
    /// In milliseconds since 1970.
    pub(crate) at: u64,
    pub(crate) connections: BTreeMap<&'static str, i64>,
    pub(crate) clients: i64,
    pub(crate) users: usize,
    pub(crate) sessions: usize,
    pub(crate) subscriptions: i64,
    pub(crate) channels: usize,
    pub(crate) publications_per_s: f64,
    pub(crate) deliveries_per_s: f64,
    pub(crate) commands_per_s: f64,
    pub(crate) bytes_in_per_s: f64,
    pub(crate) bytes_out_per_s: f64,
    /// Nothing where nothing was delivered.
    pub(crate) lag_p50_ms: Option<f64>,
    pub(crate) lag_p99_ms: Option<f64>,
    /// Clients that were cut off because they read too slowly.
    pub(crate) slow_clients: u64,
    /// Replies that said an error.
    pub(crate) errors: u64,
    /// Nothing where the operating system does not say.
    pub(crate) memory_bytes: Option<u64>,
    /// Cores in use.
    pub(crate) cpu: Option<f64>,
    pub(crate) history_bytes: usize,
    pub(crate) history_publications: usize,
}

/// What has been counted since the start of the process.
#[derive(Debug, Clone, Default)]
struct Totals {
    /// By the clock that does not fall, in nanoseconds.
    nanos: u64,
    publications: u64,
    deliveries: u64,
    commands: u64,
    bytes_in: u64,
    bytes_out: u64,
    lag: Durations,
    slow_clients: u64,
    errors: u64,
    /// Seconds of a processor.
    cpu: Option<f64>,
}

impl Series {
    /// Makes a point of what has been counted since the last. To be called once a second.
    pub(crate) fn sample(&self, shared: &Shared) {
        let usage = Usage::read();
        let totals = Totals::of(shared, usage.cpu);
        let point = Point::now(shared, usage.memory);
        self.add(totals, point);
    }

    fn add(&self, totals: Totals, mut point: Point) {
        let mut inner = self.lock();
        if let Some(before) = &inner.before {
            if totals.nanos.saturating_sub(before.nanos) < SHORTEST {
                return;
            }
            totals.since(before, &mut point);
            if inner.points.len() == KEPT {
                inner.points.pop_front();
            }
            inner.points.push_back(Arc::new(point));
        }
        inner.before = Some(totals);
    }

    /// The newest point; none in the first second.
    #[allow(dead_code, reason = "for the report of the development server about itself")]
    pub(crate) fn latest(&self) -> Option<Arc<Point>> {
        self.lock().points.back().cloned()
    }

    /// The points after a time, in milliseconds since 1970, the oldest first.
    pub(crate) fn since(&self, at: u64) -> Vec<Arc<Point>> {
        self.lock().points.iter().filter(|point| point.at > at).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that is done under the lock leaves it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Series").finish_non_exhaustive()
    }
}

impl Point {
    /// How the server stands, without what happened since the last point.
    fn now(shared: &Shared, memory_bytes: Option<u64>) -> Self {
        let (node, held) = (&shared.node, shared.engine.stats());
        let open = Transport::ALL.map(|transport| (transport.name(), shared.gate.open(transport)));
        Self {
            at: SystemClock.unix_ms(),
            connections: open.into(),
            clients: node.metrics().clients.value(),
            users: node.users(),
            sessions: node.directory().len(),
            subscriptions: node.metrics().subscriptions.value(),
            channels: node.hub().channel_count(),
            memory_bytes,
            history_bytes: held.bytes,
            history_publications: held.publications,
            ..Self::default()
        }
    }
}

impl Default for Point {
    fn default() -> Self {
        Self {
            at: 0,
            connections: BTreeMap::new(),
            clients: 0,
            users: 0,
            sessions: 0,
            subscriptions: 0,
            channels: 0,
            publications_per_s: 0.0,
            deliveries_per_s: 0.0,
            commands_per_s: 0.0,
            bytes_in_per_s: 0.0,
            bytes_out_per_s: 0.0,
            lag_p50_ms: None,
            lag_p99_ms: None,
            slow_clients: 0,
            errors: 0,
            memory_bytes: None,
            cpu: None,
            history_bytes: 0,
            history_publications: 0,
        }
    }
}

impl Totals {
    fn of(shared: &Shared, cpu: Option<f64>) -> Self {
        let metrics = shared.node.metrics();
        Self {
            nanos: SystemClock.nanos(),
            publications: metrics.publications.value(),
            deliveries: metrics.deliveries.value(),
            commands: metrics.commands.iter().map(Counter::value).sum(),
            bytes_in: metrics.bytes_in.value(),
            bytes_out: metrics.bytes_out.value() + metrics.delivery_bytes.value(),
            lag: metrics.delivery_lag.values(),
            slow_clients: Transport::ALL.iter().map(|transport| shared.gate.slow(*transport)).sum(),
            errors: sum(&metrics.errors),
            cpu,
        }
    }

    /// Writes into `point` what has happened since `before`.
    fn since(&self, before: &Self, point: &mut Point) {
        let seconds = self.nanos.saturating_sub(before.nanos) as f64 / NANOS;
        let rate = |now: u64, before: u64| round(now.saturating_sub(before) as f64 / seconds);
        point.publications_per_s = rate(self.publications, before.publications);
        point.deliveries_per_s = rate(self.deliveries, before.deliveries);
        point.commands_per_s = rate(self.commands, before.commands);
        point.bytes_in_per_s = rate(self.bytes_in, before.bytes_in);
        point.bytes_out_per_s = rate(self.bytes_out, before.bytes_out);
        let mut lag = self.lag.counts;
        lag.iter_mut().zip(before.lag.counts).for_each(|(now, before)| *now = now.saturating_sub(before));
        point.lag_p50_ms = quantile(&lag, 0.5);
        point.lag_p99_ms = quantile(&lag, 0.99);
        point.slow_clients = self.slow_clients.saturating_sub(before.slow_clients);
        point.errors = self.errors.saturating_sub(before.errors);
        point.cpu = self.cpu.zip(before.cpu).map(|(now, before)| round((now - before).max(0.0) / seconds));
    }
}

fn sum(codes: &Codes) -> u64 {
    codes.values().map(|(_, count)| count).sum()
}

/// The length of time that a share of all was not longer than, in milliseconds. Within a bucket all lengths are taken to be spread
/// evenly; what is beyond the last bound is taken to be as long as that.
fn quantile(counts: &[u64], share: f64) -> Option<f64> {
    let all: u64 = counts.iter().sum();
    let wanted = all as f64 * share;
    let mut below = 0.0;
    for (bucket, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let count = *count as f64;
        if below + count >= wanted {
            let last = BOUNDS[BOUNDS.len() - 1];
            let upper = BOUNDS.get(bucket).copied().unwrap_or(last) as f64;
            let lower = bucket.checked_sub(1).map_or(0.0, |before| BOUNDS[before] as f64);
            return Some(round((lower + (upper - lower) * (wanted - below) / count) / 1e6));
        }
        below += count;
    }
    None
}

/// To three places: what is shown needs no more, and is shorter.
pub(super) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn point(at: u64) -> Point {
        Point { at, ..Point::default() }
    }

    fn totals(seconds: u64) -> Totals {
        Totals { nanos: seconds * SECOND, ..Totals::default() }
    }

    #[test]
    fn a_point_has_what_happened_since_the_one_before() {
        let series = Series::default();
        let mut before = totals(10);
        before.publications = 100;
        before.slow_clients = 1;
        before.cpu = Some(7.0);
        before.lag.counts[0] = 50;
        series.add(before, point(1));
        assert_eq!(series.latest(), None, "nothing is known of the time before");

        let mut after = totals(12);
        after.publications = 107;
        after.slow_clients = 3;
        after.cpu = Some(8.0);
        after.lag.counts[0] = 50;
        after.lag.counts[3] = 4;
        series.add(after, Point { clients: 5, ..point(2) });
        let latest = series.latest().unwrap();
        assert_eq!((latest.at, latest.clients), (2, 5));
        assert_eq!((latest.publications_per_s, latest.slow_clients, latest.cpu), (3.5, 2, Some(0.5)));
        // All in the bucket from 50 to 100 µs, spread evenly.
        assert_eq!((latest.lag_p50_ms, latest.lag_p99_ms), (Some(0.075), Some(0.1)));
    }

    #[test]
    fn a_second_without_deliveries_has_no_lag() {
        let series = Series::default();
        series.add(totals(1), point(1));
        series.add(totals(2), point(2));
        assert_eq!(series.latest().unwrap().lag_p99_ms, None);
    }

    #[test]
    fn so_many_points_are_kept_and_given_from_a_time_on() {
        let series = Series::default();
        for second in 0..=700 {
            series.add(totals(second), point(second * 1000));
        }
        let all = series.since(0);
        assert_eq!((all.len(), all[0].at, all[KEPT - 1].at), (KEPT, 101_000, 700_000));
        assert_eq!(
            series.since(698_000).iter().map(|point| point.at).collect::<Vec<_>>(),
            [699_000, 700_000]
        );
        assert!(series.since(700_000).is_empty());
    }

    #[test]
    fn what_comes_too_soon_counts_for_the_next() {
        let series = Series::default();
        series.add(totals(1), point(1));
        let soon = Totals { nanos: SECOND + 1, publications: 2, ..Totals::default() };
        series.add(soon, point(2));
        assert_eq!(series.latest(), None);
        series.add(Totals { publications: 4, ..totals(2) }, point(3));
        assert_eq!(series.latest().unwrap().publications_per_s, 4.0);
    }

    #[test]
    fn quantiles_lie_where_they_should() {
        let mut counts = [0; BOUNDS.len() + 1];
        assert_eq!(quantile(&counts, 0.5), None);
        counts[0] = 99;
        counts[BOUNDS.len()] = 1;
        assert_eq!(quantile(&counts, 0.99), Some(0.01));
        assert_eq!(quantile(&counts, 0.999), Some(10_000.0), "no longer than the last bound is known");
        counts[0] = 0;
        assert_eq!(quantile(&counts, 0.5), Some(10_000.0));
    }
}
