//! `antiphon sub`: prints what is published to channels.

mod follower;
mod line;

use std::io::{self, Write as _};
use std::pin::{Pin, pin};

use antiphon_proto::CloseCode;
use antiphon_socket::connect::Backoff;
use antiphon_socket::{ClientStream, Error, WebSocket};
use tokio::time::{Duration, sleep, timeout};

use super::{block_on, connector};
use crate::cli::SubArgs;
use follower::{End, Follower, Output, disconnected};

/// What a connection came to.
enum Outcome {
    /// As many publications have come as were asked for, or nobody wants more.
    Enough,
    Ended(End),
}

/// Follows the channels, over as many connections as it takes.
///
/// # Errors
/// When the first connection cannot be opened, and when a connection ends that is not to be followed by another.
pub(crate) fn run(args: &SubArgs) -> Result<(), String> {
    block_on(follow(args))
}

async fn follow(args: &SubArgs) -> Result<(), String> {
    let connector = connector(&args.way)?;
    let mut backoff = Backoff::new()
        .first(Duration::from_secs(1))
        .base(Duration::from_secs(1))
        .cap(Duration::from_secs(20));
    let mut follower = Follower::new(args);
    let mut printer = Printer { stdout: io::stdout(), left: if args.once { Some(1) } else { args.count } };
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let mut known = false;
    loop {
        let opened = tokio::select! {
            opened = connector.connect(&args.url) => opened,
            _ = &mut interrupt => return Ok(()),
        };
        let end = match opened {
            Err(error) if known => End::Retry(error.to_string()),
            // A first attempt that fails may be a wrong URL.
            Err(error) => End::Final(error.to_string()),
            Ok((socket, _)) => match talk(socket, &mut follower, &mut printer, interrupt.as_mut()).await? {
                Outcome::Enough => return Ok(()),
                Outcome::Ended(end) => end,
            },
        };
        if follower.is_settled() {
            known = true;
            backoff.reset();
        }
        let cause = match end {
            End::Retry(cause) if known && printer.left.is_none() => cause,
            End::Retry(cause) | End::Final(cause) => return Err(format!("{}: {cause}", args.url)),
        };
        let delay = backoff.next_delay();
        tell(&format!("{}: {cause}; connecting again in {:.1} s", args.url, delay.as_secs_f64()));
        tokio::select! {
            () = sleep(delay) => {}
            _ = &mut interrupt => return Ok(()),
        }
    }
}

/// Speaks the client protocol on a connection until it ends.
///
/// # Errors
/// When standard output fails.
async fn talk(
    mut socket: WebSocket<ClientStream>,
    follower: &mut Follower,
    printer: &mut Printer,
    mut interrupt: Pin<&mut impl Future<Output = io::Result<()>>>,
) -> Result<Outcome, String> {
    follower.handle_open();
    let mut ended = None;
    loop {
        while let Some(output) = follower.poll_output() {
            match output {
                Output::Print(line) if printer.print(&line)? => {}
                Output::Print(_) => return Ok(leave(socket).await),
                Output::Tell(what) => tell(&what),
                // That the connection has ended is said below.
                Output::Send(message) => drop(socket.send(message).await),
            }
        }
        if let Some(end) = ended {
            return Ok(Outcome::Ended(end));
        }
        // A century is for ever.
        let patience = follower.patience().unwrap_or(Duration::from_secs(100 * 365 * 24 * 3600));
        let received = tokio::select! {
            received = timeout(patience, socket.recv()) => received,
            _ = &mut interrupt => return Ok(leave(socket).await),
        };
        ended = match received {
            Ok(Ok(Some(message))) => match message.as_text() {
                Some(text) => follower.handle_message(text).err(),
                None => Some(End::Final(
                    "the server sent bytes; does the URL end in /connection/websocket?".to_owned(),
                )),
            },
            Ok(closed) => Some(closed_by(&socket, closed.err())),
            Err(_) => Some(End::Retry(format!("nothing came from the server for {} s", patience.as_secs()))),
        };
    }
}

/// Parts from the server in order.
async fn leave(mut socket: WebSocket<ClientStream>) -> Outcome {
    let closed = socket.close(CloseCode::NORMAL, "").await;
    debug_assert!(closed.is_ok(), "1000 can be sent");
    Outcome::Enough
}

/// What the end of a connection comes to.
fn closed_by(socket: &WebSocket<ClientStream>, error: Option<Error>) -> End {
    match (socket.end().and_then(|end| end.received), error) {
        (Some(close), _) => disconnected(close.code.as_u16().into(), &close.reason),
        (None, Some(error)) => End::Retry(error.to_string()),
        (None, None) => End::Retry("the connection ended".to_owned()),
    }
}

/// Says something to whoever watches. Where standard error is gone, there is nobody.
fn tell(what: &str) {
    let _ = writeln!(io::stderr(), "antiphon: {what}");
}

/// Where publications go.
struct Printer {
    stdout: io::Stdout,
    /// So many are still to come; without it, there is no end.
    left: Option<u64>,
}

impl Printer {
    /// Prints a line, and says whether more are wanted: a reader that has gone away wants none.
    fn print(&mut self, line: &str) -> Result<bool, String> {
        match writeln!(self.stdout, "{line}") {
            Ok(()) => {
                self.left = self.left.map(|left| left - 1);
                Ok(self.left != Some(0))
            }
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(e) => Err(format!("standard output: {e}")),
        }
    }
}
