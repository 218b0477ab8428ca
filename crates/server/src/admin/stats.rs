//! `GET stats`: how the server does and did.

use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use antiphon_hub::clock::{Clock as _, SystemClock};
use serde::Serialize;

use super::series::Point;
use super::{AdminError, AdminRequest, Json};
use crate::serve::Worker;

/// How far apart points are, in milliseconds.
const INTERVAL: u64 = 1000;

#[derive(Serialize)]
struct Stats {
    now: u64,
    interval_ms: u64,
    version: &'static str,
    node: Node,
    development: bool,
    cores: usize,
    points: Vec<Arc<Point>>,
}

#[derive(Serialize)]
struct Node {
    uid: String,
    name: String,
    uptime_s: u64,
    started_at: u64,
}

pub(super) async fn answer(worker: &Rc<Worker>, request: &AdminRequest<'_>) -> Result<Json, AdminError> {
    let since = request.number("since")?.unwrap_or_default();
    let now = SystemClock.unix_ms();
    let uid = worker.node.uid();
    let node = worker.node.api().info().into_iter().find(|node| node.uid == uid);
    let node = node.map(|node| Node {
        uid: node.uid,
        name: node.name,
        uptime_s: node.uptime,
        started_at: (now / 1000).saturating_sub(node.uptime) * 1000,
    });
    Json::of(&Stats {
        now,
        interval_ms: INTERVAL,
        version: env!("CARGO_PKG_VERSION"),
        node: node.ok_or_else(|| AdminError::internal(&"this node says nothing of itself"))?,
        development: worker.settings().development,
        cores: thread::available_parallelism().map_or(1, usize::from),
        points: worker.shared().series.since(since),
    })
}
