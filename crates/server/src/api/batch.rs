//! `batch`: many commands in one request.

use std::collections::BTreeMap;

use antiphon_hub::api::{Api, ApiError};
use antiphon_hub::protocol::ClientError;
use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::methods::{Call, Entry};
use super::reply::{self, Refusal, Reply};
use super::{AT_ONCE, COMMANDS, unknown};

#[derive(Deserialize)]
struct BatchRequest<'b> {
    #[serde(borrow, default)]
    commands: Option<Vec<Option<Command<'b>>>>,
    #[serde(default)]
    parallel: Option<bool>,
}

/// The parameters under the name of the method.
type Command<'b> = BTreeMap<String, Option<&'b RawValue>>;

#[derive(Serialize)]
struct BatchResponse {
    replies: Vec<Reply>,
}

/// A command that has been read: under which name its result is to stand, and the call.
struct Item {
    name: &'static str,
    call: Result<Call, ApiError>,
}

/// Carries out all commands, each for itself: in their order, one after the other, unless they are to be `parallel`. The replies are in
/// the order of the commands. Nothing is done where one of them cannot be read.
pub(super) async fn answer(api: Api<'_>, body: &[u8]) -> Result<Response<Full<Bytes>>, Refusal> {
    let request: BatchRequest<'_> = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("The body is no batch request: {error}.")))?;
    let commands = request.commands.unwrap_or_default();
    check_count(commands.len())?;
    let mut items = Vec::with_capacity(commands.len());
    for (index, command) in commands.into_iter().enumerate() {
        items.push(read(command).map_err(|error| {
            Refusal::bad_request(format!(
                "Command {index} (from 0) of the batch cannot be read: {error} there."
            ))
        })?);
    }
    let at_once = if request.parallel == Some(true) { AT_ONCE } else { 1 };
    Ok(reply::respond(StatusCode::OK, &BatchResponse { replies: run(api, items, at_once).await }))
}

async fn run(api: Api<'_>, items: Vec<Item>, at_once: usize) -> Vec<Reply> {
    let mut replies = Vec::with_capacity(items.len());
    let mut items = items.into_iter();
    loop {
        let some: Vec<_> = items.by_ref().take(at_once).map(|item| carry_out(api, item)).collect();
        if some.is_empty() {
            return replies;
        }
        replies.extend(join_all(some).await);
        // A long batch is not for the worker's other connections to wait for.
        tokio::task::yield_now().await;
    }
}

async fn carry_out(api: Api<'_>, item: Item) -> Reply {
    let outcome = match item.call {
        Ok(call) => call(api).await,
        Err(error) => Err(error),
    };
    Reply { id: 0, name: item.name, outcome }
}

/// # Errors
/// When there are too many.
pub(super) fn check_count(count: usize) -> Result<(), Refusal> {
    if count > COMMANDS {
        let sentence =
            format!("{count} commands in one request are over the limit of {COMMANDS}; split them.");
        return Err(Refusal::bad_request(sentence));
    }
    Ok(())
}

/// # Errors
/// When the parameters are no such command's.
fn read(command: Option<Command<'_>>) -> Result<Item, serde_json::Error> {
    let error = |error, detail| Ok(Item { name: "error", call: Err(ApiError { error, detail }) });
    let Some(command) = command else {
        return error(ClientError::BAD_REQUEST, "a command is an object, and this one is null".into());
    };
    let named: Vec<_> = command.iter().filter_map(|(name, params)| Some((name, (*params)?))).collect();
    let mut known = named.iter().filter_map(|(name, params)| Some((Entry::named(name)?, params)));
    match (known.next(), known.next()) {
        (Some((entry, params)), None) => {
            Ok(Item { name: entry.name, call: Ok((entry.read)(params.get().as_bytes())?) })
        }
        (Some(_), Some(_)) => {
            error(ClientError::BAD_REQUEST, "a command has one method, and this one has more".into())
        }
        (None, _) => {
            let name = named.first().map(|(name, _)| name.as_str()).unwrap_or_default();
            error(ClientError::METHOD_NOT_FOUND, unknown(name))
        }
    }
}
