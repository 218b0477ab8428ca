//! What a command came to, as a response.

use antiphon_hub::api::ApiError;
use antiphon_hub::protocol::ClientError;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::methods::Outcome;
use super::results::ErrorResult;

/// A reply with `error`, or what came of a command under a name: `result`, or in a batch that of the method.
#[derive(Debug)]
pub(super) struct Reply {
    /// The id of the command, in the old form; 0 is none.
    pub(super) id: u32,
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.id != 0 {
            map.serialize_entry("id", &self.id)?;
        }
        match &self.outcome {
            Ok(result) => map.serialize_entry(self.name, result)?,
            Err(error) => map.serialize_entry("error", &ErrorResult::of(error))?,
        }
        map.end()
    }
}

/// The response to one command.
pub(super) fn one(outcome: Outcome, wants_statuses: bool) -> Response<Full<Bytes>> {
    match &outcome {
        Err(error) if wants_statuses => respond(status(error), &ErrorResult::of(error)),
        _ => respond(StatusCode::OK, &Reply { id: 0, name: "result", outcome }),
    }
}

/// The status of an error, for requests that want one.
fn status(error: &ApiError) -> StatusCode {
    match &error.error {
        error if *error == ClientError::UNKNOWN_CHANNEL || *error == ClientError::METHOD_NOT_FOUND => {
            StatusCode::NOT_FOUND
        }
        error if *error == ClientError::UNRECOVERABLE_POSITION => StatusCode::RANGE_NOT_SATISFIABLE,
        error if *error == ClientError::INTERNAL => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// A response in JSON.
pub(super) fn respond(status: StatusCode, body: &impl Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_vec(body) {
        Ok(body) => json(status, body.into()),
        Err(error) => Refusal::failed(&error).into_response(),
    }
}

/// A response whose body is JSON.
pub(super) fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    build(status, "application/json", body)
}

/// Why a request is not taken for a command.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    sentence: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into() }
    }

    /// To a body that is not what it should be.
    pub(super) fn bad_request(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }

    /// To what could not be answered.
    pub(super) fn failed(error: &serde_json::Error) -> Self {
        tracing::error!(%error, "a reply of the server API could not be written");
        let sentence = "The reply could not be written; the server's log says why.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, sentence)
    }

    /// The refusal as a response.
    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let Self { status, sentence } = self;
        tracing::debug!(%status, sentence, "the server API refused a request");
        let mut response = build(status, "text/plain; charset=utf-8", format!("{sentence}\n").into());
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("apikey"));
        }
        response
    }
}

fn build(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a result is on the wire.
pub(super) fn raw(result: &impl Serialize) -> Outcome {
    serde_json::value::to_raw_value(result).map_err(|error| {
        tracing::error!(%error, "a result of the server API could not be written");
        ApiError {
            error: ClientError::INTERNAL,
            detail: "the result could not be written; the server's log says why".into(),
        }
    })
}
