//! The server API over HTTP: `POST /api/{method}`, as Centrifugo's.
//!
//! ```text
//!   request ─► Access ─► Entry (by method): read ─► Call ─► antiphon_hub::api ─► reply: result, error or status
//! ```
//!
//! A method is one type of request, one of results, and one line in [`methods::METHODS`]; the description for OpenAPI is made of
//! these.

mod access;
mod batch;
mod calls;
pub(crate) mod json;
mod legacy;
mod methods;
mod open_api;
mod reply;
mod requests;
mod results;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use antiphon_hub::Node;
use antiphon_hub::api::Api;
use bytes::Bytes;
use http_body_util::Full;
use hyper::http::request;
use hyper::{Response, StatusCode};

use crate::metrics::ApiOutcome;
use methods::{Entry, METHODS};
use reply::Refusal;

pub(crate) use access::Access;
pub(crate) use open_api::open_api;

/// Commands in one request at most, in a batch and in the old form.
const COMMANDS: usize = 1000;

/// Commands of a parallel batch that are begun before one is waited for.
const AT_ONCE: usize = 64;

/// Answers a POST to `/api/{method}`; to `/api`, where the method is empty.
///
/// A command that could be read is answered with 200, whatever came of it, unless the request asks for errors as statuses.
pub(crate) async fn answer(
    node: &Arc<Node>,
    access: &Access,
    parts: &request::Parts,
    method: &str,
    body: Bytes,
) -> Response<Full<Bytes>> {
    if let Err(refusal) = access.check(parts) {
        return refusal.into_response();
    }
    let api = node.api();
    let response = match method {
        "" => legacy::answer(api, &body).await,
        "batch" => batch::answer(api, &body).await,
        _ => match Entry::named(method) {
            Some(entry) => one(api, entry, parts, &body).await,
            None => Err(Refusal::new(StatusCode::NOT_FOUND, format!("Not found: {}.", unknown(method)))),
        },
    };
    response.unwrap_or_else(Refusal::into_response)
}

/// What there is instead of a method that there is not.
fn unknown(method: &str) -> String {
    let names: Vec<_> = METHODS.iter().map(|entry| entry.name).chain(["batch"]).collect();
    format!("there is no method {method:?}; there are {}", names.join(", "))
}

async fn one(
    api: Api<'_>,
    entry: &Entry,
    parts: &request::Parts,
    body: &[u8],
) -> Result<Response<Full<Bytes>>, Refusal> {
    // Some methods need no parameters.
    let body = if body.is_empty() { b"{}" } else { body };
    let call = (entry.read)(body)
        .map_err(|error| Refusal::bad_request(format!("The body is no {} request: {error}.", entry.name)))?;
    let outcome = call(api).await;
    if let Err(error) = &outcome {
        tracing::debug!(method = entry.name, %error, "the server API refused a command");
    }
    let wants_statuses = parts.headers.get("x-centrifugo-error-mode").is_some_and(|mode| mode == "transport");
    let is_failed = outcome.is_err();
    let mut response = reply::one(outcome, wants_statuses);
    if is_failed {
        response.extensions_mut().insert(ApiOutcome::Failed);
    }
    Ok(response)
}
