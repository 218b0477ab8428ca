//! Echo and broadcast on yawc, upgraded through hyper.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use yawc::{Frame, OpCode, Options, WebSocket};

fn keep(f: Frame) -> Option<Frame> {
    matches!(f.opcode(), OpCode::Text | OpCode::Binary).then_some(f)
}

fn main() {
    let o = peer_shell::opts();
    let tx = peer_shell::channel();
    peer_shell::serve(o.addr, move |stream| {
        let tx = tx.clone();
        async move {
            let upgrade = move |mut req: Request<Incoming>| {
                let tx = tx.clone();
                async move {
                    let mut options = Options::default().with_utf8().with_limits(16 << 20, 32 << 20);
                    if o.deflate {
                        options = options.with_balanced_compression();
                    }
                    let Ok((response, ws)) = WebSocket::upgrade_with_options(&mut req, options) else {
                        return Ok::<_, Infallible>(
                            Response::builder().status(400).body(Empty::<Bytes>::new()).expect("response"),
                        );
                    };
                    tokio::spawn(async move {
                        let ws = ws.await.ok()?;
                        if o.broadcast {
                            peer_shell::broadcast(ws, o, tx, keep).await
                        } else {
                            peer_shell::echo(ws, o, keep).await
                        }
                    });
                    Ok(response)
                }
            };
            let io = hyper_util::rt::TokioIo::new(stream);
            http1::Builder::new().serve_connection(io, service_fn(upgrade)).with_upgrades().await.ok()
        }
    });
}
