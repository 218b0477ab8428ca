//! `antiphon bench idle`: connections are opened and held, and say nothing but the answers to pings.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::live;
use super::memory;
use super::open::{OPENING, Opener};
use super::report::{self, rate};
use super::speaker::{Heard, Speaker};
use crate::cli::{BenchArgs, BenchIdleArgs};

/// Opened first and left out of the memory, so that what a server sets up once is not charged to its connections.
const FORERUNNERS: u32 = 200;

/// Time for a server to put away what it needs only for opening.
const SETTLE: Duration = Duration::from_secs(1);

/// How long the server may take to answer `connect` and `subscribe`.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all connections of a run share.
struct Run {
    opener: Rc<Opener>,
    token: Option<String>,
    /// What the names of the channels begin with; without it, there is no subscription.
    channel: Option<String>,
    ready: Cell<u32>,
    pings: Cell<u64>,
    lost: Cell<u32>,
    /// Why the first one was lost.
    cause: RefCell<Option<String>>,
    /// A connection is ready, or lost.
    progress: Notify,
}

/// Measures, and prints the report.
///
/// # Errors
/// When a connection cannot be opened, and, after the report, when one was lost.
pub(super) async fn run(args: &BenchIdleArgs) -> Result<(), String> {
    let BenchArgs { url, json, .. } = &args.common;
    let forerunners = if args.pid.is_some() { FORERUNNERS } else { 0 };
    let run = Rc::new(Run {
        opener: Opener::new(&args.common, u64::from(args.connections) + u64::from(forerunners))?,
        token: args.token.clone(),
        channel: (!args.no_subscribe).then(|| args.channel.clone()),
        ready: Cell::new(0),
        pings: Cell::new(0),
        lost: Cell::new(0),
        cause: RefCell::default(),
        progress: Notify::new(),
    });
    let is_watched = live::is_watched(*json);
    let mut tasks = JoinSet::new();
    open(url, &run, &mut tasks, forerunners, false).await?;
    let before = match args.pid {
        Some(pid) => {
            tokio::time::sleep(SETTLE).await;
            memory::of(pid)?
        }
        None => 0,
    };
    let start = Instant::now();
    open(url, &run, &mut tasks, forerunners + args.connections, is_watched).await?;
    let opening = start.elapsed().as_secs_f64();

    let all = forerunners + args.connections;
    let held = live::wait(args.duration.0, is_watched, |seconds, _| {
        let (open, pings) = (all - run.lost.get(), run.pings.get());
        format!("{seconds:5.1} s  {open} of {all} connections open  {pings} pings answered")
    });
    let held = held.await;
    let memory = match args.pid {
        Some(pid) => Some(Memory::new(before, memory::of(pid)?, args.connections)),
        None => None,
    };
    let lost = run.lost.get();
    let report = Report {
        url,
        connections: args.connections,
        subscribed: run.channel.is_some(),
        opening_seconds: report::seconds(opening),
        connects_per_second: rate(args.connections.into(), opening),
        held_seconds: report::seconds(held),
        stayed: args.connections.saturating_sub(lost),
        lost,
        pings: run.pings.get(),
        memory,
    };
    report::print(&report, *json)?;
    match run.cause.take() {
        Some(cause) => Err(format!("{url}: {lost} connections were lost, the first of them: {cause}")),
        None => Ok(()),
    }
}

/// Opens connections, some at a time, until so many are ready.
async fn open(
    url: &str,
    run: &Rc<Run>,
    tasks: &mut JoinSet<()>,
    count: u32,
    is_watched: bool,
) -> Result<(), String> {
    let mut shown = Instant::now();
    while run.ready.get() < count {
        while tasks.len() < count as usize && tasks.len() - (run.ready.get() as usize) < OPENING {
            tasks.spawn_local(stay(Rc::clone(run), tasks.len()));
        }
        run.progress.notified().await;
        if let Some(cause) = run.cause.take() {
            return Err(format!("{url}: after {} connections: {cause}", run.ready.get()));
        }
        if is_watched && shown.elapsed() >= live::INTERVAL {
            live::show(&format!("{} of {count} connections opened", run.ready.get()));
            shown = Instant::now();
        }
    }
    Ok(())
}

/// One connection, from its opening to its end.
async fn stay(run: Rc<Run>, nth: usize) {
    let Err(cause) = hold(&run, nth).await;
    run.lost.set(run.lost.get() + 1);
    run.cause.borrow_mut().get_or_insert(cause);
    run.progress.notify_one();
}

async fn hold(run: &Run, nth: usize) -> Result<std::convert::Infallible, String> {
    let mut socket = run.opener.open().await?;
    let mut speaker = Speaker::default();
    let channel = run.channel.as_ref().map(|prefix| format!("{prefix}{nth}"));
    let answered =
        timeout(PATIENCE, speaker.introduce(&mut socket, run.token.as_deref(), channel.as_deref())).await;
    answered.map_err(|_| format!("connect was not answered in {} s", PATIENCE.as_secs()))??;
    run.ready.set(run.ready.get() + 1);
    run.progress.notify_one();
    loop {
        let listened = speaker.listen(&mut socket, |heard| {
            if heard == Heard::Ping {
                run.pings.set(run.pings.get() + 1);
            }
            ControlFlow::Continue(())
        });
        listened.await?;
    }
}

/// What a measurement of idle connections came to.
#[derive(Debug, Serialize)]
struct Report<'a> {
    url: &'a str,
    connections: u32,
    subscribed: bool,
    opening_seconds: f64,
    connects_per_second: f64,
    held_seconds: f64,
    stayed: u32,
    lost: u32,
    pings: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
}

/// The server's memory, in bytes.
#[derive(Debug, Serialize)]
struct Memory {
    before: u64,
    after: u64,
    per_connection: f64,
}

impl Memory {
    fn new(before: u64, after: u64, connections: u32) -> Self {
        let grown = after as f64 - before as f64;
        Self { before, after, per_connection: (grown / f64::from(connections)).round() }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, connections, subscribed, opening_seconds, connects_per_second, .. } = self;
        let Self { held_seconds, stayed, lost, pings, memory, .. } = self;
        let each = if *subscribed { "one channel each" } else { "no channels" };
        writeln!(f, "{url}: {connections} connections, {each}")?;
        writeln!(f, "opened      in {opening_seconds:.1} s ({connects_per_second:.0} a second)")?;
        write!(
            f,
            "held        for {held_seconds:.1} s: {stayed} stayed, {lost} were lost, {pings} pings answered"
        )?;
        if let Some(Memory { before, after, per_connection }) = memory {
            let [before, after] = [before, after].map(|bytes| *bytes as f64 / 1e6);
            write!(
                f,
                "\nmemory      {before:.1} MB before, {after:.1} MB after: {per_connection:.0} bytes a connection"
            )?;
        }
        Ok(())
    }
}
