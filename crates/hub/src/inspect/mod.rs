//! What an operator may see of the connections: a list, one of them in full, and what passes on it.
//!
//! ```text
//!   Inspector ─ Inquiry ─► Tray of every worker ─► Clerk: looks at its own sessions, some at a time ─► parts ─► merged
//! ```
//!
//! Nothing about a connection is shared between workers, so each is asked, and answers when it has time. `docs/design/inspector.md`
//! has the reasons.

mod clerk;
mod filter;
mod inquiry;
mod scan;
mod text;
mod trace;

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::node::Node;
use crate::protocol::{Encoding, Position};
use crate::session::Transport;

pub use filter::Query;
pub use trace::{Direction, NotTraced, TRACES, TraceEntry, TracePage};

pub(crate) use clerk::Clerk;
pub(crate) use filter::{Filter, Moment};
pub(crate) use inquiry::Tray;
pub(crate) use text::{commands, replies};
pub(crate) use trace::{Trace, Traces};

use inquiry::{Asked, Part, Question, ask};
use scan::Listed;

/// Searches that may be under way at once.
pub const SEARCHES: usize = 4;

/// What a node keeps for its inspector.
#[derive(Debug, Default)]
pub(crate) struct Inspection {
    pub(crate) traces: Traces,
    searches: Arc<AtomicUsize>,
}

/// One connection in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// Its id.
    pub client: Arc<str>,
    /// The user's id; empty for an anonymous one.
    pub user: Arc<str>,
    /// The client's program, as it says itself; empty where it does not.
    pub name: String,
    /// The version of that.
    pub version: String,
    /// What it listens on; where it waits, what it listened on last.
    pub transport: Transport,
    /// How it speaks.
    pub encoding: Encoding,
    /// Where it comes from now.
    pub address: Option<IpAddr>,
    /// In milliseconds since 1970. A session that goes on over another transport is connected since its beginning.
    pub connected_at: u64,
    /// It has no transport at the moment.
    pub is_waiting: bool,
    /// How many channels it is subscribed to.
    pub channels: usize,
    /// What waits for the client: see [`Load`].
    pub queue_bytes: usize,
    /// From the last ping that it answered to the answer.
    pub round_trip: Option<Duration>,
    /// What passes is written down.
    pub is_traced: bool,
}

/// One connection in full.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionDetail {
    /// As in a list.
    pub connection: Connection,
    /// By their channels.
    pub subscriptions: Vec<SubscriptionDetail>,
    /// What it has listened on, the last of it at the end: the last [`TRANSPORTS`].
    pub transports: Vec<Carried>,
    /// It may go on over another transport.
    pub is_resumable: bool,
    /// It has no transport, and ends then if none comes; in milliseconds since 1970.
    pub waiting_until: Option<u64>,
    /// What others see of it, as JSON; empty where that is nothing.
    pub info: Bytes,
    /// It ends then if it is not refreshed; in milliseconds since 1970.
    pub expires_at: Option<u64>,
    /// How many messages have come, each with one or more commands.
    pub messages_in: u64,
    /// How many messages were sent: answers, pings and publications.
    pub messages_out: u64,
}

/// One subscription of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionDetail {
    /// The channel.
    pub channel: String,
    /// What the client has had of its stream, where it is positioned in one.
    pub position: Option<Position>,
    /// The client can recover what it misses.
    pub is_recoverable: bool,
    /// The client is told who comes and goes.
    pub sees_joins: bool,
    /// The server subscribed it.
    pub is_server_side: bool,
}

/// So many transports of a session are remembered.
pub const TRANSPORTS: usize = 16;

/// What a session has listened on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Since when, in milliseconds since 1970.
    pub at: u64,
    /// On what.
    pub transport: Transport,
    /// From where.
    pub address: Option<IpAddr>,
}

/// What waits for a client, and what it was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Bytes that wait to be written to its transport. Where it polls, or has none, what it has not acknowledged.
    pub queue_bytes: usize,
    /// Messages that it was sent.
    pub messages_out: u64,
}

/// A part of the list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The newest first.
    pub connections: Vec<Connection>,
    /// How many match in all.
    pub total: usize,
    /// What to ask for as [`Query::after`] for those that follow, where there are some.
    pub next: Option<u64>,
}

/// Too many searches are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{SEARCHES} searches are under way, and there may be no more at once; try again in a second"
        )
    }
}

impl std::error::Error for Busy {}

/// What an operator may see of a node's connections, from [`Node::inspector`].
///
/// Each answer is gathered from the workers, so it is not of one moment. **Whoever drops the future ends the question.**
#[derive(Debug, Clone, Copy)]
pub struct Inspector<'a> {
    node: &'a Node,
}

impl<'a> Inspector<'a> {
    pub(crate) fn new(node: &'a Node) -> Self {
        Self { node }
    }

    /// The connections that match, the newest first. Who pages by [`Page::next`] sees each connection that was there all the while once.
    ///
    /// # Errors
    /// When too many searches are under way.
    pub fn connections(self, query: Query) -> Result<impl Future<Output = Page> + Send + use<>, Busy> {
        let turn = Turn::take(&self.node.inspection.searches).ok_or(Busy)?;
        let limit = query.limit;
        let asked = self.ask(Question::List(Box::new(Filter::new(query))));
        Ok(async move {
            let parts = asked.await;
            drop(turn);
            let listed = parts.into_iter().filter_map(|part| match part {
                Part::Listed(listed) => Some(listed),
                Part::Looked(_) | Part::Traced => None,
            });
            merged(listed, limit)
        })
    }

    /// One connection in full; `None` where there is none.
    pub fn connection(self, client: &str) -> impl Future<Output = Option<ConnectionDetail>> + Send + use<> {
        let asked = self.ask(Question::Look(client.into()));
        async move {
            asked.await.into_iter().find_map(|part| match part {
                Part::Looked(detail) => Some(*detail),
                Part::Listed(_) | Part::Traced => None,
            })
        }
    }

    /// Writes down what passes on a connection from now on, until [`end_trace`](Self::end_trace), and for ten minutes at most. Where
    /// that is done already it goes on for so long from now.
    ///
    /// # Errors
    /// When there is no such connection, or [`TRACES`] are traced.
    pub async fn trace(self, client: &str) -> Result<(), NotTraced> {
        let (traces, clock) = (&self.node.inspection.traces, &self.node.clock);
        let trace = traces.begin(client, clock.unix_ms())?;
        let parts = self.ask(Question::Trace(client.into(), Some(trace))).await;
        if parts.is_empty() {
            traces.end(client, clock.unix_ms());
            return Err(NotTraced::NotThere);
        }
        Ok(())
    }

    /// Writes down no more of a connection. What was can be read for a minute.
    pub async fn end_trace(self, client: &str) {
        self.node.inspection.traces.end(client, self.node.clock.unix_ms());
        self.ask(Question::Trace(client.into(), None)).await;
    }

    /// What was written down of a connection after the entry with the number `after`; `None` where nothing was.
    pub fn traced(self, client: &str, after: u64) -> Option<TracePage> {
        self.node.inspection.traces.page(client, after)
    }

    fn ask(self, question: Question) -> Asked {
        ask(&self.node.hub, question)
    }
}

/// One of the searches that may be under way.
struct Turn(Arc<AtomicUsize>);

impl Turn {
    fn take(searches: &Arc<AtomicUsize>) -> Option<Self> {
        let turn = Self(Arc::clone(searches));
        (searches.fetch_add(1, Ordering::Relaxed) < SEARCHES).then_some(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The workers' parts of a list, as one.
fn merged(parts: impl Iterator<Item = Listed>, limit: usize) -> Page {
    let (mut found, mut total, mut below) = (Vec::new(), 0, 0);
    for part in parts {
        found.extend(part.found);
        total += part.total;
        below += part.below;
    }
    found.sort_unstable_by_key(|(arrival, _)| std::cmp::Reverse(*arrival));
    found.truncate(limit);
    // Those that have gone since count here: what follows begins behind them.
    let next = found.last().map(|(arrival, _)| *arrival).filter(|_| below > found.len());
    Page { connections: found.into_iter().filter_map(|(_, connection)| connection).collect(), total, next }
}

/// The longest name or version of a program that is kept, in bytes.
const PROGRAM_BYTES: usize = 64;

/// So many programs are known at a time. Beyond that each client keeps its own.
const PROGRAMS: usize = 64;

/// What a client says it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) name: Box<str>,
    pub(crate) version: Box<str>,
}

/// The programs that clients of one worker say they are, the last ones. Thousands of clients are the same program, and share its name.
#[derive(Debug, Default)]
pub(crate) struct Programs(VecDeque<Rc<Program>>);

impl Programs {
    /// The program with this name and version, if it has either.
    pub(crate) fn named(&mut self, name: &str, version: &str) -> Option<Rc<Program>> {
        let (name, version) = (text::cut(name, PROGRAM_BYTES), text::cut(version, PROGRAM_BYTES));
        if name.is_empty() && version.is_empty() {
            return None;
        }
        let known = self.0.iter().find(|program| *program.name == *name && *program.version == *version);
        Some(known.cloned().unwrap_or_else(|| {
            let program = Rc::new(Program { name: name.into(), version: version.into() });
            if self.0.len() == PROGRAMS {
                self.0.pop_front();
            }
            self.0.push_back(Rc::clone(&program));
            program
        }))
    }
}
