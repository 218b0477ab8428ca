//! What passes on a connection, written down for somebody who looks on.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::text::cut;

/// So many connections may be traced at once.
pub const TRACES: usize = 16;

/// So many traces are kept, with those that have ended.
const KEPT: usize = 2 * TRACES;

/// A trace ends by itself after so many milliseconds.
const LASTS: u64 = 10 * 60 * 1000;

/// And can be read for so many more.
const READABLE: u64 = 60 * 1000;

/// So many entries are kept of a trace,
const ENTRIES: usize = 1000;

/// so many bytes of each,
const TEXT_BYTES: usize = 4 * 1024;

/// and so many of all.
const BYTES: usize = 1024 * 1024;

/// Which way something passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    In,
    /// To the client.
    Out,
    /// Something happened to the connection.
    Event,
}

impl Direction {
    /// As the inspector has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Event => "event",
        }
    }
}

/// What passed at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEntry {
    /// Its number, from 1.
    pub n: u64,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// Which way.
    pub direction: Direction,
    /// What it was, without secrets; the beginning, where it is long.
    pub text: Arc<str>,
    /// How many bytes it had.
    pub size: usize,
}

/// Entries of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracePage {
    /// More may come.
    pub is_on: bool,
    /// It ends by itself then, in milliseconds since 1970.
    pub until: Option<u64>,
    /// The number to ask for what follows by.
    pub next: u64,
    /// So many that were asked for are not kept any more.
    pub lost: u64,
    /// In their order.
    pub entries: Vec<TraceEntry>,
}

/// Why a connection is not traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTraced {
    /// There is no such connection.
    NotThere,
    /// As many are traced as may be.
    TooMany,
}

impl fmt::Display for NotTraced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere => f.write_str("there is no such connection"),
            Self::TooMany => write!(
                f,
                "{TRACES} connections are traced, and there may be no more at once; end a trace first"
            ),
        }
    }
}

impl std::error::Error for NotTraced {}

/// What passes on one connection: the last of it, within bounds.
#[derive(Debug)]
pub(crate) struct Trace(Mutex<Ring>);

#[derive(Debug)]
struct Ring {
    entries: VecDeque<TraceEntry>,
    bytes: usize,
    /// How many there have been.
    count: u64,
    /// It ends by itself then.
    until: u64,
    /// It has ended then.
    ended: Option<u64>,
}

impl Trace {
    fn new(now: u64) -> Self {
        let entries = VecDeque::new();
        Self(Mutex::new(Ring { entries, bytes: 0, count: 0, until: now + LASTS, ended: None }))
    }

    /// Whether more is to come.
    pub(crate) fn is_on(&self) -> bool {
        lock(&self.0).ended.is_none()
    }

    /// Adds an entry. False where its time is over, and nothing more is taken.
    pub(crate) fn push(&self, at: u64, direction: Direction, text: &str, size: usize) -> bool {
        let mut ring = lock(&self.0);
        if ring.until <= at {
            ring.end(at);
            return false;
        }
        ring.push(at, direction, text, size);
        true
    }

    /// It is over: its connection is.
    pub(crate) fn end(&self, at: u64) {
        lock(&self.0).end(at);
    }
}

impl Ring {
    fn push(&mut self, at: u64, direction: Direction, text: &str, size: usize) {
        let kept = cut(text, TEXT_BYTES);
        let text = if kept.len() < text.len() { format!("{kept}…").into() } else { Arc::from(kept) };
        self.count += 1;
        let entry = TraceEntry { n: self.count, at, direction, text, size };
        self.bytes += weight(&entry);
        self.entries.push_back(entry);
        while self.entries.len() > ENTRIES || self.bytes > BYTES {
            self.bytes -= self.entries.pop_front().as_ref().map_or(self.bytes, weight);
        }
    }

    fn end(&mut self, at: u64) {
        self.ended.get_or_insert(at);
    }

    fn page(&self, after: u64) -> TracePage {
        let first = self.count - self.entries.len() as u64;
        let skipped = usize::try_from(after.saturating_sub(first)).unwrap_or(usize::MAX);
        let is_on = self.ended.is_none();
        TracePage {
            is_on,
            until: is_on.then_some(self.until),
            next: self.count,
            lost: first.saturating_sub(after),
            entries: self.entries.iter().skip(skipped).cloned().collect(),
        }
    }
}

fn weight(entry: &TraceEntry) -> usize {
    size_of::<TraceEntry>() + entry.text.len()
}

/// The traces of a node, by the ids of their connections.
#[derive(Debug, Default)]
pub(crate) struct Traces(Mutex<HashMap<Box<str>, Arc<Trace>>>);

impl Traces {
    /// A trace for a connection: the one that there is, if there is one.
    ///
    /// # Errors
    /// When as many are on as may be.
    pub(super) fn begin(&self, client: &str, now: u64) -> Result<Arc<Trace>, NotTraced> {
        let mut traces = lock(&self.0);
        let others = traces.iter().filter(|(id, trace)| ***id != *client && trace.is_on());
        if others.count() >= TRACES {
            return Err(NotTraced::TooMany);
        }
        if let Some(trace) = traces.get(client) {
            let mut ring = lock(&trace.0);
            (ring.until, ring.ended) = (now + LASTS, None);
            return Ok(Arc::clone(trace));
        }
        if traces.len() >= KEPT {
            let ended = |trace: &Arc<Trace>| lock(&trace.0).ended;
            let oldest = traces.iter().filter_map(|(id, trace)| Some((ended(trace)?, id))).min();
            let oldest = oldest.map(|(_, id)| id.clone());
            oldest.and_then(|id| traces.remove(&id));
        }
        let trace = Arc::new(Trace::new(now));
        traces.insert(client.into(), Arc::clone(&trace));
        Ok(trace)
    }

    /// A trace ends. What was written down can still be read; where that is nothing, there was none.
    pub(super) fn end(&self, client: &str, now: u64) {
        let mut traces = lock(&self.0);
        let Some(trace) = traces.get(client) else { return };
        let is_empty = {
            let mut ring = lock(&trace.0);
            ring.end(now);
            ring.count == 0
        };
        if is_empty {
            traces.remove(client);
        }
    }

    pub(super) fn page(&self, client: &str, after: u64) -> Option<TracePage> {
        lock(&self.0).get(client).map(|trace| lock(&trace.0).page(after))
    }

    /// Ends what has lasted long enough, and forgets what nobody has read in time.
    pub(crate) fn tick(&self, now: u64) {
        lock(&self.0).retain(|_, trace| {
            let mut ring = lock(&trace.0);
            if ring.until <= now {
                ring.end(now);
            }
            ring.ended.is_none_or(|ended| now < ended + READABLE)
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under the locks leaves them half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(page: &TracePage) -> Vec<u64> {
        page.entries.iter().map(|entry| entry.n).collect()
    }

    #[test]
    fn entries_follow_by_their_numbers_and_the_oldest_go() {
        let traces = Traces::default();
        let trace = traces.begin("c", 0).unwrap();
        (0..3).for_each(|_| assert!(trace.push(5, Direction::In, "x", 1)));
        let page = traces.page("c", 0).unwrap();
        assert_eq!((numbers(&page), page.next, page.lost), (vec![1, 2, 3], 3, 0));
        assert_eq!(numbers(&traces.page("c", 2).unwrap()), [3]);
        assert_eq!(numbers(&traces.page("c", 9).unwrap()), Vec::<u64>::new());
        (0..ENTRIES).for_each(|_| assert!(trace.push(5, Direction::Out, "y", 1)));
        let page = traces.page("c", 2).unwrap();
        assert_eq!((page.entries.len(), page.lost, page.next), (ENTRIES, 1, 1003));
    }

    #[test]
    fn a_trace_is_bounded_in_bytes() {
        let trace = Arc::new(Trace::new(0));
        let long = "é".repeat(10_000);
        (0..ENTRIES).for_each(|_| assert!(trace.push(0, Direction::Out, &long, long.len())));
        let ring = lock(&trace.0);
        assert!(ring.bytes <= BYTES && ring.entries.len() > BYTES / TEXT_BYTES / 2, "{}", ring.entries.len());
        let last = &ring.entries[0];
        assert_eq!((last.text.len(), last.size), (TEXT_BYTES + "…".len(), 20_000));
        assert_eq!(ring.bytes, ring.entries.iter().map(weight).sum::<usize>());
    }

    #[test]
    fn it_ends_by_itself_and_can_be_read_for_a_while() {
        let traces = Traces::default();
        let trace = traces.begin("c", 0).unwrap();
        assert!(trace.push(LASTS - 1, Direction::In, "x", 1));
        assert_eq!(traces.page("c", 0).unwrap().until, Some(LASTS));
        assert!(!trace.push(LASTS, Direction::In, "late", 1));
        traces.tick(LASTS + READABLE - 1);
        let page = traces.page("c", 0).unwrap();
        assert_eq!((page.is_on, page.until, page.entries.len()), (false, None, 1));
        traces.tick(LASTS + READABLE);
        assert_eq!(traces.page("c", 0), None);
    }

    #[test]
    fn so_many_are_on_at_once_and_no_more_are_kept_than_twice_that() {
        let traces = Traces::default();
        let begin = |n: usize, now: u64| traces.begin(&n.to_string(), now);
        (0..TRACES).for_each(|n| assert!(begin(n, n as u64).unwrap().push(1, Direction::In, "x", 1)));
        assert_eq!(begin(TRACES, 0).unwrap_err(), NotTraced::TooMany);
        assert!(begin(3, 9).is_ok(), "it is on already");
        for n in 0..3 * TRACES {
            traces.end(&n.to_string(), n as u64);
            assert!(begin(n + TRACES, 0).unwrap().push(1, Direction::In, "x", 1));
        }
        assert_eq!(lock(&traces.0).len(), KEPT);
        assert!(traces.page("0", 0).is_none() && traces.page(&(3 * TRACES - 1).to_string(), 0).is_some());
        // One that never began leaves nothing.
        traces.end(&(4 * TRACES - 1).to_string(), 100);
        assert!(begin(99, 0).is_ok());
        traces.end("99", 0);
        assert_eq!(traces.page("99", 0), None);
        assert_eq!(trace_ends_again(&traces), Some(true));
    }

    /// One that is switched on again goes on with its numbers.
    fn trace_ends_again(traces: &Traces) -> Option<bool> {
        let client = (4 * TRACES - 1).to_string();
        let trace = traces.begin(&client, 7).ok()?;
        trace.push(8, Direction::In, "y", 1);
        let page = traces.page(&client, 1)?;
        Some(page.is_on && page.until == Some(7 + LASTS) && numbers(&page) == [2])
    }
}
