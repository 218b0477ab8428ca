//! One connection over HTTP/2: many requests and WebSockets at a time.
//!
//! ```text
//!   preface ─► hyper ─► router, the same as HTTP/1.1's ─► a page, a refusal
//!                                                      ├► 200 to CONNECT ─► the stream ─► socket (RFC 8441)
//!                                                      └► a pipe that a session writes to, or its answer to a poll
//! ```
//!
//! The connection stays with its worker. Its streams go to whichever worker their session is on.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;
use tokio::task::spawn_local;

use super::body::Body;
use super::rewind::Rewind;
use super::upgrade::Upgrade;
use super::{Taken, Then, Visitor, front, router};
use crate::resident::Head;
use crate::serve::{Seat, Worker};
use crate::stream::{H2Stream, Stream};

/// What a peer may send on one stream before it is read, in bytes.
const STREAM_WINDOW: u32 = 64 * 1024;
/// And on all streams together. The budget of h2 for small frames that wait is half of it: four WebSockets that are not read
/// may be filled with the smallest messages.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// The headers of a request, decompressed, in bytes. The same as in HTTP/1.1.
const HEADERS: u32 = 16 * 1024;
/// Streams that the peer has reset before they were looked at. One more ends the connection (CVE-2023-44487).
const RESETS: usize = 20;
/// Streams that had to be reset here for the peer's mistakes. One more ends the connection (CVE-2025-8671).
const ERRORS: usize = 256;
/// What waits to be sent on one stream, in bytes.
const SEND_BUFFER: usize = 64 * 1024;
/// What a session may write ahead of the connection, in bytes.
const PIPE: usize = 16 * 1024;

/// Serves a connection on which `first` has been read, until it ends.
pub(super) async fn serve(worker: Rc<Worker>, stream: Stream, peer: IpAddr, first: Bytes, seat: Seat) {
    let config = worker.settings().config.http2.clone();
    worker.shared().counts.http2.add(1);
    let visitor = Visitor { peer, is_tls: stream.is_tls() };
    let service = service_fn(move |request| {
        let worker = Rc::clone(&worker);
        Box::pin(async move { io::Result::Ok(answer(&worker, visitor, request).await) })
    });
    let mut connection = http2::Builder::new(Here)
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(config.max_concurrent_streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADERS)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(ERRORS)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(config.ping_interval.0)
        .keep_alive_timeout(config.ping_timeout.0)
        .serve_connection(TokioIo::new(Rewind::new(first, stream, Rc::default())), service);
    let mut told = false;
    let outcome = poll_fn(|cx| {
        if !told && seat.poll_draining(cx).is_ready() {
            told = true;
            // No more requests. Those that are answered, and sockets, which hear of the end by themselves, go on.
            Pin::new(&mut connection).graceful_shutdown();
        }
        Pin::new(&mut connection).poll(cx)
    })
    .await;
    if let Err(error) = outcome {
        tracing::debug!(remote = %peer, %error, "an HTTP/2 connection ended");
    }
}

/// Runs what belongs to a connection in tasks of the same worker.
#[derive(Debug, Clone, Copy)]
struct Here;

impl<F: Future<Output = ()> + 'static> Executor<F> for Here {
    fn execute(&self, task: F) {
        drop(spawn_local(task));
    }
}

async fn answer(worker: &Rc<Worker>, visitor: Visitor, mut request: Request<Incoming>) -> Response<Body> {
    let is_head = request.method() == Method::HEAD;
    let upgrading = (request.method() == Method::CONNECT).then(|| hyper::upgrade::on(&mut request));
    let (response, then) = router::answer(worker, visitor, request).await;
    let peer = visitor.peer;
    match (then, upgrading) {
        (Some(Then::Take(taken)), _) => return take(worker, peer, taken).await,
        (Some(Then::Upgrade(upgrade)), Some(upgrading)) => {
            drop(spawn_local(open(Rc::clone(worker), peer, upgrading, upgrade)));
        }
        _ => {}
    }
    if is_head {
        return without_body(response);
    }
    response.map(Body::Full)
}

/// The head alone, with the length that the body would have (RFC 9110 §9.3.2). hyper does this in HTTP/1.1 only.
fn without_body(mut response: Response<Full<Bytes>>) -> Response<Body> {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response.map(|_| Body::Full(Full::default()))
}

/// Starts a WebSocket once its 200 is on its way.
async fn open(worker: Rc<Worker>, peer: IpAddr, upgrading: OnUpgrade, upgrade: Upgrade) {
    match upgrading.await {
        Ok(upgraded) => {
            let stream = Stream::H2(Box::new(H2Stream { upgraded: TokioIo::new(upgraded), peer }));
            front::start(worker, stream, Bytes::new(), upgrade);
        }
        Err(error) => tracing::debug!(remote = %peer, %error, "a stream ended before its WebSocket began"),
    }
}

/// Lets a session write the response: the head first, and the body through a pipe.
async fn take(worker: &Rc<Worker>, peer: IpAddr, mut taken: Taken) -> Response<Body> {
    let (near, far) = tokio::io::duplex(PIPE);
    let (sender, head) = oneshot::channel();
    taken.reply_mut().head = Some(sender);
    front::take(worker, Stream::Pipe(Box::new(near), peer), peer, BytesMut::new(), taken);
    let Ok(Head { status, content_type, headers }) = head.await else {
        // A session that ends without an answer has been told that its client has gone.
        return router::plain(StatusCode::GONE, "The session has ended.\n").map(Body::Full);
    };
    let mut response = Response::new(Body::Piped(far));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
