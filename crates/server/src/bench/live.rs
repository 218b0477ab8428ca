//! The line that tells how a measurement goes.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// From one line to the next.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// Whether anybody watches.
pub(super) fn is_watched(json: bool) -> bool {
    !json && io::stderr().is_terminal()
}

/// Writes the line over the one before.
pub(super) fn show(line: &str) {
    // A line that cannot be shown is not missed.
    let _ = write!(io::stderr(), "\r{line}\x1b[K");
}

/// Waits for so long, and shows meanwhile what `line` says of the seconds since the start and since the last line. Gives the
/// seconds that it has been.
pub(super) async fn wait(
    duration: Duration,
    is_watched: bool,
    mut line: impl FnMut(f64, f64) -> String,
) -> f64 {
    let start = Instant::now();
    let end = start + duration;
    let mut last = start;
    while is_watched && Instant::now() + INTERVAL < end {
        tokio::time::sleep(INTERVAL).await;
        let now = Instant::now();
        show(&line((now - start).as_secs_f64(), (now - last).as_secs_f64()));
        last = now;
    }
    tokio::time::sleep_until(end.into()).await;
    if is_watched {
        show("");
    }
    start.elapsed().as_secs_f64()
}
