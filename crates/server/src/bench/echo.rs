//! `antiphon bench echo`: messages go out, and the time until they come back is measured.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use antiphon_proto::{CloseCode, Connection, Event, SendError};
use antiphon_socket::Turn;
use serde::Serialize;
use tokio::task::{JoinSet, spawn_local};

use super::histogram::Histogram;
use super::live;
use super::open::{Opener, Socket};
use super::report::{self, Latency, rate, so_far};
use crate::cli::{BenchArgs, BenchEchoArgs};

/// What all connections of a run share.
struct Run {
    payload: Vec<u8>,
    text: Option<String>,
    depth: u32,
    latencies: RefCell<Histogram>,
    /// No message is sent any more.
    over: Cell<bool>,
}

/// Measures, and prints the report.
///
/// # Errors
/// When a connection fails, or something else than what was sent comes back.
pub(super) async fn run(args: &BenchEchoArgs) -> Result<(), String> {
    let BenchArgs { url, json, .. } = &args.common;
    // Letters, so that it is text as well.
    let payload: Vec<u8> = (b'a'..=b'z').cycle().take(args.size as usize).collect();
    let text = args.text.then(|| String::from_utf8_lossy(&payload).into_owned());
    let run = Rc::new(Run {
        payload,
        text,
        depth: args.depth,
        latencies: RefCell::default(),
        over: Cell::new(false),
    });
    let opener = Opener::new(&args.common, args.connections.into())?;
    let sockets = opener.open_all(args.connections).await.map_err(|e| format!("{url}: {e}"))?;

    let mut tasks = JoinSet::new();
    for socket in sockets {
        tasks.spawn_local(converse(socket, Rc::clone(&run)));
    }
    let timer = spawn_local(time(Rc::clone(&run), args.duration.0, live::is_watched(*json)));
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|e| e.to_string())?.map_err(|e| format!("{url}: {e}"))?;
    }
    let seconds = timer.await.map_err(|e| e.to_string())?;
    report::print(&Report::new(args, seconds, &run.latencies.borrow()), *json)
}

/// Ends the run when its time has come, and tells how it goes. Gives the seconds that were measured.
async fn time(run: Rc<Run>, duration: Duration, is_watched: bool) -> f64 {
    let mut seen = 0;
    let seconds = live::wait(duration, is_watched, |seconds, since_last| {
        let latencies = run.latencies.borrow();
        let rate = rate(latencies.count() - seen, since_last);
        seen = latencies.count();
        format!("{seconds:5.1} s  {rate:9.0} messages/s  {}", so_far(&latencies))
    });
    let seconds = seconds.await;
    run.over.set(true);
    seconds
}

/// One connection: so many messages under way at any time, until the run is over and the last has come back.
async fn converse(mut socket: Socket, run: Rc<Run>) -> Result<(), String> {
    let mut sent = VecDeque::with_capacity(run.depth as usize);
    let mut failure = None;
    for _ in 0..run.depth {
        send(&run, socket.connection_mut(), &mut sent).map_err(|e| e.to_string())?;
    }
    poll_fn(|cx| {
        loop {
            let turn = socket.poll_turn(cx, &mut |connection, event| {
                let same = match &event {
                    Event::Text(text) => text.as_bytes() == run.payload,
                    Event::Binary(bytes) => **bytes == *run.payload,
                    _ => return ControlFlow::Continue(()),
                };
                let Some(since) = sent.pop_front().filter(|_| same) else {
                    failure = Some("what came back is not what was sent; is this an echo?".to_owned());
                    return ControlFlow::Break(());
                };
                if !run.over.get() {
                    run.latencies.borrow_mut().record(Instant::now() - since);
                    if let Err(error) = send(&run, connection, &mut sent) {
                        failure = Some(error.to_string());
                    }
                } else if sent.is_empty() {
                    let begun = connection.close(Instant::now(), CloseCode::NORMAL, "");
                    debug_assert!(begun.is_ok(), "1000 can be sent");
                }
                ControlFlow::Continue(())
            });
            match turn {
                _ if failure.is_some() => return Poll::Ready(()),
                Poll::Ready(Turn::Done) => return Poll::Ready(()),
                Poll::Ready(Turn::Paused) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    match (failure, socket.end()) {
        (Some(cause), _) => Err(cause),
        (None, Some(end)) if end.is_clean() && sent.is_empty() => Ok(()),
        (None, Some(end)) => Err(end.to_string()),
        (None, None) => Err("the connection ended".into()),
    }
}

fn send(run: &Run, connection: &mut Connection, sent: &mut VecDeque<Instant>) -> Result<(), SendError> {
    sent.push_back(Instant::now());
    match &run.text {
        Some(text) => connection.send_text(text),
        None => connection.send_binary(&run.payload),
    }
}

/// What a measurement of an echo came to.
#[derive(Debug, Serialize)]
struct Report<'a> {
    url: &'a str,
    connections: u32,
    size: u32,
    depth: u32,
    seconds: f64,
    messages: u64,
    messages_per_second: f64,
    /// From the sending of a message to its return.
    latency_us: Latency,
}

impl<'a> Report<'a> {
    fn new(args: &'a BenchEchoArgs, seconds: f64, latencies: &Histogram) -> Self {
        Self {
            url: &args.common.url,
            connections: args.connections,
            size: args.size,
            depth: args.depth,
            seconds: report::seconds(seconds),
            messages: latencies.count(),
            messages_per_second: rate(latencies.count(), seconds),
            latency_us: Latency::new(latencies),
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, connections, size, depth, seconds, messages, messages_per_second, latency_us } = self;
        let megabytes = messages_per_second * f64::from(*size) / 1e6;
        writeln!(f, "{url}: {connections} connections, {size} bytes, {depth} at a time, {seconds:.1} s")?;
        writeln!(
            f,
            "messages    {messages} ({messages_per_second:.0} a second, {megabytes:.1} MB/s each way)"
        )?;
        write!(f, "round trip  {latency_us}")
    }
}
