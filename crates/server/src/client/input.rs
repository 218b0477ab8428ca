//! Standard input, line by line.

use std::io::{self, BufRead as _};
use std::thread;

use tokio::sync::mpsc;

/// Lines that may wait to be sent.
const AHEAD: usize = 16;

/// The lines of standard input, without what ends them. A thread reads them, since reading from a terminal can only be waited for.
pub(super) fn lines() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let read = input.read_until(b'\n', &mut line);
            if line.ends_with(b"\n") {
                line.pop();
            }
            let last = !matches!(read, Ok(1..));
            let item = match read {
                Ok(0) => return,
                Ok(_) => Ok(line),
                Err(error) => Err(error),
            };
            if sender.blocking_send(item).is_err() || last {
                return;
            }
        }
    });
    receiver
}
