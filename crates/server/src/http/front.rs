//! One connection, from its first byte to its end or to its upgrade.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use crate::stream::Stream;
use antiphon_proto::handshake::Refusal;
use bytes::{Bytes, BytesMut};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::spawn_local;

use super::h2;
use super::head::{self, First, NoHead};
use super::rewind::Rewind;
use super::upgrade::{Kind, Upgrade};
use super::{Taken, Then, Visitor, router};
use crate::metrics::Endpoint;
use crate::resident::{self, Carrier, Connection, EventStream, Events};
use crate::serve::Worker;
use crate::socket::{self, Echo, Opened, Raw};

/// Serves a connection: requests, one after the other, until one of them becomes a WebSocket, or a response that others write.
pub(crate) async fn serve(worker: Rc<Worker>, stream: Stream, peer: IpAddr) {
    converse(worker, stream, peer, BytesMut::new()).await;
}

/// Serves a connection on, after a response that was written elsewhere.
pub(crate) fn go_on(worker: &Rc<Worker>, connection: Connection) {
    let Connection { stream, peer, read, reply } = connection;
    if reply.keeps_alive {
        drop(spawn_local(converse(Rc::clone(worker), stream, peer, read)));
    } else {
        drop(spawn_local(head::close(stream)));
    }
}

/// `read` is what was read from the stream already.
async fn converse(worker: Rc<Worker>, mut stream: Stream, peer: IpAddr, read: BytesMut) {
    let seat = worker.roster.seat();
    let settings = worker.settings();
    let (limits, speaks_http2) = (settings.handshake.limits, !settings.config.http2.disabled);
    drop(settings);
    let first = tokio::select! {
        first = head::read(&mut stream, read, limits, speaks_http2) => first,
        () = poll_fn(|cx| seat.poll_draining(cx)) => return,
    };
    let first = match first {
        Ok(First::Head(first)) => first,
        Ok(First::Preface(first)) => return drop(spawn_local(h2::serve(worker, stream, peer, first, seat))),
        Err(NoHead::Gone) => return,
        Err(NoHead::Refused(refusal)) => return refuse(&worker, stream, peer, &refusal).await,
    };

    let then = Rc::new(RefCell::new(None));
    let visitor = Visitor { peer, is_tls: stream.is_tls() };
    let (state, slot) = (Rc::clone(&worker), Rc::clone(&then));
    let service = service_fn(move |request| {
        let (state, slot) = (Rc::clone(&state), Rc::clone(&slot));
        Box::pin(async move {
            let (response, then) = router::answer(&state, visitor, request).await;
            let is_taken = matches!(then, Some(Then::Take(_)));
            *slot.borrow_mut() = then;
            if is_taken {
                // The connection is taken apart before this would be answered.
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(response)
        })
    });
    let unflushed = Rc::new(Cell::new(false));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head::TIMEOUT)
        .max_buf_size(limits.bytes)
        .max_headers(limits.headers)
        // Who has ended its side after the request still gets the answer.
        .half_close(true)
        .serve_connection(TokioIo::new(Rewind::new(first, stream, Rc::clone(&unflushed))), service);

    let mut told = false;
    let outcome = poll_fn(|cx| {
        if !told && seat.poll_draining(cx).is_ready() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        let outcome = connection.poll_without_shutdown(cx);
        // What was answered before has to be written before others write.
        let is_taken = matches!(&*then.borrow(), Some(Then::Take(_))) && !unflushed.get();
        if outcome.is_pending() && is_taken { Poll::Ready(Ok(())) } else { outcome }
    })
    .await;
    let parts = connection.into_parts();
    let (stream, read) = parts.io.into_inner().into_parts(parts.read_buf);
    match (outcome, then.take()) {
        (Ok(()), Some(Then::Upgrade(upgrade))) => start(worker, stream, read, upgrade),
        (Ok(()), Some(Then::Take(taken))) => take(&worker, stream, peer, BytesMut::from(&*read), taken),
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

/// Lets a session write the response, in a task of its own.
pub(super) fn take(worker: &Rc<Worker>, stream: Stream, peer: IpAddr, read: BytesMut, taken: Taken) {
    let limit = worker.settings().config.client.options.queue_max_size;
    let connection = |stream, reply| Connection { stream, peer, read, reply };
    match taken {
        Taken::Stream { dialect, said, origin, pass, reply } => {
            let stream = EventStream::new(stream, dialect, reply, limit);
            resident::start(worker, Carrier::Stream(Box::new(stream)), origin, pass, said);
        }
        Taken::Events { wish, token, origin, pass, reply } => {
            let said = wish.commands(&token).into();
            let events = Events::new(stream, reply, wish, limit, Instant::now());
            resident::start(worker, Carrier::Events(Box::new(events)), origin, pass, said);
        }
        Taken::FirstPoll { request, origin, pass, reply } => {
            resident::start_poll(worker, connection(stream, reply), origin, pass, request);
        }
        Taken::Poll { request, reply } => resident::go_on(worker, connection(stream, reply), request),
    }
}

/// Answers what could not be read.
async fn refuse(worker: &Worker, stream: Stream, peer: IpAddr, refusal: &Refusal) {
    worker.shared().counts.request(Endpoint::Unread, refusal.status());
    head::refuse(stream, peer, refusal).await;
}

/// Runs the WebSocket in a task of its own: this one has had room for hyper, and is freed.
pub(super) fn start(worker: Rc<Worker>, stream: Stream, read: Bytes, upgrade: Upgrade) {
    let Upgrade { kind, pass } = upgrade;
    let opened = |agreed| Opened { worker, stream, read, agreed, pass };
    match kind {
        Kind::Echo(agreed) => drop(spawn_local(Echo::new(opened(agreed)))),
        Kind::Raw(agreed, channel) => drop(spawn_local(Raw::new(opened(agreed), channel))),
        Kind::Client(agreed, origin) => socket::start_client(opened(agreed), origin),
    }
}
