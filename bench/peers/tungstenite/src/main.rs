//! Echo and broadcast on tokio-tungstenite.

use tokio_tungstenite::tungstenite::{Error, Message, protocol::WebSocketConfig};

fn keep(m: Result<Message, Error>) -> Option<Message> {
    m.ok().filter(|m| m.is_text() || m.is_binary())
}

fn main() {
    let o = peer_shell::opts();
    let tx = peer_shell::channel();
    peer_shell::serve(o.addr, move |stream| {
        let tx = tx.clone();
        async move {
            let mut config = WebSocketConfig::default();
            if o.tuned {
                config = config.read_buffer_size(8192);
            }
            let ws = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await.ok()?;
            if o.broadcast {
                peer_shell::broadcast(ws, o, tx, keep).await
            } else {
                peer_shell::echo(ws, o, keep).await
            }
        }
    });
}
