//! Echo and broadcast on tokio-websockets. Settings as in its own echo example: no frame splitting, no limits.

use tokio_websockets::{Config, Error, Limits, Message, ServerBuilder};

fn keep(m: Result<Message, Error>) -> Option<Message> {
    m.ok().filter(|m| m.is_text() || m.is_binary())
}

fn main() {
    let o = peer_shell::opts();
    let tx = peer_shell::channel();
    peer_shell::serve(o.addr, move |stream| {
        let tx = tx.clone();
        async move {
            let builder = ServerBuilder::new()
                .config(Config::default().frame_size(usize::MAX))
                .limits(Limits::unlimited());
            let (_, ws) = builder.accept(stream).await.ok()?;
            if o.broadcast {
                peer_shell::broadcast(ws, o, tx, keep).await
            } else {
                peer_shell::echo(ws, o, keep).await
            }
        }
    });
}
