//! `POST /api`: the form of commands before Centrifugo 5, which its version 6 still takes: one or more objects with `method` and
//! `params`, answered by as many lines.

use antiphon_hub::api::{Api, ApiError};
use antiphon_hub::protocol::ClientError;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::batch::check_count;
use super::methods::{Entry, Outcome};
use super::reply::{self, Refusal, Reply};
use super::unknown;

#[derive(Deserialize)]
struct Command<'b> {
    #[serde(default)]
    id: Option<u32>,
    #[serde(default)]
    method: Option<Method>,
    #[serde(borrow, default)]
    params: Option<&'b RawValue>,
}

/// A method by name, in any case, or by its number in the old protocol.
#[derive(Deserialize)]
#[serde(untagged)]
enum Method {
    Name(String),
    Number(usize),
}

/// The old numbers, but for those of methods that there are not.
const NUMBERS: [(usize, &str); 14] = [
    (0, "publish"),
    (1, "broadcast"),
    (2, "unsubscribe"),
    (3, "disconnect"),
    (4, "presence"),
    (5, "presence_stats"),
    (6, "history"),
    (7, "history_remove"),
    (8, "channels"),
    (9, "info"),
    (11, "subscribe"),
    (12, "refresh"),
    (20, "revoke_token"),
    (21, "invalidate_user_tokens"),
];

/// Carries out the commands in the body, one after the other. Nothing is done where one of them is no JSON.
pub(super) async fn answer(api: Api<'_>, body: &[u8]) -> Result<Response<Full<Bytes>>, Refusal> {
    let commands = serde_json::Deserializer::from_slice(body).into_iter::<Command<'_>>();
    let commands = commands
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Refusal::bad_request(format!("The body is no list of commands: {error}.")))?;
    if commands.is_empty() {
        return Err(Refusal::bad_request(
            "The body is empty; write a command into it, or send the parameters to /api/METHOD.",
        ));
    }
    check_count(commands.len())?;
    let mut lines = Vec::new();
    for command in commands {
        let id = command.id.unwrap_or_default();
        let reply = Reply { id, name: "result", outcome: carry_out(api, command).await };
        if !lines.is_empty() {
            lines.push(b'\n');
        }
        serde_json::to_writer(&mut lines, &reply).map_err(|error| Refusal::failed(&error))?;
        tokio::task::yield_now().await;
    }
    Ok(reply::json(StatusCode::OK, lines.into()))
}

async fn carry_out(api: Api<'_>, command: Command<'_>) -> Outcome {
    let name = match command.method {
        Some(Method::Name(name)) => name.to_ascii_lowercase(),
        Some(Method::Number(number)) => match NUMBERS.iter().find(|(known, _)| *known == number) {
            Some((_, name)) => (*name).to_owned(),
            None => number.to_string(),
        },
        // In the old protocol 0 was as nothing.
        None => "publish".to_owned(),
    };
    let Some(entry) = Entry::named(&name) else {
        return Err(ApiError { error: ClientError::METHOD_NOT_FOUND, detail: unknown(&name) });
    };
    let params = command.params.map_or("{}", RawValue::get);
    match (entry.read)(params.as_bytes()) {
        Ok(call) => call(api).await,
        Err(error) => Err(ApiError {
            error: ClientError::BAD_REQUEST,
            detail: format!("the parameters of {name} cannot be read: {error} of them"),
        }),
    }
}
