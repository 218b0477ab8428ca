//! What commands come to, on the wire. Fields are those of Centrifugo's API; what is ours is said to be.

use std::collections::BTreeMap;

use antiphon_hub::api::{ApiError, NodeInfo};
use antiphon_hub::engine;
use antiphon_hub::protocol::{ClientError, ClientInfo, Position};
use schemars::JsonSchema;
use serde::Serialize;

use super::json::Json;

/// Why a command failed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(super) struct ErrorResult {
    /// 100 internal, 102 unknown channel, 104 not found, 106 limit exceeded, 107 bad request, 108 not available, 112 unrecoverable
    /// position.
    code: u32,
    /// What the code means.
    message: String,
    /// What was wrong, and the way out: a sentence for people. Antiphon's own.
    detail: String,
}

impl ErrorResult {
    pub(super) fn of(error: &ApiError) -> Self {
        let ClientError { code, message, .. } = &error.error;
        // To clients the same code is about commands, here about methods.
        let message = if *code == ClientError::METHOD_NOT_FOUND.code { "not found" } else { message };
        Self { code: *code, message: message.to_owned(), detail: error.detail.clone() }
    }
}

/// Nothing more than that it is done, or on its way.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EmptyResult {}

/// Where a publication stands in its channel.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PublishResult {
    /// Its number. Not there in a channel that keeps none.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(with = "Option<u64>")]
    offset: u64,
    /// The stream that it is a number in.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(with = "Option<String>")]
    epoch: String,
}

impl From<Position> for PublishResult {
    fn from(Position { offset, epoch }: Position) -> Self {
        Self { offset, epoch }
    }
}

/// What came of a broadcast.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BroadcastResult {
    /// For each channel, in the order of the request.
    pub(super) responses: Vec<BroadcastResponse>,
}

/// What came of a broadcast in one channel: an error or a result.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BroadcastResponse {
    /// The channel, where it was found by a pattern. Antiphon's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorResult>,
    /// Where the publication stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<PublishResult>,
}

impl BroadcastResponse {
    pub(super) fn new(channel: Option<String>, outcome: Result<Position, ApiError>) -> Self {
        match outcome {
            Ok(position) => Self { channel, error: None, result: Some(position.into()) },
            Err(error) => Self { channel, error: Some(ErrorResult::of(&error)), result: None },
        }
    }
}

/// Who is in a channel.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PresenceResult {
    /// By the connection's id.
    pub(super) presence: BTreeMap<String, ClientResult>,
}

/// What others see of a client.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ClientInfo")]
pub(super) struct ClientResult {
    /// The user's id; empty for an anonymous one.
    user: String,
    /// The connection's id.
    client: String,
    /// Of the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    conn_info: Option<Json>,
    /// Of the subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    chan_info: Option<Json>,
}

impl From<&ClientInfo> for ClientResult {
    fn from(info: &ClientInfo) -> Self {
        Self {
            user: info.user.clone(),
            client: info.client.clone(),
            conn_info: Json::of_bytes(&info.conn_info),
            chan_info: Json::of_bytes(&info.chan_info),
        }
    }
}

/// How many are in a channel.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PresenceStatsResult {
    /// Connections.
    pub(super) num_clients: usize,
    /// Users; all anonymous ones are one.
    pub(super) num_users: usize,
}

/// Past publications, and where the stream is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HistoryResult {
    /// In the order that was asked for.
    publications: Vec<PublicationResult>,
    /// The stream.
    epoch: String,
    /// The number of its newest publication.
    offset: u64,
}

impl From<engine::History> for HistoryResult {
    fn from(history: engine::History) -> Self {
        let publications = history.publications.iter().map(|publication| PublicationResult::of(publication));
        Self {
            publications: publications.collect(),
            epoch: history.position.epoch,
            offset: history.position.offset,
        }
    }
}

/// A publication.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Publication")]
pub(super) struct PublicationResult {
    /// The data. What is not JSON stands as a string: text as itself, other bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Json>,
    /// Who published, where that was a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<ClientResult>,
    /// Its number in the stream.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(with = "Option<u64>")]
    offset: u64,
    /// Its labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    tags: BTreeMap<String, String>,
    /// When it was published, in milliseconds since 1970. Antiphon's own.
    time: i64,
}

impl PublicationResult {
    fn of(publication: &engine::Publication) -> Self {
        Self {
            data: Json::of(&publication.data),
            info: publication.info.as_deref().map(ClientResult::from),
            offset: publication.offset,
            tags: publication.tags.clone(),
            time: publication.time,
        }
    }
}

/// Channels that have subscribers.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ChannelsResult {
    /// By name.
    pub(super) channels: BTreeMap<String, ChannelResult>,
}

/// A channel that has subscribers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChannelInfo")]
pub(super) struct ChannelResult {
    /// How many.
    pub(super) num_clients: usize,
}

/// The nodes.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct InfoResult {
    /// Each of them.
    pub(super) nodes: Vec<NodeResult>,
}

/// What a node says of itself.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Node")]
pub(super) struct NodeResult {
    /// Another one each time that it starts.
    uid: String,
    /// For people.
    name: String,
    /// The server's version.
    version: String,
    /// Clients that are connected.
    num_clients: usize,
    /// Users who are connected; all anonymous ones are one.
    num_users: usize,
    /// Subscriptions.
    num_subs: usize,
    /// Channels that have subscribers.
    num_channels: usize,
    /// For how long it has been running, in seconds.
    uptime: u64,
}

impl From<NodeInfo> for NodeResult {
    fn from(info: NodeInfo) -> Self {
        Self {
            uid: info.uid,
            name: info.name,
            version: info.version,
            num_clients: info.clients,
            num_users: info.users,
            num_subs: info.subscriptions,
            num_channels: info.channels,
            uptime: info.uptime,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
