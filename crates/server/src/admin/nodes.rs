//! `GET nodes`: what each node says of itself.

use std::rc::Rc;

use serde::Serialize;

use super::{AdminError, AdminRequest, Json};
use crate::serve::Worker;

#[derive(Serialize)]
struct Nodes {
    nodes: Vec<Node>,
}

#[derive(Serialize)]
struct Node {
    uid: String,
    name: String,
    version: String,
    clients: usize,
    users: usize,
    subscriptions: usize,
    channels: usize,
    uptime_s: u64,
    is_this: bool,
}

pub(super) async fn answer(worker: &Rc<Worker>, _: &AdminRequest<'_>) -> Result<Json, AdminError> {
    let uid = worker.node.uid();
    let nodes = worker.node.api().info().into_iter().map(|node| Node {
        is_this: node.uid == uid,
        uid: node.uid,
        name: node.name,
        version: node.version,
        clients: node.clients,
        users: node.users,
        subscriptions: node.subscriptions,
        channels: node.channels,
        uptime_s: node.uptime,
    });
    Json::of(&Nodes { nodes: nodes.collect() })
}
