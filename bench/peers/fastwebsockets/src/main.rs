//! Echo and broadcast on fastwebsockets, upgraded through hyper.

use std::sync::Arc;

use bytes::Bytes;
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError, upgrade,
};
use http_body_util::Empty;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use tokio::sync::{Mutex, broadcast};

async fn echo(fut: upgrade::UpgradeFut) -> Result<(), WebSocketError> {
    let mut ws = FragmentCollector::new(fut.await?);
    loop {
        let frame = ws.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => ws.write_frame(frame).await?,
            _ => {}
        }
    }
}

type Item = (OpCode, Arc<[u8]>);

async fn broadcast(fut: upgrade::UpgradeFut, tx: broadcast::Sender<Item>) -> Result<(), WebSocketError> {
    let (read, write) = fut.await?.split(tokio::io::split);
    let mut read = FragmentCollectorRead::new(read);
    let write = Arc::new(Mutex::new(write));
    let mut rx = tx.subscribe();
    let writer = write.clone();
    let task = tokio::spawn(async move {
        while let Ok((op, data)) = rx.recv().await {
            let frame = Frame::new(true, op, None, Payload::Borrowed(&data));
            if writer.lock().await.write_frame(frame).await.is_err() {
                break;
            }
        }
    });
    let end = loop {
        let mut obligated = |f| {
            let write = write.clone();
            async move { write.lock().await.write_frame(f).await }
        };
        match read.read_frame::<_, WebSocketError>(&mut obligated).await {
            Ok(f) if f.opcode == OpCode::Close => break Ok(()),
            Ok(f) if matches!(f.opcode, OpCode::Text | OpCode::Binary) => {
                let _ = tx.send((f.opcode, Arc::from(&f.payload[..])));
            }
            Ok(_) => {}
            Err(e) => break Err(e),
        }
    };
    task.abort();
    end
}

fn main() {
    let o = peer_shell::opts();
    let tx = peer_shell::channel();
    peer_shell::serve(o.addr, move |stream| {
        let tx = tx.clone();
        async move {
            let service = move |mut req: Request<Incoming>| {
                let tx = tx.clone();
                async move {
                    let (response, fut): (Response<Empty<Bytes>>, _) = upgrade::upgrade(&mut req)?;
                    tokio::spawn(async move {
                        if o.broadcast { broadcast(fut, tx).await } else { echo(fut).await }
                    });
                    Ok::<_, WebSocketError>(response)
                }
            };
            let io = hyper_util::rt::TokioIo::new(stream);
            http1::Builder::new().serve_connection(io, service_fn(service)).with_upgrades().await.ok()
        }
    });
}
