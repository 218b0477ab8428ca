//! `antiphon bench echo`: messages go out, and the time until they come back is measured.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use antiphon_proto::{CloseCode, Connection, Event, SendError};
use antiphon_socket::{ClientStream, Turn, WebSocket};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{JoinSet, spawn_local};

use super::histogram::Histogram;
use super::report::{Report, progress};
use crate::cli::BenchEchoArgs;
use crate::client::connector;

/// Connections that are being opened at once.
const OPENING: usize = 64;

/// From one progress line to the next.
const LIVE: Duration = Duration::from_millis(500);

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
pub(crate) fn run(args: &BenchEchoArgs) -> Result<String, String> {
    // Without room for so many connections opening them fails, and says so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let runtime = runtime.map_err(|e| format!("the event loop: {e}"))?;
    runtime.block_on(measure(args))
}

async fn measure(args: &BenchEchoArgs) -> Result<String, String> {
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
    let sockets = open(args).await?;

    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for socket in sockets {
        tasks.spawn_local(converse(socket, Rc::clone(&run)));
    }
    let live = !args.json && io::stderr().is_terminal();
    let timer = spawn_local(time(Rc::clone(&run), start, args.duration.0, live));
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|e| e.to_string())?.map_err(|e| format!("{}: {e}", args.url))?;
    }
    let seconds = timer.await.map_err(|e| e.to_string())?;
    let report = Report::new(args, seconds, &run.latencies.borrow());
    Ok(if args.json { report.json() } else { report.text() })
}

/// Opens all connections, some at a time.
async fn open(args: &BenchEchoArgs) -> Result<Vec<WebSocket<ClientStream>>, String> {
    let mut sockets = Vec::with_capacity(args.connections as usize);
    let mut opening = JoinSet::new();
    let connector = Rc::new(connector());
    for _ in 0..args.connections {
        if opening.len() >= OPENING {
            sockets.extend(opened(&mut opening).await?);
        }
        let (connector, url) = (Rc::clone(&connector), args.url.clone());
        opening.spawn_local(async move {
            let connected = connector.connect(&url).await;
            connected.map(|(socket, _)| socket).map_err(|e| format!("{url}: {e}"))
        });
    }
    while !opening.is_empty() {
        sockets.extend(opened(&mut opening).await?);
    }
    Ok(sockets)
}

async fn opened(
    opening: &mut JoinSet<Result<WebSocket<ClientStream>, String>>,
) -> Result<Option<WebSocket<ClientStream>>, String> {
    opening.join_next().await.transpose().map_err(|e| e.to_string())?.transpose()
}

/// Ends the run when its time has come, and tells how it goes. Gives the seconds that were measured.
async fn time(run: Rc<Run>, start: Instant, duration: Duration, live: bool) -> f64 {
    let end = start + duration;
    let (mut last, mut seen) = (start, 0);
    while live && Instant::now() + LIVE < end {
        tokio::time::sleep(LIVE).await;
        let latencies = run.latencies.borrow();
        let (now, count) = (Instant::now(), latencies.count());
        let line =
            progress((now - start).as_secs_f64(), (now - last).as_secs_f64(), count - seen, &latencies);
        // A line that cannot be shown is not missed.
        let _ = io::stderr().write_all(line.as_bytes());
        (last, seen) = (now, count);
    }
    tokio::time::sleep_until(end.into()).await;
    run.over.set(true);
    if live {
        let _ = io::stderr().write_all(b"\r\x1b[K");
    }
    start.elapsed().as_secs_f64()
}

/// One connection: so many messages under way at any time, until the run is over and the last has come back.
async fn converse(mut socket: WebSocket<ClientStream>, run: Rc<Run>) -> Result<(), String> {
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
