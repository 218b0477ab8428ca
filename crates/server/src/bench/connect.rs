//! `antiphon bench connect`: connections are opened and closed, and their opening is timed.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use antiphon_proto::CloseCode;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::histogram::Histogram;
use super::live;
use super::open::Opener;
use super::report::{self, Latency, rate, so_far};
use super::speaker::Speaker;
use crate::cli::{BenchArgs, BenchConnectArgs};

/// How long the server may take to answer `connect`.
const PATIENCE: Duration = Duration::from_secs(10);

/// After a failure, so that a server that is down is not asked as fast as it refuses.
const PAUSE: Duration = Duration::from_millis(50);

/// What all who open connections share.
struct Run {
    opener: Rc<Opener>,
    token: Option<String>,
    latencies: RefCell<Histogram>,
    failed: Cell<u64>,
    /// Why the first one failed.
    cause: RefCell<Option<String>>,
    /// No connection is opened any more.
    over: Cell<bool>,
}

/// Measures, and prints the report.
///
/// # Errors
/// When no connection came about, and, after the report, when one failed.
pub(super) async fn run(args: &BenchConnectArgs) -> Result<(), String> {
    let BenchArgs { url, json, .. } = &args.common;
    let run = Rc::new(Run {
        opener: Opener::new(&args.common, args.connections.into())?,
        token: args.token.clone(),
        latencies: RefCell::default(),
        failed: Cell::new(0),
        cause: RefCell::default(),
        over: Cell::new(false),
    });
    let mut tasks = JoinSet::new();
    for _ in 0..args.connections {
        tasks.spawn_local(come_and_go(Rc::clone(&run)));
    }
    let mut seen = 0;
    let seconds = live::wait(args.duration.0, live::is_watched(*json), |seconds, since_last| {
        let latencies = run.latencies.borrow();
        let rate = rate(latencies.count() - seen, since_last);
        seen = latencies.count();
        format!("{seconds:5.1} s  {rate:9.0} connects/s  {}", so_far(&latencies))
    });
    let seconds = seconds.await;
    run.over.set(true);
    // What has been begun is neither counted nor broken off.
    while tasks.join_next().await.is_some() {}

    let (latencies, failed) = (run.latencies.borrow(), run.failed.get());
    let cause = run.cause.take().unwrap_or_else(|| "no connection came about in that time".to_owned());
    if latencies.count() == 0 {
        return Err(format!("{url}: {cause}"));
    }
    let report = Report {
        url,
        connections: args.connections,
        seconds: report::seconds(seconds),
        connects: latencies.count(),
        connects_per_second: rate(latencies.count(), seconds),
        failed,
        latency_us: Latency::new(&latencies),
    };
    report::print(&report, *json)?;
    if failed > 0 {
        Err(format!("{url}: {failed} connections failed, the first of them: {cause}"))
    } else {
        Ok(())
    }
}

/// Opens connections, one after the other.
async fn come_and_go(run: Rc<Run>) {
    while !run.over.get() {
        if let Err(error) = once(&run).await {
            run.failed.set(run.failed.get() + 1);
            run.cause.borrow_mut().get_or_insert(error);
            sleep(PAUSE).await;
        }
    }
}

async fn once(run: &Run) -> Result<(), String> {
    let start = Instant::now();
    let mut socket = run.opener.open().await?;
    let mut speaker = Speaker::default();
    let answered = timeout(PATIENCE, speaker.introduce(&mut socket, run.token.as_deref(), None)).await;
    answered.map_err(|_| format!("connect was not answered in {} s", PATIENCE.as_secs()))??;
    if !run.over.get() {
        run.latencies.borrow_mut().record(start.elapsed());
    }
    let end = socket.close(CloseCode::NORMAL, "").await.map_err(|e| e.to_string())?;
    if end.is_clean() { Ok(()) } else { Err(end.to_string()) }
}

/// What a measurement of opening came to.
#[derive(Debug, Serialize)]
struct Report<'a> {
    url: &'a str,
    connections: u32,
    seconds: f64,
    connects: u64,
    connects_per_second: f64,
    failed: u64,
    /// From the first packet to the answer to `connect`.
    latency_us: Latency,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, connections, seconds, connects, connects_per_second, failed, latency_us } = self;
        writeln!(f, "{url}: {connections} at a time, {seconds:.1} s")?;
        writeln!(f, "connects    {connects} ({connects_per_second:.0} a second), {failed} failed")?;
        write!(f, "until there {latency_us}")
    }
}
