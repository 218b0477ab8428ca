//! An echo server on the turn interface: one thread, one write for all that one read brought.
//!
//! ```text
//! echo_server ADDRESS:PORT [--deflate]
//! ```

use std::borrow::Cow;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::sync::Arc;

use antiphon_socket::proto::{Config, Connection, Event, Kind, Limits};
use antiphon_socket::{AcceptError, Acceptor};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("usage: echo_server ADDRESS:PORT [--deflate]")?;
    let limits = Limits { frame: 16 << 20, message: 16 << 20, fragments: 131_072, ..Limits::default() };
    let acceptor = Arc::new(Acceptor {
        compression: arguments.any(|argument| argument == "--deflate"),
        config: Arc::new(Config { limits, ..Config::default() }),
        ..Acceptor::default()
    });
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let acceptor = Arc::clone(&acceptor);
        tokio::spawn(async move {
            if let Err(error) = serve(&acceptor, stream).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn serve(acceptor: &Acceptor, stream: TcpStream) -> Result<(), AcceptError> {
    let (mut socket, _) = acceptor.accept(stream, |_| Ok(())).await?;
    poll_fn(|cx| socket.poll_turn(cx, &mut echo)).await;
    Ok(())
}

fn echo(connection: &mut Connection, event: Event<'_>) -> ControlFlow<()> {
    // Sending fails only when the connection is closing: then the answer is of no use to anybody.
    let _ = match event {
        Event::Text(text) => connection.send_text(&text),
        Event::Binary(Cow::Borrowed(bytes)) => connection.send_binary(bytes),
        Event::Binary(Cow::Owned(bytes)) => connection.send_bytes(Kind::Binary, bytes),
        _ => Ok(()),
    };
    ControlFlow::Continue(())
}
