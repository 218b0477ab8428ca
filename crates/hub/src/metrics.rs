//! What the hub counts.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

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

/// Counters by number, for codes and for kinds of commands. Numbers beyond the last count as the last.
#[derive(Debug)]
pub struct Table<const N: usize>([Counter; N]);

impl<const N: usize> Default for Table<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl<const N: usize> Table<N> {
    /// Counts one.
    pub fn count(&self, index: usize) {
        if let Some(counter) = self.0.get(index.min(N.saturating_sub(1))) {
            counter.add(1);
        }
    }

    /// How much there has been of each.
    pub fn values(&self) -> [u64; N] {
        std::array::from_fn(|index| self.0[index].value())
    }
}

/// The commands, in the order of [`Metrics::commands`].
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

/// What the hub counts, for all workers.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Clients that have connected and are there.
    pub clients: Gauge,
    /// Subscriptions that there are.
    pub subscriptions: Gauge,
    /// Commands, by kind: see [`COMMANDS`].
    pub commands: Table<13>,
    /// Errors in replies, by code from 100 on; the last counts all others.
    pub errors: Table<14>,
    /// Disconnects by the server, by code from 3000 on, as `code - 3000`; the last counts all others.
    pub disconnects: Table<512>,
    /// Unsubscribes by the server, by code from 2500 on, as `code - 2500`; the first counts 2000, the last all others.
    pub unsubscribes: Table<4>,
    /// Publications by clients and by the server API.
    pub publications: Counter,
    /// Publications, joins and leaves queued to subscribers.
    pub deliveries: Counter,
    /// Recoveries that gave everything.
    pub recovered: Counter,
    /// Recoveries that could not.
    pub unrecovered: Counter,
    /// Publications given by recoveries.
    pub recovered_publications: Counter,
    /// Bytes of commands.
    pub bytes_in: Counter,
    /// Bytes of replies; not those of publications to subscribers.
    pub bytes_out: Counter,
}
