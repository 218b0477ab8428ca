//! What the hub counts.
//!
//! Everything is an atomic that is added to without order: counting takes no lock and writes no text, and where much happens at
//! once it is added up first and counted in one go. Whoever reads sees each number as it is, not all of one moment.

use std::array;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::protocol::{ClientError, Disconnect, Unsubscribed};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How much there has been.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that grows and shrinks.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Changes it.
    pub fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    /// How much there is.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters by code: one for each that the server gives of itself, and one for all others, which the application may give.
#[derive(Debug)]
pub struct Codes {
    /// In their order.
    known: Box<[(u32, Counter)]>,
    others: Counter,
}

impl Codes {
    /// For these codes.
    pub fn new(codes: impl IntoIterator<Item = u32>) -> Self {
        let mut known: Box<[_]> = codes.into_iter().map(|code| (code, Counter::default())).collect();
        known.sort_unstable_by_key(|(code, _)| *code);
        Self { known, others: Counter::default() }
    }

    /// Counts one.
    pub fn count(&self, code: u32) {
        let place = self.known.binary_search_by_key(&code, |(known, _)| *known);
        place.map_or(&self.others, |place| &self.known[place].1).add(1);
    }

    /// How often there has been each code; those that the server does not know come last, as `None`.
    pub fn values(&self) -> impl Iterator<Item = (Option<u32>, u64)> {
        let known = self.known.iter().map(|(code, counter)| (Some(*code), counter.value()));
        known.chain([(None, self.others.value())])
    }
}

/// The upper bounds of a [`Histogram`], in nanoseconds.
pub const BOUNDS: [u64; 19] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// One bucket for each bound, and one for what is beyond.
const BUCKETS: usize = BOUNDS.len() + 1;

/// How long something took, each time.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; BUCKETS],
    /// Nanoseconds.
    sum: Counter,
}

impl Histogram {
    /// Counts one.
    pub fn observe(&self, nanos: u64) {
        self.buckets[bucket(nanos)].add(1);
        self.sum.add(nanos);
    }

    /// Counts all that was gathered.
    pub(crate) fn add(&self, gathered: &Durations) {
        for (counter, count) in self.buckets.iter().zip(gathered.counts) {
            if count > 0 {
                counter.add(count);
            }
        }
        self.sum.add(gathered.sum);
    }

    /// What there has been.
    pub fn values(&self) -> Durations {
        let counts = array::from_fn(|index| self.buckets[index].value());
        Durations { counts, sum: self.sum.value() }
    }
}

/// What a [`Histogram`] has counted, or what it is to count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    /// How many there were up to each of the [`BOUNDS`] and above the one before; the last were longer than all.
    pub counts: [u64; BUCKETS],
    /// All of them together, in nanoseconds.
    pub sum: u64,
}

impl Durations {
    pub(crate) fn observe(&mut self, nanos: u64) {
        self.counts[bucket(nanos)] += 1;
        self.sum = self.sum.saturating_add(nanos);
    }
}

fn bucket(nanos: u64) -> usize {
    BOUNDS.partition_point(|bound| *bound < nanos)
}

/// The commands, in the order of [`Metrics::commands`]. The last is the answer to a ping of the server's.
pub const COMMANDS: [&str; 13] = [
    "connect",
    "subscribe",
    "unsubscribe",
    "publish",
    "presence",
    "presence_stats",
    "history",
    "ping",
    "send",
    "rpc",
    "refresh",
    "sub_refresh",
    "pong",
];

/// Where `pong` stands in [`COMMANDS`].
pub(crate) const PONG: usize = 12;

/// What the hub counts, for all workers.
#[derive(Debug)]
pub struct Metrics {
    /// Clients that have connected and are there.
    pub clients: Gauge,
    /// Subscriptions that there are.
    pub subscriptions: Gauge,
    /// Commands that were taken, by kind: see [`COMMANDS`].
    pub commands: [Counter; COMMANDS.len()],
    /// How long the hub took over each, from when it began to work on it, by kind: see [`COMMANDS`]. Includes the time that a
    /// hook took.
    pub command_durations: [Histogram; COMMANDS.len()],
    /// Errors in replies.
    pub errors: Codes,
    /// Ends of connections to the client protocol.
    pub disconnects: Codes,
    /// Ends of subscriptions that the server wanted, of connections that go on.
    pub unsubscribes: Codes,
    /// Publications by clients and by the server API.
    pub publications: Counter,
    /// Publications, joins and leaves queued to subscribers.
    pub deliveries: Counter,
    /// Their bytes, before compression.
    pub delivery_bytes: Counter,
    /// How long each publication took from its place in the stream to the sockets of a worker's subscribers, once for each worker
    /// that has any. Of a socket that is full only the try counts.
    pub delivery_lag: Histogram,
    /// Recoveries that gave everything.
    pub recovered: Counter,
    /// Recoveries that could not.
    pub unrecovered: Counter,
    /// Publications given by recoveries.
    pub recovered_publications: Counter,
    /// Sessions that went on on another transport.
    pub resumed: Counter,
    /// Sessions that a client asked for and that were not there, or not its own.
    pub not_resumed: Counter,
    /// Bytes of commands.
    pub bytes_in: Counter,
    /// Bytes of replies; not those of publications to subscribers.
    pub bytes_out: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            clients: Gauge::default(),
            subscriptions: Gauge::default(),
            commands: Default::default(),
            command_durations: Default::default(),
            errors: Codes::new(ClientError::ALL.iter().map(|error| error.code)),
            disconnects: Codes::new(Disconnect::ALL.iter().map(|disconnect| disconnect.code)),
            unsubscribes: Codes::new(
                Unsubscribed::ALL.iter().map(|reason| reason.code).filter(|code| *code >= FIRST_SENT),
            ),
            publications: Counter::default(),
            deliveries: Counter::default(),
            delivery_bytes: Counter::default(),
            delivery_lag: Histogram::default(),
            recovered: Counter::default(),
            unrecovered: Counter::default(),
            recovered_publications: Counter::default(),
            resumed: Counter::default(),
            not_resumed: Counter::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
        }
    }
}

/// Below are the codes of unsubscribes that a client is not told of.
const FIRST_SENT: u32 = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for nanos in [0, 10_000, 10_001, 10_000_000_000, 10_000_000_001, u64::MAX / 2] {
            histogram.observe(nanos);
        }
        let mut counts = [0; BUCKETS];
        counts[0] = 2;
        counts[1] = 1;
        counts[BUCKETS - 2] = 1;
        counts[BUCKETS - 1] = 2;
        assert_eq!(histogram.values().counts, counts);
        assert!(BOUNDS.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn what_is_gathered_counts_as_if_each_had_been_counted() {
        let (one_by_one, at_once) = (Histogram::default(), Histogram::default());
        for round in 0..2 {
            let mut gathered = Durations::default();
            for nanos in (0..50).map(|n| n * n * 1000 * (round + 1)) {
                one_by_one.observe(nanos);
                gathered.observe(nanos);
            }
            at_once.add(&gathered);
            assert_eq!(at_once.values(), one_by_one.values());
        }
    }

    #[test]
    fn a_code_that_is_not_known_counts_among_the_others() {
        let metrics = Metrics::default();
        for code in [2000, 2501, 2501, 2999, 0] {
            metrics.unsubscribes.count(code);
        }
        let values: Vec<_> = metrics.unsubscribes.values().collect();
        assert_eq!(values, [(Some(2000), 1), (Some(2500), 0), (Some(2501), 2), (None, 2)]);
    }
}
