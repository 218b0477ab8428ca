//! What clients may do, and what channels keep: the settings of the hub, with Centrifugo's names and defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Span;

/// How a subscription makes up for what it missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecoveryMode {
    /// Every publication that was missed, or none.
    #[default]
    Stream,
    /// The newest publication only.
    Cache,
}

/// What the data of a publication must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DataFormat {
    /// Anything but nothing.
    #[default]
    #[serde(rename = "")]
    NotEmpty,
    /// A JSON value.
    Json,
    /// A JSON object.
    JsonObject,
    /// Anything, and nothing as well.
    Binary,
}

/// How data can be sent as its difference to the publication before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeltaType {
    /// Fossil's delta format.
    Fossil,
}

/// What holds for the channels of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelOptions {
    /// Keep track of who is in a channel.
    pub presence: bool,
    /// Tell subscribers who joins and leaves, where they ask for it.
    pub join_leave: bool,
    /// Tell them though they do not ask.
    pub force_push_join_leave: bool,
    /// The most publications that a channel keeps; 0 keeps none.
    pub history_size: usize,
    /// How long a channel keeps them; 0 keeps none.
    pub history_ttl: Span,
    /// How long a channel's epoch and offset are kept after its last use; 0 takes `channel.history_meta_ttl`.
    pub history_meta_ttl: Span,
    /// Notice for every subscriber when it has missed something.
    pub force_positioning: bool,
    /// Let subscribers ask for that.
    pub allow_positioning: bool,
    /// Let every subscriber recover what it missed.
    pub force_recovery: bool,
    /// Let subscribers ask for that.
    pub allow_recovery: bool,
    /// What recovery gives: `stream` all that was missed, `cache` the newest publication.
    pub force_recovery_mode: RecoveryMode,
    /// In `cache` mode, give the newest publication to every new subscriber.
    pub auto_cache_recover: bool,
    /// The kinds of differences that subscribers may ask for: `fossil`.
    pub allowed_delta_types: Vec<DeltaType>,
    /// Send differences to those who asked for them.
    pub delta_publish: bool,
    /// Let subscribers filter publications by their tags.
    pub allow_tags_filter: bool,
    /// Let clients subscribe.
    pub allow_subscribe_for_client: bool,
    /// Let clients without a user id subscribe as well.
    pub allow_subscribe_for_anonymous: bool,
    /// Let clients publish.
    pub allow_publish_for_client: bool,
    /// Let clients publish in channels that they are subscribed to.
    pub allow_publish_for_subscriber: bool,
    /// Let clients without a user id publish as well.
    pub allow_publish_for_anonymous: bool,
    /// Let clients ask who is in a channel.
    pub allow_presence_for_client: bool,
    /// Let clients ask who is in channels that they are subscribed to.
    pub allow_presence_for_subscriber: bool,
    /// Let clients without a user id ask as well.
    pub allow_presence_for_anonymous: bool,
    /// Let clients ask for past publications.
    pub allow_history_for_client: bool,
    /// Let clients ask for past publications of channels that they are subscribed to.
    pub allow_history_for_subscriber: bool,
    /// Let clients without a user id ask as well.
    pub allow_history_for_anonymous: bool,
    /// Let the users that a channel's name lists behind `#` subscribe, and nobody else.
    pub allow_user_limited_channels: bool,
    /// What a channel's name must match, without its namespace. Without one, names are ASCII.
    pub channel_regex: String,
    /// What the data of publications must be: `json`, `json_object`, `binary`, or empty for anything but nothing.
    pub publication_data_format: Option<DataFormat>,
    /// Ask the backend who may subscribe.
    pub subscribe_proxy_enabled: bool,
    /// Which backend; `default` where it is empty.
    pub subscribe_proxy_name: String,
    /// Ask the backend who may publish what.
    pub publish_proxy_enabled: bool,
    /// Which backend; `default` where it is empty.
    pub publish_proxy_name: String,
    /// Ask the backend whether subscriptions go on.
    pub sub_refresh_proxy_enabled: bool,
    /// Which backend; `default` where it is empty.
    pub sub_refresh_proxy_name: String,
}

impl ChannelOptions {
    /// Whether channels keep publications.
    pub fn has_history(&self) -> bool {
        self.history_size > 0 && !self.history_ttl.is_zero()
    }
}

/// A namespace: its name stands before the boundary in the names of its channels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Namespace {
    /// The name: letters, digits, `-`, `_` and `.`, at least two of them.
    pub name: String,
    /// What holds in it.
    #[serde(flatten)]
    pub options: ChannelOptions,
}

/// What holds for remote procedure calls of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RpcOptions {
    /// Let clients call the backend.
    pub proxy_enabled: bool,
    /// Which backend; `default` where it is empty.
    pub proxy_name: String,
}

/// How the names of channels are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Naming {
    /// The longest name, in bytes.
    pub max_length: usize,
    /// Begins the names of channels that need a token.
    pub private_prefix: String,
    /// Ends the namespace.
    pub namespace_boundary: String,
    /// Begins the list of users.
    pub user_boundary: String,
    /// Separates the users.
    pub user_separator: String,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            max_length: 255,
            private_prefix: "$".into(),
            namespace_boundary: ":".into(),
            user_boundary: "#".into(),
            user_separator: ",".into(),
        }
    }
}

/// What holds for every client. Zero is no limit, and no time is "not at all".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientOptions {
    /// Let clients in that show no token.
    pub allow_anonymous_connect_without_token: bool,
    /// Refuse tokens that name no user.
    pub disallow_anonymous_connection_tokens: bool,
    /// Let everybody do everything, and take tokens that have expired.
    pub insecure: bool,
    /// Take the claims of tokens whose signature was never looked at.
    pub insecure_skip_token_signature_verify: bool,
    /// How often a client is pinged.
    pub ping_interval: Span,
    /// How long its answer may take.
    pub pong_timeout: Span,
    /// How long `connect` may take to come.
    pub stale_close_delay: Span,
    /// How long a session waits for its client to come back on any transport.
    pub session_ttl: Span,
    /// How long a poll waits for something to come.
    pub poll_timeout: Span,
    /// How long an expired connection may take to be refreshed.
    pub expired_close_delay: Span,
    /// How long an expired subscription may take to be refreshed.
    pub expired_sub_close_delay: Span,
    /// Bytes that may wait for a client that reads slowly, before it is cut off. No answer is longer than half of it.
    pub queue_max_size: usize,
    /// Channels that one client may be subscribed to.
    pub channel_limit: usize,
    /// Connections that one user may have on this node.
    pub user_connection_limit: usize,
    /// Commands that one client may send a second.
    pub command_rate_limit: u32,
    /// Publications in the answer to one `history`.
    pub history_max_publication_limit: usize,
    /// Publications that one subscription may recover.
    pub recovery_max_publication_limit: usize,
    /// Tell the server's time in the answer to `connect`.
    pub connect_include_server_time: bool,
    /// Subscribe each user to a channel of its own.
    #[serde(rename = "subscribe_to_user_personal_channel")]
    pub personal_channel: PersonalChannel,
    /// Ask the backend who may connect where there is no token.
    #[serde(skip)]
    pub connect_proxy_enabled: bool,
    /// Ask the backend whether connections go on.
    #[serde(skip)]
    pub refresh_proxy_enabled: bool,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            allow_anonymous_connect_without_token: false,
            disallow_anonymous_connection_tokens: false,
            insecure: false,
            insecure_skip_token_signature_verify: false,
            ping_interval: Span::seconds(25),
            pong_timeout: Span::seconds(8),
            stale_close_delay: Span::seconds(10),
            session_ttl: Span::seconds(60),
            poll_timeout: Span::seconds(25),
            expired_close_delay: Span::seconds(25),
            expired_sub_close_delay: Span::seconds(25),
            queue_max_size: 1024 * 1024,
            channel_limit: 128,
            user_connection_limit: 0,
            command_rate_limit: 0,
            history_max_publication_limit: 300,
            recovery_max_publication_limit: 300,
            connect_include_server_time: false,
            personal_channel: PersonalChannel::default(),
            connect_proxy_enabled: false,
            refresh_proxy_enabled: false,
        }
    }
}

/// A channel for each user, which the server subscribes the user's clients to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PersonalChannel {
    /// Do so.
    pub enabled: bool,
    /// The namespace of these channels.
    pub personal_channel_namespace: String,
    /// Let a user have one connection only: a new one ends those before.
    pub single_connection: bool,
}
