//! What the API says: JSON, or why not.

use std::fmt;
use std::time::Duration;

use antiphon_hub::api::ApiError;
use antiphon_hub::protocol::ClientError;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Method, Response, StatusCode};
use serde::Serialize;

/// An answer: a JSON value, or nothing (204).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Json(Option<Bytes>);

impl Json {
    /// # Errors
    /// 500: the value cannot be written as JSON.
    pub(crate) fn of(value: &impl Serialize) -> Result<Self, AdminError> {
        serde_json::to_vec(value)
            .map(|json| Self(Some(json.into())))
            .map_err(|error| AdminError::internal(&error))
    }

    /// An answer that only says that it was done.
    pub(crate) fn nothing() -> Self {
        Self(None)
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        match self.0 {
            Some(json) => response(StatusCode::OK, json),
            None => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
        }
    }
}

/// Why a request was not answered: a status, a word for programs, a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// A header that says more, where the status asks for one.
    header: Option<(hyper::header::HeaderName, String)>,
}

impl AdminError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), header: None }
    }

    /// 400: what was asked is not to be understood, or goes beyond a limit.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 401: who asks has not been let in.
    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
        Self { header: Some((WWW_AUTHENTICATE, "Bearer".into())), ..error }
    }

    /// 403: a page of another origin asks.
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 405.
    pub(super) fn not_allowed(method: &Method, allowed: &[&Method]) -> Self {
        let allowed = allowed.iter().map(|method| method.as_str()).collect::<Vec<_>>();
        let message = format!("{method} is not allowed here; use {}.", allowed.join(" or "));
        let error = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
        Self { header: Some((ALLOW, allowed.join(", "))), ..error }
    }

    /// 408.
    pub(super) fn timeout(limit: Duration) -> Self {
        let message = format!(
            "The body of the request did not come within {} seconds; send it at once.",
            limit.as_secs()
        );
        let error = Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", message);
        Self { header: Some((CONNECTION, "close".into())), ..error }
    }

    /// 413.
    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("The body could not be read, or has more than {limit} bytes; send less.");
        let error = Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message);
        Self { header: Some((CONNECTION, "close".into())), ..error }
    }

    /// 429, with the time to wait.
    pub(crate) fn too_many_requests(message: impl Into<String>, wait: Duration) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
        Self { header: Some((RETRY_AFTER, wait.as_secs_f64().ceil().to_string())), ..error }
    }

    /// 500: what went wrong is for the log.
    pub(crate) fn internal(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "the inspector's API failed");
        let message = "The answer could not be given; the server's log says why.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        #[derive(Serialize)]
        struct Body<'a> {
            error: Error<'a>,
        }
        #[derive(Serialize)]
        struct Error<'a> {
            code: &'a str,
            message: &'a str,
        }
        let Self { status, code, message, header } = self;
        tracing::debug!(%status, message, "the inspector's API refused a request");
        let body = Body { error: Error { code, message: &message } };
        let mut response = response(status, serde_json::to_vec(&body).unwrap_or_default().into());
        if let Some((name, value)) = header
            && let Ok(value) = HeaderValue::try_from(value)
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<ApiError> for AdminError {
    fn from(error: ApiError) -> Self {
        let message = format!("{}.", error.detail);
        match error.error {
            error if error == ClientError::UNKNOWN_CHANNEL => Self::not_found(message),
            error if error == ClientError::NOT_AVAILABLE => {
                Self::new(StatusCode::BAD_REQUEST, "not_available", message)
            }
            error if error == ClientError::INTERNAL => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
            }
            _ => Self::bad_request(message),
        }
    }
}

fn response(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
