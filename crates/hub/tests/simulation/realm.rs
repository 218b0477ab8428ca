//! The channels of the simulation, and what holds in them.

use std::collections::BTreeMap;

use antiphon_hub::Span;
use antiphon_hub::filter::FilterNode;
use antiphon_hub::options::{
    ChannelOptions, ClientOptions, DeltaType, Namespace, PersonalChannel, RecoveryMode, RpcOptions,
};
use antiphon_hub::rules::RuleBook;
use serde_json::json;

use crate::common::{Random, token};

/// Namespaces, and how many channels each has.
const NAMESPACES: [(&str, usize); 6] =
    [("stream", 24), ("short", 8), ("plain", 8), ("cache", 6), ("hook", 8), ("$stream", 6)];

pub(crate) const COLOURS: [&str; 3] = ["red", "green", "blue"];

/// All channels but the users' own.
pub(crate) fn channels() -> Vec<String> {
    let names = NAMESPACES.iter().flat_map(|(name, count)| (0..*count).map(move |n| format!("{name}:{n}")));
    names.collect()
}

/// What differs from one simulation to another.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Climate {
    /// The backend prolongs connections, not the clients.
    pub(crate) refreshes: bool,
}

pub(crate) fn book(climate: Climate) -> RuleBook {
    let open = ChannelOptions {
        presence: true,
        join_leave: true,
        force_push_join_leave: true,
        allow_subscribe_for_client: true,
        allow_subscribe_for_anonymous: true,
        allow_publish_for_client: true,
        allow_publish_for_anonymous: true,
        allow_presence_for_client: true,
        allow_presence_for_anonymous: true,
        allow_history_for_client: true,
        allow_history_for_anonymous: true,
        ..ChannelOptions::default()
    };
    let stream = ChannelOptions {
        history_size: 60,
        history_ttl: Span::seconds(300),
        allow_tags_filter: true,
        allowed_delta_types: vec![DeltaType::Fossil],
        delta_publish: true,
        ..open.clone()
    };
    let short = ChannelOptions {
        history_size: 3,
        history_ttl: Span::seconds(20),
        history_meta_ttl: Span::seconds(40),
        force_recovery: true,
        ..open.clone()
    };
    let cache = ChannelOptions {
        history_size: 2,
        history_ttl: Span::seconds(60),
        force_recovery: true,
        force_recovery_mode: RecoveryMode::Cache,
        auto_cache_recover: true,
        join_leave: false,
        force_push_join_leave: false,
        ..open.clone()
    };
    let hook = ChannelOptions {
        subscribe_proxy_enabled: true,
        sub_refresh_proxy_enabled: true,
        publish_proxy_enabled: true,
        ..stream.clone()
    };
    let mine = ChannelOptions { allow_user_limited_channels: true, ..short.clone() };
    let named = [
        ("stream", stream),
        ("short", short),
        ("plain", open),
        ("cache", cache),
        ("hook", hook),
        ("mine", mine),
    ];
    RuleBook {
        client: ClientOptions {
            allow_anonymous_connect_without_token: true,
            refresh_proxy_enabled: climate.refreshes,
            personal_channel: PersonalChannel {
                enabled: true,
                personal_channel_namespace: "mine".into(),
                single_connection: false,
            },
            ..ClientOptions::default()
        },
        namespaces: named.map(|(name, options)| Namespace { name: name.into(), options }).into(),
        history_meta_ttl: std::time::Duration::from_secs(3600),
        rpc_without_namespace: RpcOptions { proxy_enabled: true, ..RpcOptions::default() },
        ..RuleBook::default()
    }
}

/// Lets through what has one colour.
pub(crate) fn filter(colour: &&str) -> FilterNode {
    FilterNode { key: "colour".into(), cmp: "eq".into(), val: (*colour).to_owned(), ..FilterNode::default() }
}

pub(crate) fn tags(random: &mut Random) -> BTreeMap<String, String> {
    [("colour".to_owned(), (*random.pick(&COLOURS)).to_owned())].into()
}

/// A connection's token.
pub(crate) fn connect_token(user: &str, expire_at: u64, info: &str) -> String {
    token(&json!({ "sub": user, "exp": expire_at, "iat": expire_at - 1000, "info": { "is": info } }))
}

/// A subscription's token.
pub(crate) fn channel_token(user: &str, channel: &str, expire_at: u64) -> String {
    token(&json!({ "sub": user, "channel": channel, "exp": expire_at }))
}
