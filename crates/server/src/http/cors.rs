//! Which pages may use the endpoints of clients: the policy of the WebSocket handshake, and what browsers want to be told of it.

use antiphon_proto::handshake::Refusal;
use antiphon_proto::handshake::http::check_origin;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::http::request;
use hyper::{Response, StatusCode};

use crate::serve::Settings;

/// How long a browser may remember a preflight, in seconds.
const MAX_AGE: &str = "600";

/// Checks where a request comes from, and gives the headers of its response.
///
/// # Errors
/// When a page of that origin may not connect here.
pub(super) fn check(request: &request::Parts, settings: &Settings) -> Result<HeaderMap, Refusal> {
    let origin = check_origin(request, &settings.handshake.origin)?;
    let mut headers = HeaderMap::new();
    headers.insert(VARY, HeaderValue::from(ORIGIN));
    match origin {
        // Every page may, so none may with its visitor's cookies.
        Some(_) if settings.is_any_origin => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        Some(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        None => {}
    }
    Ok(headers)
}

/// The answer to a preflight (Fetch §3.2.2).
pub(super) fn preflight(headers: HeaderMap, methods: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    let list = response.headers_mut();
    list.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    list.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("content-type, authorization, last-event-id"),
    );
    list.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    response
}
