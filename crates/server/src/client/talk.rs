//! A conversation: lines go out, messages come in.

use std::future::poll_fn;
use std::io::{self, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use antiphon_proto::{Cause, CloseCode, Connection, End, Event};
use antiphon_socket::{Turn, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Interval, interval};

use crate::cli::ConnectArgs;

/// So many bytes may wait to be sent before no more lines are read.
const AHEAD: usize = 64 * 1024;

/// What comes next.
enum Step {
    /// The first message that `--once` waits for has come, or standard output is gone.
    Enough,
    Done,
    Line(io::Result<Vec<u8>>),
    InputOver,
    Ping,
    Interrupted,
}

/// Sends lines and prints messages until either side closes.
///
/// # Errors
/// When the connection does not end in order, or the input cannot be sent.
pub(super) async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocket<S>,
    mut lines: mpsc::Receiver<io::Result<Vec<u8>>>,
    args: &ConnectArgs,
) -> Result<(), String> {
    let mut output = Output { stdout: io::stdout(), hex: io::stdout().is_terminal(), over: false };
    let mut input_open = true;
    let mut pings = args.ping.map(|every| interval(every.0.max(Duration::from_millis(1))));
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let mut failure = None;
    loop {
        let step = poll_fn(|cx| {
            let turn = socket.poll_turn(cx, &mut |_, event| output.show(event, args.once));
            match turn {
                Poll::Ready(Turn::Done) => return Poll::Ready(Step::Done),
                Poll::Ready(Turn::Paused) => return Poll::Ready(Step::Enough),
                Poll::Pending => {}
            }
            if !socket.connection().is_open() {
                return Poll::Pending;
            }
            if input_open && socket.connection_mut().outbox().len() < AHEAD {
                match lines.poll_recv(cx) {
                    Poll::Ready(Some(line)) => return Poll::Ready(Step::Line(line)),
                    Poll::Ready(None) => return Poll::Ready(Step::InputOver),
                    Poll::Pending => {}
                }
            }
            if poll_tick(&mut pings, cx).is_ready() {
                return Poll::Ready(Step::Ping);
            }
            interrupt.as_mut().poll(cx).map(|_| Step::Interrupted)
        })
        .await;
        let connection = socket.connection_mut();
        match step {
            Step::Done => break,
            Step::Line(Ok(line)) => {
                if let Err(cause) = send(connection, &line, args.binary) {
                    failure = Some(cause);
                    close(connection);
                }
            }
            Step::Line(Err(error)) => {
                failure = Some(format!("standard input: {error}"));
                close(connection);
            }
            Step::InputOver => {
                input_open = false;
                // What answers the lines that were sent still comes: the server reads them before the Close frame.
                if !args.once {
                    close(connection);
                }
            }
            Step::Ping => {
                // A Ping has no payload that could be too long, and the connection is open.
                let _ = connection.ping(Instant::now(), b"");
            }
            Step::Enough | Step::Interrupted => close(connection),
        }
    }
    if let Some(cause) = failure {
        return Err(cause);
    }
    match socket.end() {
        Some(end) if is_good(&end) => Ok(()),
        Some(end) => Err(format!("{}: {end}", args.url)),
        None => Err(format!("{}: the connection ended", args.url)),
    }
}

fn poll_tick(pings: &mut Option<Interval>, cx: &mut std::task::Context<'_>) -> Poll<()> {
    pings.as_mut().map_or(Poll::Pending, |pings| pings.poll_tick(cx).map(|_| ()))
}

fn send(connection: &mut Connection, line: &[u8], binary: bool) -> Result<(), String> {
    let sent = if binary {
        connection.send_binary(line)
    } else {
        let text = str::from_utf8(line);
        connection.send_text(
            text.map_err(|_| "a line of standard input is not UTF-8; use --binary to send any bytes")?,
        )
    };
    sent.map_err(|e| e.to_string())
}

fn close(connection: &mut Connection) {
    let begun = connection.close(Instant::now(), CloseCode::NORMAL, "");
    debug_assert!(begun.is_ok(), "1000 can be sent");
}

/// Whether both sides parted in peace: neither with a complaint.
fn is_good(end: &End) -> bool {
    let peaceful = [CloseCode::NORMAL, CloseCode::GOING_AWAY, CloseCode::NO_STATUS];
    end.cause == Cause::Handshake && end.received.as_ref().is_none_or(|close| peaceful.contains(&close.code))
}

/// Where messages go.
struct Output {
    stdout: io::Stdout,
    /// Bytes would garble a terminal.
    hex: bool,
    /// Nothing more is to be printed.
    over: bool,
}

impl Output {
    /// Prints what has come. Breaks when that was enough.
    fn show(&mut self, event: Event<'_>, once: bool) -> ControlFlow<()> {
        let printed = match event {
            Event::Text(text) if !self.over => self.line(text.as_bytes()),
            Event::Binary(bytes) if !self.over && self.hex => {
                let hex: String = bytes.iter().take(64).map(|byte| format!("{byte:02x} ")).collect();
                let more = if bytes.len() > 64 { "…" } else { "" };
                self.line(format!("{} bytes: {hex}{more}", bytes.len()).as_bytes())
            }
            Event::Binary(bytes) if !self.over => self.line(&bytes),
            Event::Pong { round_trip: Some(time), .. } => {
                let _ = writeln!(io::stderr(), "round trip: {:.3} ms", time.as_secs_f64() * 1000.0);
                return ControlFlow::Continue(());
            }
            _ => return ControlFlow::Continue(()),
        };
        if once || printed.is_err() {
            self.over = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn line(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stdout.write_all(bytes)?;
        self.stdout.write_all(b"\n")?;
        self.stdout.flush()
    }
}
