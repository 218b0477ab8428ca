//! The client's side of the tools: `connect`, `pub`, `sub`, `token`.

mod api;
mod conversation;
mod dial;
mod input;
mod publish;
mod settings;
mod subscribe;
mod talk;
mod token;

use std::io::{self, IsTerminal as _, Write as _};

use tokio::runtime::{Builder, LocalOptions};

use crate::cli::ConnectArgs;

pub(crate) use api::Api;
pub(crate) use conversation::{PONG, connect_command, connected, replies, text_of};
pub(crate) use dial::connector;
pub(crate) use publish::run as publish;
pub(crate) use subscribe::run as subscribe;
pub(crate) use token::run as token;

/// Runs a tool on this thread until it is done.
///
/// # Errors
/// Those of the tool, and when the operating system gives no event loop.
pub(crate) fn block_on(tool: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    runtime.map_err(|e| format!("the event loop: {e}"))?.block_on(tool)
}

/// `antiphon connect`.
///
/// # Errors
/// When no connection comes about, or it does not end in order.
pub(crate) fn connect(args: &ConnectArgs) -> Result<(), String> {
    block_on(async {
        let socket = dial::dial(args).await?;
        if io::stdin().is_terminal() {
            let _ = writeln!(io::stderr(), "connected to {}; each line is sent, Ctrl-D closes", args.url);
        }
        talk::talk(socket, input::lines(), args).await
    })
}
