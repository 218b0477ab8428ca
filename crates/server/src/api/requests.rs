//! Commands on the wire. Fields are those of Centrifugo's API; what is ours is said to be. A field that is `null` is as one that is
//! not there, but for `data` of what is published.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::json::{self, Json};

/// Publish in one channel.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PublishRequest {
    /// Where.
    #[schemars(required)]
    pub(super) channel: Option<String>,
    /// What: any JSON.
    #[serde(default, deserialize_with = "json::with_null")]
    pub(super) data: Option<Json>,
    /// What, in base64, instead of `data`.
    pub(super) b64data: Option<String>,
    /// Do not keep it, though the channel keeps publications.
    pub(super) skip_history: Option<bool>,
    /// Labels for filters.
    pub(super) tags: Option<BTreeMap<String, String>>,
    /// For five minutes, what has the same key is published once in a channel.
    pub(super) idempotency_key: Option<String>,
    /// Send it as its difference to the publication before, to those who asked for that.
    pub(super) delta: Option<bool>,
    /// The version of the state that it carries, from 1 on: what is not newer than the newest is dropped.
    pub(super) version: Option<u64>,
    /// Where the counting of versions began anew.
    pub(super) version_epoch: Option<String>,
}

/// Publish the same in many channels: in those of `channels`, or in those that match `pattern`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct BroadcastRequest {
    /// Where: at most 10,000.
    pub(super) channels: Option<Vec<String>>,
    /// Where instead: every channel with subscribers that matches, at most 100,000. Antiphon's own.
    pub(super) pattern: Option<String>,
    /// What: any JSON.
    #[serde(default, deserialize_with = "json::with_null")]
    pub(super) data: Option<Json>,
    /// What, in base64, instead of `data`.
    pub(super) b64data: Option<String>,
    /// Do not keep it, though a channel keeps publications.
    pub(super) skip_history: Option<bool>,
    /// Labels for filters.
    pub(super) tags: Option<BTreeMap<String, String>>,
    /// For five minutes, what has the same key is published once in each channel.
    pub(super) idempotency_key: Option<String>,
    /// Send it as its difference to the publication before, to those who asked for that.
    pub(super) delta: Option<bool>,
    /// The version of the state that it carries, from 1 on: what is not newer than the newest is dropped.
    pub(super) version: Option<u64>,
    /// Where the counting of versions began anew.
    pub(super) version_epoch: Option<String>,
}

/// Subscribe clients to a channel.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SubscribeRequest {
    /// The user whose clients it is for; empty for anonymous ones.
    pub(super) user: Option<String>,
    /// To what.
    #[schemars(required)]
    pub(super) channel: Option<String>,
    /// Only this connection.
    pub(super) client: Option<String>,
    /// Not supported.
    pub(super) session: Option<String>,
    /// Not supported.
    pub(super) label_filter: Option<Json>,
    /// Not supported.
    pub(super) all_users: Option<bool>,
    /// When the subscription expires, in seconds since 1970; 0 never.
    pub(super) expire_at: Option<u64>,
    /// What others see of the subscription: any JSON.
    pub(super) info: Option<Json>,
    /// What others see of the subscription, in base64, instead of `info`.
    pub(super) b64info: Option<String>,
    /// For the client, with the push: any JSON.
    pub(super) data: Option<Json>,
    /// For the client, in base64, instead of `data`.
    pub(super) b64data: Option<String>,
    /// Give it what was published after this.
    pub(super) recover_since: Option<StreamPosition>,
    /// What differs from the channel's options.
    #[serde(rename = "override")]
    pub(super) overrides: Option<SubscribeOptionOverride>,
}

/// A place in a channel's stream.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct StreamPosition {
    /// The number of a publication.
    pub(super) offset: Option<u64>,
    /// The stream that it is a number in; empty is any.
    pub(super) epoch: Option<String>,
}

/// What differs from the channel's options in one subscription.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SubscribeOptionOverride {
    /// Keep track of it.
    pub(super) presence: Option<BoolValue>,
    /// Tell others of it.
    pub(super) join_leave: Option<BoolValue>,
    /// Let it recover what it missed.
    pub(super) force_recovery: Option<BoolValue>,
    /// Notice what it missed.
    pub(super) force_positioning: Option<BoolValue>,
    /// Tell it of others.
    pub(super) force_push_join_leave: Option<BoolValue>,
}

/// Yes or no.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct BoolValue {
    /// Which.
    #[serde(default)]
    pub(super) value: bool,
}

/// Unsubscribe clients from a channel.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct UnsubscribeRequest {
    /// The user whose clients it is for; empty for anonymous ones.
    pub(super) user: Option<String>,
    /// From what; from everything, where it is empty.
    pub(super) channel: Option<String>,
    /// Only this connection.
    pub(super) client: Option<String>,
    /// Not supported.
    pub(super) session: Option<String>,
    /// Not supported.
    pub(super) label_filter: Option<Json>,
    /// Not supported.
    pub(super) all_users: Option<bool>,
}

/// End the connections of clients.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DisconnectRequest {
    /// The user whose clients it is for; empty for anonymous ones.
    pub(super) user: Option<String>,
    /// Only this connection.
    pub(super) client: Option<String>,
    /// Not these connections.
    pub(super) whitelist: Option<Vec<String>>,
    /// Not supported.
    pub(super) session: Option<String>,
    /// Not supported.
    pub(super) label_filter: Option<Json>,
    /// Not supported.
    pub(super) all_users: Option<bool>,
    /// What clients are told; 3503 "force disconnect" where it is not there.
    pub(super) disconnect: Option<DisconnectSpec>,
}

/// What a client is told when its connection ends.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Disconnect")]
pub(super) struct DisconnectSpec {
    /// 3000 to 4999; from 4000 on they are the application's. After 3500 to 3999 and 4500 to 4999 a client does not come back.
    #[serde(default)]
    pub(super) code: u32,
    /// A sentence for people, of at most 123 bytes.
    pub(super) reason: Option<String>,
}

/// Let connections last.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RefreshRequest {
    /// The user whose clients it is for; empty for anonymous ones.
    pub(super) user: Option<String>,
    /// Only this connection.
    pub(super) client: Option<String>,
    /// Not supported.
    pub(super) session: Option<String>,
    /// Not supported.
    pub(super) label_filter: Option<Json>,
    /// Not supported.
    pub(super) all_users: Option<bool>,
    /// End them instead.
    pub(super) expired: Option<bool>,
    /// Until when, in seconds since 1970; 0 for ever.
    pub(super) expire_at: Option<u64>,
    /// What others see of them from now on: any JSON.
    pub(super) info: Option<Json>,
}

/// Tell who is in a channel.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PresenceRequest {
    /// Which.
    #[schemars(required)]
    pub(super) channel: Option<String>,
}

/// Tell how many are in a channel.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PresenceStatsRequest {
    /// Which.
    #[schemars(required)]
    pub(super) channel: Option<String>,
}

/// Give past publications of a channel.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct HistoryRequest {
    /// Which.
    #[schemars(required)]
    pub(super) channel: Option<String>,
    /// At most so many; none where it is 0 or not there, all there are where it is below 0.
    pub(super) limit: Option<i64>,
    /// Only those after this; in reverse, only those before it.
    pub(super) since: Option<StreamPosition>,
    /// From the newest to the oldest.
    pub(super) reverse: Option<bool>,
}

/// Forget the publications of a channel.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct HistoryRemoveRequest {
    /// Which.
    #[schemars(required)]
    pub(super) channel: Option<String>,
}

/// List channels that have subscribers.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ChannelsRequest {
    /// Those that match: `*` stands for any characters, `?` for one, `[a-z]` and `[!a-z]` for one that is or is not listed, `{a,b}`
    /// for one of several patterns. All where it is empty.
    pub(super) pattern: Option<String>,
}

/// Tell how the nodes are.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct InfoRequest {}

/// Take a token no more, and end the connections that came with it.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RevokeTokenRequest {
    /// The token's id, its claim `jti`.
    #[schemars(required)]
    pub(super) uid: Option<String>,
    /// Until when to keep this in mind, in seconds since 1970: when the token itself expires is late enough. 0 is for ever.
    pub(super) expire_at: Option<u64>,
}

/// Take a user's tokens no more, and end the connections that came with them.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct InvalidateUserTokensRequest {
    /// Whose.
    #[schemars(required)]
    pub(super) user: Option<String>,
    /// Those issued before this (claim `iat`), in seconds since 1970, and those that do not say when. All issued until now, where it
    /// is not there.
    pub(super) issued_before: Option<u64>,
    /// Not supported.
    pub(super) channel: Option<String>,
    /// Until when to keep this in mind, in seconds since 1970. 0 is for ever.
    pub(super) expire_at: Option<u64>,
}
