//! Commands that come by another way than the one that the client listens on.

use std::rc::Rc;

use antiphon_hub::{NotTaken, Unheard, Uplink};
use hyper::StatusCode;
use serde::Serialize;

use super::inbox;
use crate::serve::Worker;

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<u64>,
}

/// Brings commands to a session, wherever it is. `node` is where the client says that it is; empty where it does not know.
///
/// # Errors
/// When it is not there, or they are not taken.
pub(crate) async fn uplink(worker: &Rc<Worker>, node: &str, uplink: Uplink) -> Result<(), Unheard> {
    let is_elsewhere = !node.is_empty() && node != worker.node.uid();
    if is_elsewhere {
        return worker.node.cluster().forward(node, uplink).await;
    }
    let answer = inbox::uplink(worker, uplink).ok_or(Unheard::Gone)?;
    // A worker that has dropped the question had no such session any more.
    answer.await.unwrap_or(Err(Unheard::Gone))
}

/// Status and body of the answer to commands that were not taken.
pub(crate) fn answer(unheard: Unheard) -> (StatusCode, Vec<u8>) {
    match unheard {
        Unheard::Gone => {
            (StatusCode::GONE, body("there is no such session, or it is on another transport: connect", None))
        }
        Unheard::NotTaken(NotTaken::Malformed) => {
            (StatusCode::BAD_REQUEST, body("the commands cannot be read", None))
        }
        Unheard::NotTaken(NotTaken::Gap { expected }) => {
            let sentence = format!("the next command has n = {expected}: send again from there");
            (StatusCode::CONFLICT, body(&sentence, Some(expected)))
        }
        Unheard::NotTaken(NotTaken::Busy) => {
            (StatusCode::TOO_MANY_REQUESTS, body("too many commands wait: send these again later", None))
        }
    }
}

fn body(error: &str, expected: Option<u64>) -> Vec<u8> {
    serde_json::to_vec(&Body { error, expected }).unwrap_or_default()
}
