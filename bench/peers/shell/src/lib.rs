//! What the servers under test share: the command line, the runtime, the accept loop, and, for the peers whose API is
//! `Stream + Sink`, the echo and broadcast loops too, so that all are alike.
//!
//! `peer-X echo|broadcast IP:PORT [--deflate] [--batch|--tuned]`

use std::future::{Future, poll_fn};
use std::net::SocketAddrV4;
use std::pin::Pin;
use std::task::Poll;

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::broadcast;

/// What the command line asks for.
#[derive(Clone, Copy)]
pub struct Opts {
    pub addr: SocketAddrV4,
    pub broadcast: bool,
    pub deflate: bool,
    /// Flush when no more input is ready, instead of after each message.
    pub batch: bool,
    /// Receive buffers of 8 KiB where the default is far more; implies `batch`.
    pub tuned: bool,
}

/// Reads the command line, and raises the limit of open files as far as it goes.
pub fn opts() -> Opts {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let (Some(shape @ ("echo" | "broadcast")), Some(Ok(addr))) =
        (args.first().map(String::as_str), args.get(1).map(|addr| addr.parse()))
    else {
        eprintln!("usage: echo|broadcast IP:PORT [--deflate] [--batch|--tuned]");
        std::process::exit(2);
    };
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("limit of open files");
    Opts {
        addr,
        broadcast: shape == "broadcast",
        deflate: has("--deflate"),
        batch: has("--batch") || has("--tuned"),
        tuned: has("--tuned"),
    }
}

/// Runs `handler` for each connection, on a single-threaded runtime.
pub fn serve<F, Fut>(addr: SocketAddrV4, handler: F)
where
    F: Fn(TcpStream) -> Fut,
    Fut: Future<Output = Option<()>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async move {
        let socket = TcpSocket::new_v4().expect("socket");
        socket.set_reuseaddr(true).expect("SO_REUSEADDR");
        socket.bind(addr.into()).expect("bind");
        let listener = socket.listen(4096).expect("listen");
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            if stream.set_nodelay(true).is_ok() {
                tokio::spawn(handler(stream));
            }
        }
    });
}

/// Carries publications from the connection they came in on to all.
pub fn channel<T: Clone>() -> broadcast::Sender<T> {
    broadcast::channel(1024).0
}

/// The next item if it is there already.
async fn ready<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|cx| match Pin::new(&mut *stream).poll_next(cx) {
        Poll::Ready(item) => Poll::Ready(item),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Sends back what `keep` makes of each item; it makes `None` of control messages and errors.
pub async fn echo<W, I, M>(mut ws: W, o: Opts, keep: impl Fn(I) -> Option<M>) -> Option<()>
where
    W: Stream<Item = I> + Sink<M> + Unpin,
{
    let mut batch = Vec::new();
    while let Some(item) = ws.next().await {
        let Some(message) = keep(item) else { continue };
        if !o.batch {
            ws.send(message).await.ok()?;
            continue;
        }
        // All that is ready is read first: some libraries flush when they are asked for input.
        batch.push(message);
        while batch.len() < 64
            && let Some(item) = ready(&mut ws).await
        {
            batch.extend(keep(item));
        }
        for message in batch.drain(..) {
            ws.feed(message).await.ok()?;
        }
        ws.flush().await.ok()?;
    }
    Some(())
}

/// Sends what any connection received to every connection, over a tokio broadcast channel.
pub async fn broadcast<W, I, M>(
    mut ws: W,
    o: Opts,
    tx: broadcast::Sender<M>,
    keep: impl Fn(I) -> Option<M>,
) -> Option<()>
where
    W: Stream<Item = I> + Sink<M> + Unpin,
    M: Clone,
{
    let mut rx = tx.subscribe();
    loop {
        tokio::select! {
            item = ws.next() => {
                if let Some(message) = keep(item?) {
                    tx.send(message).ok()?;
                }
            }
            message = rx.recv() => {
                if !o.batch {
                    ws.send(message.ok()?).await.ok()?;
                    continue;
                }
                ws.feed(message.ok()?).await.ok()?;
                while let Ok(message) = rx.try_recv() {
                    ws.feed(message).await.ok()?;
                }
                ws.flush().await.ok()?;
            }
        }
    }
}
