//! The client's side of the tools: opening a WebSocket, and talking through one.

mod dial;
mod input;
mod talk;

use std::io::{self, IsTerminal as _, Write as _};

use tokio::runtime::{Builder, LocalOptions};

use crate::cli::ConnectArgs;

pub(crate) use dial::connector;

/// `antiphon connect`.
///
/// # Errors
/// When no connection comes about, or it does not end in order.
pub(crate) fn run(args: &ConnectArgs) -> Result<(), String> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    runtime.map_err(|e| format!("the event loop: {e}"))?.block_on(async {
        let socket = dial::dial(args).await?;
        if io::stdin().is_terminal() {
            let _ = writeln!(io::stderr(), "connected to {}; each line is sent, Ctrl-D closes", args.url);
        }
        talk::talk(socket, input::lines(), args).await
    })
}
