//! The routes, and what stands at each of them.

use antiphon_proto::handshake::Refusal;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, Response, StatusCode};

use super::upgrade::{self, Upgrade};
use super::{asset, guard};
use crate::assets;
use crate::serve::{Settings, Worker};

/// A response and, where it is a 101, what follows it.
type Answer = (Response<Full<Bytes>>, Option<Upgrade>);

/// Answers a request.
pub(super) fn answer(worker: &Worker, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let settings = &*worker.settings;
    let has_body = !hyper::body::Body::is_end_stream(&body);
    let (mut response, upgrade) = match guard::check(&parts, settings.loopback_only) {
        Err((status, sentence)) => refusal(&Refusal::application(status, &sentence)),
        Ok(()) => match route(parts.uri.path(), settings) {
            Route::Socket(socket) => match upgrade::accept(&parts, settings, socket) {
                Ok((response, upgrade)) => (response.map(|()| Full::default()), Some(upgrade)),
                Err(refused) => refusal(&refused),
            },
            _ if parts.method != Method::GET && parts.method != Method::HEAD => {
                let sentence = format!("{} is not allowed here; use GET or HEAD.\n", parts.method);
                let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, &sentence);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                (response, None)
            }
            Route::Asset(file) => (asset::response(&file, &parts.headers), None),
            Route::Health => (plain(StatusCode::OK, "ok\n"), None),
            Route::Ready if worker.roster.is_draining() => {
                (plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n"), None)
            }
            Route::Ready => (plain(StatusCode::OK, "ready\n"), None),
            Route::None => (plain(StatusCode::NOT_FOUND, "There is nothing at this path.\n"), None),
        },
    };
    // No route takes a body: what comes of it is not read, so no other request can follow it.
    if has_body {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    (response, upgrade)
}

/// What stands at a path.
enum Route<'p> {
    Socket(Socket<'p>),
    Asset(assets::Asset),
    Health,
    Ready,
    None,
}

/// A WebSocket endpoint.
#[derive(Clone, Copy)]
pub(super) enum Socket<'p> {
    Echo,
    /// With the channel as the path has it.
    Raw(&'p str),
    Client,
}

fn route<'p>(path: &'p str, settings: &Settings) -> Route<'p> {
    match path {
        "/echo" if settings.config.echo.enabled => Route::Socket(Socket::Echo),
        "/connection/websocket" => Route::Socket(Socket::Client),
        "/health" => Route::Health,
        "/ready" => Route::Ready,
        _ => match path.strip_prefix("/raw/") {
            Some(channel) if !channel.contains('/') => Route::Socket(Socket::Raw(channel)),
            Some(_) => Route::None,
            None if settings.development => assets::asset(path).map_or(Route::None, Route::Asset),
            None => Route::None,
        },
    }
}

/// A short text.
fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refusal(refusal: &Refusal) -> Answer {
    tracing::debug!(%refusal, "refused");
    (refusal.to_http().map(|body| Full::new(Bytes::from(body))), None)
}
