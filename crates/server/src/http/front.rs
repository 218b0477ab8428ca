//! One connection, from its first byte to its end or to its upgrade.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;

use crate::stream::Stream;
use antiphon_proto::handshake::Refusal;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::spawn_local;

use super::head::{self, NoHead};
use super::rewind::Rewind;
use super::router;
use super::upgrade::{Kind, Upgrade};
use crate::metrics::Endpoint;
use crate::serve::Worker;
use crate::socket::{Client, Echo, Opened, Raw};

/// Serves a connection: requests, one after the other, until one of them becomes a WebSocket.
pub(crate) async fn serve(worker: Rc<Worker>, mut stream: Stream, peer: IpAddr) {
    let seat = worker.roster.seat();
    let limits = worker.settings().handshake.limits;
    let first = tokio::select! {
        first = head::read(&mut stream, limits) => first,
        () = poll_fn(|cx| seat.poll_draining(cx)) => return,
    };
    let first = match first {
        Ok(first) => first,
        Err(NoHead::Gone) => return,
        Err(NoHead::Refused(refusal)) => return refuse(&worker, stream, peer, &refusal).await,
    };

    let upgrade = Rc::new(RefCell::new(None));
    let (state, slot) = (Rc::clone(&worker), Rc::clone(&upgrade));
    let service = service_fn(move |request| {
        let (state, slot) = (Rc::clone(&state), Rc::clone(&slot));
        Box::pin(async move {
            let (response, upgrade) = router::answer(&state, peer, request).await;
            *slot.borrow_mut() = upgrade;
            Ok::<_, Infallible>(response)
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head::TIMEOUT)
        .max_buf_size(limits.bytes)
        .max_headers(limits.headers)
        // Who has ended its side after the request still gets the answer.
        .half_close(true)
        .serve_connection(TokioIo::new(Rewind::new(first, stream)), service);

    let mut told = false;
    let outcome = poll_fn(|cx| {
        if !told && seat.poll_draining(cx).is_ready() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(cx)
    })
    .await;
    let parts = connection.into_parts();
    let (stream, read) = parts.io.into_inner().into_parts(parts.read_buf);
    match (outcome, upgrade.take()) {
        (Ok(()), Some(upgrade)) => start(worker, stream, read, upgrade),
        (Ok(()), None) => head::close(stream).await,
        (Err(error), _) if error.is_timeout() && !read.is_empty() => {
            refuse(&worker, stream, peer, &Refusal::timeout()).await;
        }
        (Err(error), _) => {
            // Where the request was wrong, hyper has answered it.
            tracing::debug!(remote = %peer, %error, "an HTTP connection ended");
            head::close(stream).await;
        }
    }
}

/// Answers what could not be read.
async fn refuse(worker: &Worker, stream: Stream, peer: IpAddr, refusal: &Refusal) {
    worker.shared().counts.request(Endpoint::Unread, refusal.status());
    head::refuse(stream, peer, refusal).await;
}

/// Runs the WebSocket in a task of its own: this one has had room for hyper, and is freed.
fn start(worker: Rc<Worker>, stream: Stream, read: Bytes, upgrade: Upgrade) {
    let Upgrade { kind, pass } = upgrade;
    let opened = |agreed| Opened { worker, stream, read, agreed, pass };
    match kind {
        Kind::Echo(agreed) => drop(spawn_local(Echo::new(opened(agreed)))),
        Kind::Raw(agreed, channel) => drop(spawn_local(Raw::new(opened(agreed), channel))),
        Kind::Client(agreed, origin) => match Client::new(opened(agreed), origin) {
            Ok(client) => drop(spawn_local(client)),
            Err(error) => tracing::error!(%error, "no randomness for the id of a client"),
        },
    }
}
