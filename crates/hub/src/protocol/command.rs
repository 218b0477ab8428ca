//! Commands: what a client asks for. Field names and numbers are those of Centrifugo's client protocol v2.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::json::{nullable, object};
use super::{Position, is_default, raw};
use crate::filter::FilterNode;

/// One command of a client. One without an id and without a request is the answer to a ping.
///
/// Where several requests are set the first in this order counts.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Command {
    /// Chosen by the client, and given back in the reply. 0 where no reply is expected.
    #[prost(uint32, tag = "1")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub id: u32,
    /// Must come first on a connection.
    #[prost(message, optional, boxed, tag = "4")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub connect: Option<Box<ConnectRequest>>,
    /// Joins a channel.
    #[prost(message, optional, boxed, tag = "5")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<Box<SubscribeRequest>>,
    /// Leaves a channel.
    #[prost(message, optional, tag = "6")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub unsubscribe: Option<ChannelRequest>,
    /// Publishes to a channel.
    #[prost(message, optional, tag = "7")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub publish: Option<PublishRequest>,
    /// Asks who is in a channel.
    #[prost(message, optional, tag = "8")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub presence: Option<ChannelRequest>,
    /// Asks how many are in a channel.
    #[prost(message, optional, tag = "9")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub presence_stats: Option<ChannelRequest>,
    /// Asks for past publications.
    #[prost(message, optional, tag = "10")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryRequest>,
    /// Does nothing, and is answered.
    #[prost(message, optional, tag = "11")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub ping: Option<Empty>,
    /// A message to the application, without an answer.
    #[prost(message, optional, tag = "12")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub send: Option<SendRequest>,
    /// A call of the application.
    #[prost(message, optional, tag = "13")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub rpc: Option<RpcRequest>,
    /// Prolongs the connection.
    #[prost(message, optional, tag = "14")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshRequest>,
    /// Prolongs a subscription.
    #[prost(message, optional, tag = "15")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub sub_refresh: Option<SubRefreshRequest>,
    /// Its number in a session, from 1. Antiphon's own.
    #[prost(uint64, tag = "1001")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub n: u64,
    /// How many messages of a session the client has had. Antiphon's own.
    #[prost(uint64, tag = "1002")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub ack: u64,
}

impl Command {
    /// How many subscriptions and nodes of filters are in it.
    pub(super) fn parts(&self) -> usize {
        let nodes = |request: &SubscribeRequest| request.tf.as_ref().map_or(0, FilterNode::count);
        let subs = self.connect.iter().flat_map(|connect| connect.subs.values());
        subs.map(|request| 1 + nodes(request)).sum::<usize>() + self.subscribe.as_deref().map_or(0, nodes)
    }
}

/// A message without fields.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct Empty {}

/// The first command of a connection.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectRequest {
    /// A JSON Web Token.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub token: String,
    /// For the application.
    #[prost(bytes = "bytes", tag = "2")]
    #[serde(with = "raw", skip_serializing_if = "is_default")]
    pub data: Bytes,
    /// Positions in channels that the server subscribes the client to.
    #[prost(btree_map = "string, message", tag = "3")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub subs: BTreeMap<String, SubscribeRequest>,
    /// The name of the client's program.
    #[prost(string, tag = "4")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub name: String,
    /// The version of the client's program.
    #[prost(string, tag = "5")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub version: String,
    /// What the client would send as headers if it could, for the hooks.
    #[prost(btree_map = "string, string", tag = "6")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub headers: BTreeMap<String, String>,
    /// What the client can do beyond Centrifugo's protocol, each with its version: `session` 1. Antiphon's own.
    #[prost(btree_map = "string, uint32", tag = "1001")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub ext: BTreeMap<String, u32>,
    /// The session to go on with. Antiphon's own.
    #[prost(string, tag = "1002")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub session: String,
    /// How many of its messages the client has had. Antiphon's own.
    #[prost(uint64, tag = "1003")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub ack: u64,
}

/// Joins a channel, or says where a client was in one.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscribeRequest {
    /// The channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub channel: String,
    /// A JSON Web Token for this channel.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub token: String,
    /// Whether to give what was published after `offset` in `epoch`.
    #[prost(bool, tag = "3")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub recover: bool,
    /// The epoch that the offset belongs to.
    #[prost(string, tag = "6")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub epoch: String,
    /// The offset of the last publication that the client has.
    #[prost(uint64, tag = "7")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub offset: u64,
    /// For the application.
    #[prost(bytes = "bytes", tag = "8")]
    #[serde(with = "raw", skip_serializing_if = "is_default")]
    pub data: Bytes,
    /// Asks that nothing be missed without a word.
    #[prost(bool, tag = "9")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub positioned: bool,
    /// Asks that what is missed can be recovered.
    #[prost(bool, tag = "10")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub recoverable: bool,
    /// Asks for pushes when others join and leave.
    #[prost(bool, tag = "11")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub join_leave: bool,
    /// Asks for differences rather than whole data: `fossil`.
    #[prost(string, tag = "12")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub delta: String,
    /// Lets through only publications whose tags match.
    #[prost(message, optional, tag = "13")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub tf: Option<FilterNode>,
    /// Features as bits: 2 refuses the subscription where recovery is impossible.
    #[prost(int64, tag = "14")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub flag: i64,
    /// 0: a stream of publications. Others are not spoken here.
    #[prost(int32, tag = "15")]
    #[serde(rename = "type", deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub kind: i32,
}

/// A command that needs no more than a channel.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelRequest {
    /// The channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub channel: String,
}

/// Publishes to a channel.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PublishRequest {
    /// The channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub channel: String,
    /// What is published.
    #[prost(bytes = "bytes", tag = "2")]
    #[serde(with = "raw", skip_serializing_if = "is_default")]
    pub data: Bytes,
    /// 0: to a stream. Others are not spoken here.
    #[prost(int32, tag = "3")]
    #[serde(rename = "type", deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub kind: i32,
}

/// Asks for past publications.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryRequest {
    /// The channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub channel: String,
    /// At most so many; 0 for the position alone, below 0 for as many as the server gives at once.
    #[prost(int32, tag = "7")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub limit: i32,
    /// Only what comes after this position (before it in reverse).
    #[prost(message, optional, tag = "8")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub since: Option<Position>,
    /// From the newest to the oldest.
    #[prost(bool, tag = "9")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub reverse: bool,
}

/// A message to the application, without an answer.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct SendRequest {
    /// The message.
    #[prost(bytes = "bytes", tag = "1")]
    #[serde(with = "raw", skip_serializing_if = "is_default")]
    pub data: Bytes,
}

/// A call of the application.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct RpcRequest {
    /// For the application.
    #[prost(bytes = "bytes", tag = "1")]
    #[serde(with = "raw", skip_serializing_if = "is_default")]
    pub data: Bytes,
    /// What to call.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub method: String,
}

/// Prolongs the connection.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct RefreshRequest {
    /// A newer JSON Web Token.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub token: String,
}

/// Prolongs a subscription.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct SubRefreshRequest {
    /// The channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub channel: String,
    /// A newer JSON Web Token for the channel.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub token: String,
}
