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
mod json;
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
use bytes::Bytes;
use http_body_util::Full;
use hyper::http::request;
use hyper::{Response, StatusCode};

use methods::{Entry, METHODS};

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
        return refusal;
    }
    let api = node.api();
    match method {
        "" => legacy::answer(api, &body).await,
        "batch" => batch::answer(api, &body).await,
        _ => match Entry::named(method) {
            Some(entry) => one(node, entry, parts, &body).await,
            None => reply::refusal(StatusCode::NOT_FOUND, &format!("Not found: {}.", unknown(method))),
        },
    }
}

/// What there is instead of a method that there is not.
fn unknown(method: &str) -> String {
    let names: Vec<_> = METHODS.iter().map(|entry| entry.name).chain(["batch"]).collect();
    format!("there is no method {method:?}; there are {}", names.join(", "))
}

async fn one(node: &Node, entry: &Entry, parts: &request::Parts, body: &[u8]) -> Response<Full<Bytes>> {
    // Some methods need no parameters.
    let body = if body.is_empty() { b"{}" } else { body };
    let call = match (entry.read)(body) {
        Ok(call) => call,
        Err(error) => {
            let sentence = format!("The body is no {} request: {error}.", entry.name);
            return reply::refusal(StatusCode::BAD_REQUEST, &sentence);
        }
    };
    let outcome = call(node.api()).await;
    if let Err(error) = &outcome {
        tracing::debug!(method = entry.name, %error, "the server API refused a command");
    }
    let wants_statuses = parts.headers.get("x-centrifugo-error-mode").is_some_and(|mode| mode == "transport");
    reply::one(outcome, wants_statuses)
}
