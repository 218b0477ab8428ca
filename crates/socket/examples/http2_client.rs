//! Several WebSockets on one HTTP/2 connection: sends a line on each, and prints what comes back.
//!
//! ```text
//! http2_client URL [COUNT]
//! ```
//!
//! A `ws` URL is spoken to in HTTP/2 with prior knowledge. Exit status 0 when every socket was closed in order, 1 with the cause otherwise.

use std::error::Error;
use std::process::ExitCode;

use antiphon_socket::connect::Http2;
use antiphon_socket::proto::CloseCode;
use antiphon_socket::proto::handshake::WsUri;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("usage: http2_client URL [COUNT]")?;
    let count: u32 = arguments.next().map_or(Ok(3), |count| count.parse())?;
    let path = url.parse::<WsUri>()?.resource().to_owned();

    let server = Http2::connect(&url).await?;
    let mut sockets = Vec::new();
    for _ in 0..count {
        let (socket, _response) = server.open(&path).await?;
        sockets.push(socket);
    }
    for socket in &mut sockets {
        let line = format!("hello on stream {}", socket.get_ref().id());
        socket.send(line).await?;
    }
    for socket in &mut sockets {
        println!("{:?}", socket.recv().await?);
        let end = socket.close(CloseCode::NORMAL, "").await?;
        if !end.is_clean() {
            return Err(end.to_string().into());
        }
    }
    drop(sockets);
    server.close().await;
    Ok(())
}
