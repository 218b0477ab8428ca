//! The routes, and what stands at each of them.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

use antiphon_proto::handshake::Refusal;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request;
use hyper::{Method, Request, Response, StatusCode};

use super::downlink::{self, Downlink};
use super::upgrade::{self, Upgrade};
use super::{Then, Visitor, asset, guard};
use crate::metrics::{ApiOutcome, Endpoint};
use crate::serve::{Full as GateFull, Settings, Transport, Worker};
use crate::{admin, api, assets, metrics};

/// A response, and what follows it or stands for it.
pub(super) type Answer = (Response<Full<Bytes>>, Option<Then>);

/// The longest body of a request, in bytes.
const BODY: usize = 16 * 1024 * 1024;

/// Answers a request.
pub(super) async fn answer(worker: &Rc<Worker>, visitor: Visitor, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let settings = worker.settings();
    let route = route(parts.uri.path(), &settings);
    let mut answer = answer_at(worker, &settings, visitor, &parts, body, route).await;
    if let Route::Admin = route {
        admin::secure(&mut answer.0);
    }
    worker.shared().counts.request(route.endpoint(), answer.0.status().as_u16());
    answer
}

async fn answer_at(
    worker: &Rc<Worker>,
    settings: &Settings,
    visitor: Visitor,
    parts: &request::Parts,
    body: Incoming,
    route: Route<'_>,
) -> Answer {
    let has_body = !body.is_end_stream();
    let peer = visitor.peer;
    if let Err((status, sentence)) = guard::check(parts, settings.loopback_only) {
        return closing(refusal(peer, &Refusal::application(status, &sentence)), has_body);
    }
    if let Route::Downlink(downlink) = route {
        return downlink::answer(worker, settings, peer, parts, body, downlink).await;
    }
    if let Route::Api(method) = route {
        let response = api_answer(worker, settings, parts, method, body).await;
        worker.shared().counts.api(method, outcome(&response));
        return (response, None);
    }
    if let Route::Admin = route {
        return (admin::answer(worker, settings, visitor, parts, body).await, None);
    }
    let answer = match route {
        Route::Socket(socket) => upgrade(worker, settings, peer, parts, socket),
        _ if parts.method != Method::GET && parts.method != Method::HEAD => {
            (not_allowed(&parts.method, "GET, HEAD"), None)
        }
        Route::Proof(token) => {
            let proof = worker.shared().tls.as_ref().and_then(|tls| tls.proof(token));
            (proof.map_or_else(nothing, |proof| plain(StatusCode::OK, &proof)), None)
        }
        Route::Asset(file) => (asset::response(&file, &parts.headers), None),
        Route::Health => (plain(StatusCode::OK, "ok\n"), None),
        Route::Ready if worker.roster.is_draining() => {
            (plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n"), None)
        }
        Route::Ready => (plain(StatusCode::OK, "ready\n"), None),
        Route::Metrics => (metrics::answer(worker.shared()), None),
        Route::OpenApi => (api::open_api(), None),
        Route::Api(_) | Route::Downlink(_) | Route::Admin | Route::None => (nothing(), None),
    };
    closing(answer, has_body)
}

fn nothing() -> Response<Full<Bytes>> {
    plain(StatusCode::NOT_FOUND, "There is nothing at this path.\n")
}

/// What comes of a body that is not read: no other request can follow it.
pub(super) fn closing((mut response, upgrade): Answer, has_body: bool) -> Answer {
    if has_body {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    (response, upgrade)
}

fn upgrade(
    worker: &Rc<Worker>,
    settings: &Settings,
    peer: IpAddr,
    parts: &request::Parts,
    socket: Socket<'_>,
) -> Answer {
    let upgrade = match upgrade::accept(parts, worker, settings, peer, socket) {
        Ok(upgrade) => upgrade,
        Err(refused) => return refusal(peer, &refused),
    };
    let client = &settings.config.client;
    let pass = worker.shared().gate.enter(
        peer,
        socket.transport(),
        Instant::now(),
        client.connection_limit,
        client.connection_rate_limit,
    );
    match pass {
        Ok(pass) => {
            let (response, kind) = upgrade;
            (response.map(|()| Full::default()), Some(Then::Upgrade(Upgrade { kind, pass })))
        }
        Err(gate) => full(peer, gate),
    }
}

/// What hears who is not let in.
pub(super) fn full(peer: IpAddr, gate: GateFull) -> Answer {
    let (status, sentence) = match gate {
        GateFull::InAll => (503, "This server has as many connections as it takes; try again later."),
        GateFull::FromAddress => (429, "Your address opens connections too fast; try again in a second."),
    };
    let mut answer = refusal(peer, &Refusal::application(status, sentence));
    answer.0.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

async fn api_answer(
    worker: &Rc<Worker>,
    settings: &Settings,
    parts: &request::Parts,
    method: &str,
    body: Incoming,
) -> Response<Full<Bytes>> {
    if parts.method != Method::POST {
        return not_allowed(&parts.method, "POST");
    }
    // Who may not call it need not be listened to.
    if let Err(refusal) = settings.access.check(parts) {
        return closing((refusal.into_response(), None), !body.is_end_stream()).0;
    }
    let body = match Limited::new(body, BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            tracing::debug!(error, "the body of a request was not read");
            let sentence = format!("The body could not be read, or has more than {BODY} bytes.\n");
            let mut response = plain(StatusCode::PAYLOAD_TOO_LARGE, &sentence);
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            return response;
        }
    };
    let response = api::answer(&worker.node, &settings.access, parts, method, body).await;
    // What was published is for members of this worker as well.
    worker.local.deliver();
    response
}

/// How a request to the server API ended.
fn outcome(response: &Response<Full<Bytes>>) -> ApiOutcome {
    let by_status = match response.status() {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ApiOutcome::Refused,
        status if status.is_success() => ApiOutcome::Done,
        _ => ApiOutcome::Failed,
    };
    response.extensions().get().copied().unwrap_or(by_status)
}

/// What stands at a path.
#[derive(Clone, Copy)]
enum Route<'p> {
    Socket(Socket<'p>),
    Downlink(Downlink),
    Asset(assets::Asset),
    /// The inspector: everything at and below `/admin`.
    Admin,
    Health,
    Ready,
    Metrics,
    OpenApi,
    /// With the method; empty for what stands in the body.
    Api(&'p str),
    /// For the authority that certificates come from, with its token (RFC 8555 §8.3).
    Proof(&'p str),
    None,
}

impl Route<'_> {
    /// As it is counted.
    fn endpoint(self) -> Endpoint {
        match self {
            Self::Socket(Socket::Client) => Endpoint::WebSocket,
            Self::Socket(Socket::Raw(_)) => Endpoint::Raw,
            Self::Socket(Socket::Echo) => Endpoint::Echo,
            Self::Downlink(Downlink::HttpStream) => Endpoint::HttpStream,
            Self::Downlink(Downlink::Sse) => Endpoint::Sse,
            Self::Downlink(Downlink::Poll) => Endpoint::Poll,
            Self::Downlink(Downlink::Events) => Endpoint::EventSource,
            Self::Downlink(Downlink::Emulation) => Endpoint::Emulation,
            Self::Asset(_) => Endpoint::Asset,
            Self::Admin => Endpoint::Admin,
            Self::Health | Self::Ready => Endpoint::Health,
            Self::Metrics => Endpoint::Metrics,
            Self::OpenApi | Self::Api(_) => Endpoint::Api,
            Self::Proof(_) | Self::None => Endpoint::None,
        }
    }
}

/// A WebSocket endpoint.
#[derive(Clone, Copy)]
pub(super) enum Socket<'p> {
    Echo,
    /// With the channel as the path has it.
    Raw(&'p str),
    Client,
}

impl Socket<'_> {
    fn transport(self) -> Transport {
        match self {
            Self::Client => Transport::WebSocket,
            Self::Raw(_) => Transport::Raw,
            Self::Echo => Transport::Echo,
        }
    }
}

fn route<'p>(path: &'p str, settings: &Settings) -> Route<'p> {
    let config = &settings.config;
    match path {
        "/echo" if config.echo.enabled => return Route::Socket(Socket::Echo),
        "/connection/websocket" => return Route::Socket(Socket::Client),
        "/connection/http_stream" if config.http_stream.enabled => {
            return Route::Downlink(Downlink::HttpStream);
        }
        "/connection/sse" if config.sse.enabled => return Route::Downlink(Downlink::Sse),
        "/connection/poll" if config.poll.enabled => return Route::Downlink(Downlink::Poll),
        "/events" if config.event_source.enabled => return Route::Downlink(Downlink::Events),
        "/emulation" if config.emulates() => return Route::Downlink(Downlink::Emulation),
        "/health" if config.health.enabled => return Route::Health,
        "/ready" if config.health.enabled => return Route::Ready,
        "/metrics" if config.prometheus.enabled => return Route::Metrics,
        "/api/openapi.json" if !config.http_api.disabled => return Route::OpenApi,
        "/api" if !config.http_api.disabled => return Route::Api(""),
        "/admin" if config.admin.enabled => return Route::Admin,
        _ => {}
    }
    if config.admin.enabled && path.starts_with("/admin/") {
        return Route::Admin;
    }
    if let Some(method) = path.strip_prefix("/api/").filter(|_| !config.http_api.disabled) {
        return Route::Api(method);
    }
    if let Some(token) =
        path.strip_prefix("/.well-known/acme-challenge/").filter(|_| config.tls.acme.is_set())
    {
        return Route::Proof(token);
    }
    match path.strip_prefix("/raw/") {
        Some(channel) if !channel.contains('/') => Route::Socket(Socket::Raw(channel)),
        Some(_) => Route::None,
        None if settings.development => assets::demo(path).map_or(Route::None, Route::Asset),
        None => Route::None,
    }
}

/// A short text.
pub(super) fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) fn not_allowed(method: &Method, allowed: &'static str) -> Response<Full<Bytes>> {
    let sentence = format!("{method} is not allowed here; use {}.\n", allowed.replace(", ", " or "));
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, &sentence);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(super) fn refusal(peer: IpAddr, refusal: &Refusal) -> Answer {
    tracing::info!(remote = %peer, %refusal, "a request was refused");
    (refusal.to_http().map(|body| Full::new(Bytes::from(body))), None)
}
