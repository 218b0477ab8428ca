//! An echo client: sends back every message until the server closes.
//!
//! ```text
//! echo_client URL [--deflate]
//! ```
//!
//! Exit status 0 after an orderly close, 1 with the cause otherwise. The limits are those of the echo server, so that both
//! can be put through the suites of `conformance/`.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use antiphon_socket::Connector;
use antiphon_socket::proto::{Config, Limits};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match echo().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn echo() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("usage: echo_client URL [--deflate]")?;
    let limits = Limits { frame: 16 << 20, message: 16 << 20, fragments: 131_072, ..Limits::default() };
    let connector = Connector {
        compression: arguments.any(|argument| argument == "--deflate"),
        config: Arc::new(Config { limits, ..Config::default() }),
        ..Connector::default()
    };
    let (mut socket, _response) = connector.connect(url.as_str()).await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
