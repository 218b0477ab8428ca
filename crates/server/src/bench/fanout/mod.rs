//! `antiphon bench fanout`: one publisher, and the time until what it publishes has reached all subscribers.

mod mark;
mod publisher;
mod subscriber;
mod tally;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::live;
use super::open::Opener;
use super::report::{self, Latency, rate, so_far};
use crate::cli::{BenchArgs, BenchFanoutArgs};
use mark::Marks;
use tally::Tally;

/// How often is tried whether all subscribers are there.
const PROBE: Duration = Duration::from_millis(200);

/// How long they may take to be there.
const JOIN: Duration = Duration::from_secs(30);

/// How long the last publications may take to reach everybody.
const DRAIN: Duration = Duration::from_secs(5);

/// What the publisher is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Wait,
    /// To publish one probe, and then wait.
    Probe,
    /// To keep the window full.
    Publish,
}

/// What all connections of a run share.
struct Run {
    /// The channel; without one, the endpoint is a channel and no protocol is spoken.
    channel: Option<String>,
    token: Option<String>,
    size: usize,
    window: usize,
    marks: Marks,
    tally: RefCell<Tally>,
    phase: Cell<Phase>,
    publisher: RefCell<Option<Waker>>,
    /// A publication has reached everybody.
    progress: Notify,
}

impl Run {
    /// A message with a mark has reached a subscriber.
    fn deliver(&self, subscriber: usize, number: u64) {
        if self.tally.borrow_mut().deliver(subscriber, number) {
            self.progress.notify_one();
            self.wake_publisher();
        }
    }

    fn begin(&self, phase: Phase) {
        self.phase.set(phase);
        self.wake_publisher();
    }

    fn wake_publisher(&self) {
        if let Some(waker) = self.publisher.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Waits until what is true of the tally, or the time has come.
    async fn until(&self, deadline: Instant, what: impl Fn(&Tally) -> bool) {
        while !what(&self.tally.borrow()) && timeout_at(deadline, self.progress.notified()).await.is_ok() {}
    }
}

/// Measures, and prints the report.
///
/// # Errors
/// When a connection fails, and, after the report, when publications were lost or came twice.
pub(super) async fn run(args: &BenchFanoutArgs) -> Result<(), String> {
    let BenchArgs { url, json, .. } = &args.common;
    let mut seed = [0; 4];
    getrandom::fill(&mut seed).map_err(|e| format!("the operating system's randomness: {e}"))?;
    let run = Rc::new(Run {
        channel: (!args.raw).then(|| args.channel.clone()),
        token: args.token.clone(),
        size: args.size as usize,
        window: args.window as usize,
        marks: Marks::new(u32::from_ne_bytes(seed)),
        tally: RefCell::new(Tally::new(args.subscribers as usize)),
        phase: Cell::new(Phase::Wait),
        publisher: RefCell::default(),
        progress: Notify::new(),
    });
    let opener = Opener::new(&args.common, u64::from(args.subscribers) + 1)?;
    let seconds = measure(&run, &opener, args).await.map_err(|e| format!("{url}: {e}"))?;
    let tally = run.tally.borrow();
    report::print(&Report::new(args, seconds, &tally), *json)?;
    match (tally.lost, tally.repeated) {
        (0, 0) => Ok(()),
        (lost, repeated) => {
            Err(format!("{url}: {lost} deliveries were lost, and {repeated} came twice or out of order"))
        }
    }
}

/// Opens all connections and measures. Gives the seconds that it took.
async fn measure(run: &Rc<Run>, opener: &Rc<Opener>, args: &BenchFanoutArgs) -> Result<f64, String> {
    let mut tasks = JoinSet::new();
    tasks.spawn_local(publisher::publish(opener.open().await?, Rc::clone(run)));
    for (nth, socket) in opener.open_all(args.subscribers).await?.into_iter().enumerate() {
        tasks.spawn_local(subscriber::subscribe(socket, nth, Rc::clone(run)));
    }
    tokio::select! {
        seconds = conduct(run, args) => seconds,
        cause = failure(&mut tasks) => Err(cause),
    }
}

/// Why a connection failed; none ends otherwise.
async fn failure(tasks: &mut JoinSet<Result<Infallible, String>>) -> String {
    match tasks.join_next().await {
        Some(Ok(Err(cause))) => cause,
        Some(Err(error)) => error.to_string(),
        None => "there is no connection".to_owned(),
    }
}

/// Sees to it that all subscribers are there, measures, and waits for what is still under way. Gives the seconds measured.
async fn conduct(run: &Run, args: &BenchFanoutArgs) -> Result<f64, String> {
    let deadline = Instant::now() + JOIN;
    while !run.tally.borrow().is_complete() {
        if Instant::now() >= deadline {
            let joined = run.tally.borrow().joined();
            let (all, limit) = (args.subscribers, JOIN.as_secs());
            return Err(format!("of {all} subscribers only {joined} got a publication in {limit} s"));
        }
        run.begin(Phase::Probe);
        run.until(Instant::now() + PROBE, Tally::is_complete).await;
    }
    run.tally.borrow_mut().is_counting = true;
    run.begin(Phase::Publish);
    let mut seen = 0;
    let seconds = live::wait(args.duration.0, live::is_watched(args.common.json), |seconds, since_last| {
        let tally = run.tally.borrow();
        let rate = rate(tally.deliveries - seen, since_last);
        seen = tally.deliveries;
        format!("{seconds:5.1} s  {rate:9.0} deliveries/s  {}", so_far(&tally.latencies))
    });
    let seconds = seconds.await;
    run.tally.borrow_mut().is_counting = false;
    run.begin(Phase::Wait);
    run.until(Instant::now() + DRAIN, |tally| tally.outstanding() == 0).await;
    run.tally.borrow_mut().give_up();
    Ok(seconds)
}

/// What a measurement of a fan-out came to.
#[derive(Debug, Serialize)]
struct Report<'a> {
    url: &'a str,
    protocol: &'static str,
    subscribers: u32,
    size: u32,
    window: u32,
    seconds: f64,
    publications: u64,
    deliveries: u64,
    deliveries_per_second: f64,
    lost: u64,
    repeated: u64,
    /// From a publication to its last delivery.
    latency_us: Latency,
}

impl<'a> Report<'a> {
    fn new(args: &'a BenchFanoutArgs, seconds: f64, tally: &Tally) -> Self {
        Self {
            url: &args.common.url,
            protocol: if args.raw { "raw" } else { "client" },
            subscribers: args.subscribers,
            size: args.size,
            window: args.window,
            seconds: report::seconds(seconds),
            publications: tally.published(),
            deliveries: tally.deliveries,
            deliveries_per_second: rate(tally.deliveries, seconds),
            lost: tally.lost,
            repeated: tally.repeated,
            latency_us: Latency::new(&tally.latencies),
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, subscribers, size, window, seconds, publications, deliveries, .. } = self;
        let Self { deliveries_per_second, lost, repeated, latency_us, .. } = self;
        writeln!(f, "{url}: {subscribers} subscribers, {size} bytes, {window} at a time, {seconds:.1} s")?;
        writeln!(
            f,
            "deliveries  {deliveries} ({deliveries_per_second:.0} a second) of {publications} publications"
        )?;
        writeln!(f, "missing     {lost} lost, {repeated} twice or out of order")?;
        write!(f, "to the last {latency_us}")
    }
}
