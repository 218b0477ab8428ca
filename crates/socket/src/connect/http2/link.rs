//! The connection itself: its settings, and the task that drives it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use h2::client::{Builder, Connection, SendRequest};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::chunk::Chunk;
use super::fault::Http2Fault;
use super::slots::Slots;
use super::{Http2Config, MAX_WINDOW};

/// What the small-DATA budget of `h2` counts for each byte that a frame is shorter than this.
const SMALL_FRAME: usize = 256;

/// A connection that takes WebSockets.
pub(super) struct Link {
    pub(super) requests: SendRequest<Chunk>,
    pub(super) slots: Arc<Slots>,
    /// Closed when the connection has ended.
    pub(super) over: watch::Receiver<()>,
}

impl Link {
    /// Speaks HTTP/2 on `stream`, and waits until the server has said whether it takes WebSockets. A task is spawned that drives
    /// the connection until nobody uses it.
    pub(super) async fn new<S>(stream: S, config: &Http2Config, head: usize) -> Result<Self, Http2Fault>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(config.window.min(MAX_WINDOW))
            // Streams that are not read from fill their own windows. The connection's would be full of them, and stall the others.
            .initial_connection_window_size(MAX_WINDOW)
            .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
            .data_frame_budget(config.small_frames.saturating_mul(SMALL_FRAME));
        let (requests, mut connection) = builder.handshake(stream).await.map_err(Http2Fault::new)?;
        settle(&mut connection, &requests).await?;
        let slots = Arc::<Slots>::default();
        let (running, over) = watch::channel(());
        tokio::spawn(drive(connection, Arc::clone(&slots), running));
        Ok(Self { requests, slots, over })
    }
}

/// Drives the connection until the setting is there, or the answer to a PING is: SETTINGS are the first frame of a server (RFC
/// 9113 §3.4), so that a server whose PONG has come has sent them.
async fn settle<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<S, Chunk>,
    requests: &SendRequest<Chunk>,
) -> Result<(), Http2Fault> {
    let mut pings = connection.ping_pong();
    if let Some(pings) = &mut pings {
        pings.send_ping(h2::Ping::opaque()).map_err(Http2Fault::new)?;
    }
    poll_fn(|cx| {
        if let Poll::Ready(ended) = Pin::new(&mut *connection).poll(cx) {
            ended.map_err(Http2Fault::new)?;
            return Poll::Ready(Err(Http2Fault::Stream(std::io::ErrorKind::UnexpectedEof.into())));
        }
        if requests.is_extended_connect_protocol_enabled() {
            return Poll::Ready(Ok(()));
        }
        let Some(pings) = &mut pings else { return Poll::Pending };
        ready!(pings.poll_pong(cx)).map_err(Http2Fault::new)?;
        Poll::Ready(Err(Http2Fault::NoWebSockets))
    })
    .await
}

/// Drives the connection to its end. What goes wrong is told to each stream.
async fn drive<S: AsyncRead + AsyncWrite + Unpin>(
    mut connection: Connection<S, Chunk>,
    slots: Arc<Slots>,
    _running: watch::Sender<()>,
) {
    let mut allowed = connection.max_concurrent_send_streams();
    let _ = poll_fn(|cx| {
        let polled = Pin::new(&mut connection).poll(cx);
        let now = connection.max_concurrent_send_streams();
        if polled.is_ready() || now != allowed {
            allowed = now;
            slots.handle_change();
        }
        polled
    })
    .await;
}
