//! Echo and broadcast on sockudo-ws, accepted from the bare stream.

use sockudo_ws::deflate::{DeflateConfig, negotiate_server_deflate};
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::server::WebSocketServer;
use sockudo_ws::{CompressedWebSocketStream, Config, Error, Http1, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn keep(m: Result<Message, Error>) -> Option<Message> {
    m.ok().filter(|m| matches!(m, Message::Text(_) | Message::Binary(_)))
}

/// The crate's own `accept` negotiates no extension, so this follows its compressed example.
async fn accept_deflate(
    mut stream: TcpStream,
    config: Config,
) -> Option<CompressedWebSocketStream<TcpStream>> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
        if let Some((req, _)) = parse_request(&head).ok()? {
            let agreed = negotiate_server_deflate(req.extensions?, &DeflateConfig::default())?;
            let response =
                build_response(&generate_accept_key(req.key), None, Some(&agreed.to_response_header()));
            stream.write_all(&response).await.ok()?;
            return Some(CompressedWebSocketStream::server(stream, config, agreed.config));
        }
    }
}

fn main() {
    let o = peer_shell::opts();
    let tx = peer_shell::channel();
    peer_shell::serve(o.addr, move |stream| {
        let tx = tx.clone();
        async move {
            let config = Config::builder().max_payload_length(16 << 20).max_backpressure(16 << 20).build();
            if o.deflate {
                let ws = accept_deflate(stream, config).await?;
                return if o.broadcast {
                    peer_shell::broadcast(ws, o, tx, keep).await
                } else {
                    peer_shell::echo(ws, o, keep).await
                };
            }
            let (ws, _) = WebSocketServer::<Http1>::new(config).accept_raw(stream).await.ok()?;
            if o.broadcast {
                peer_shell::broadcast(ws, o, tx, keep).await
            } else {
                peer_shell::echo(ws, o, keep).await
            }
        }
    });
}
