//! `connections/{client}/trace`: what passes on one connection.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::inspect::{NotTraced, TracePage};
use serde::{Deserialize, Serialize};

use super::connections::{look, nobody, sentence, within};
use super::{AdminError, AdminRequest, Json};
use crate::serve::Worker;

/// When it may be tried again where too many are traced.
const LATER: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Trace {
    on: bool,
    until: Option<u64>,
    next: u64,
    lost: u64,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    n: u64,
    at: u64,
    direction: &'static str,
    text: Arc<str>,
    size: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    on: bool,
}

/// `POST connections/{client}/trace`: begins one, prolongs it, or ends it.
pub(super) async fn switch(worker: &Rc<Worker>, request: &AdminRequest<'_>) -> Result<Json, AdminError> {
    let (client, inspector) = (request.name(0), worker.node.inspector());
    let Switch { on } = request.json()?;
    if !on {
        within(inspector.end_trace(client)).await?;
        return Ok(Json::nothing());
    }
    within(inspector.trace(client)).await?.map_err(|error| match error {
        NotTraced::NotThere => nobody(client),
        NotTraced::TooMany => AdminError::too_many_requests(sentence(&error), LATER),
    })?;
    tracing::info!(client, "what passes on a connection is shown at the inspector for ten minutes");
    Ok(Json::nothing())
}

/// `GET connections/{client}/trace`: what was written down after an entry.
pub(super) async fn read(worker: &Rc<Worker>, request: &AdminRequest<'_>) -> Result<Json, AdminError> {
    let after = request.number("after")?.unwrap_or_default();
    let client = request.name(0);
    let page = match worker.node.inspector().traced(client, after) {
        Some(page) => page,
        None => {
            look(worker, client).await?;
            TracePage { is_on: false, until: None, next: 0, lost: 0, entries: Vec::new() }
        }
    };
    let entries = page.entries.into_iter().map(|entry| Entry {
        n: entry.n,
        at: entry.at,
        direction: entry.direction.name(),
        text: entry.text,
        size: entry.size,
    });
    let TracePage { is_on, until, next, lost, .. } = page;
    Json::of(&Trace { on: is_on, until, next, lost, entries: entries.collect() })
}
