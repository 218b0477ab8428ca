//! Rules as a table.

use super::*;

fn rules(change: impl FnOnce(&mut RuleBook)) -> Rules {
    let mut book = RuleBook { rpc_namespace_boundary: ":".into(), ..RuleBook::default() };
    change(&mut book);
    Rules::new(book).unwrap()
}

fn namespace(name: &str, options: ChannelOptions) -> Namespace {
    Namespace { name: name.into(), options }
}

#[test]
fn names_lead_to_their_namespace_or_nowhere() {
    let regex = ChannelOptions { channel_regex: "^[a-zé]+$".into(), ..ChannelOptions::default() };
    let rules = rules(|book| book.namespaces = vec![namespace("word", regex)]);
    let long = "x".repeat(256);
    for (name, outcome) in [
        ("a", Ok(())),
        ("word:abé", Ok(())),
        ("$word:ab", Ok(())),
        ("word:AB", Err(ClientError::BAD_REQUEST)),
        ("word:", Err(ClientError::BAD_REQUEST)),
        ("é", Err(ClientError::BAD_REQUEST)),
        ("a\n", Err(ClientError::BAD_REQUEST)),
        ("", Err(ClientError::BAD_REQUEST)),
        (&long, Err(ClientError::BAD_REQUEST)),
        ("other:a", Err(ClientError::UNKNOWN_CHANNEL)),
        (":a", Err(ClientError::UNKNOWN_CHANNEL)),
    ] {
        assert_eq!(rules.channel(name).map(|_| ()), outcome, "{name:?}");
    }
    let broken = ChannelOptions { channel_regex: "(".into(), ..ChannelOptions::default() };
    let book = RuleBook { namespaces: vec![namespace("bad", broken)], ..RuleBook::default() };
    assert!(Rules::new(book).unwrap_err().contains("\"bad\""));
}

#[test]
fn who_may_subscribe() {
    let open = ChannelOptions { allow_subscribe_for_client: true, ..ChannelOptions::default() };
    let wide = ChannelOptions { allow_subscribe_for_anonymous: true, ..open.clone() };
    let asked = ChannelOptions { subscribe_proxy_enabled: true, ..open.clone() };
    let listed = ChannelOptions { allow_user_limited_channels: true, ..wide.clone() };
    let listed_asked = ChannelOptions { allow_user_limited_channels: true, ..asked.clone() };
    let namespaces = || {
        [("open", &open), ("wide", &wide), ("asked", &asked), ("listed", &listed), ("both", &listed_asked)]
            .map(|(name, options)| namespace(name, options.clone()))
            .into()
    };
    let rules = rules(|book| book.namespaces = namespaces());
    use SubscribeRule::{Allowed, Ask, Denied};
    for (channel, user, expected) in [
        ("closed", "7", Denied),
        ("open:a", "7", Allowed),
        ("open:a", "", Denied),
        ("wide:a", "", Allowed),
        ("$wide:a", "7", Denied),
        ("asked:a", "", Ask),
        ("open:a#9", "7", Allowed),
        ("listed:a", "", Allowed),
        ("listed:a#7", "7", Allowed),
        ("listed:a#9,7", "7", Allowed),
        ("listed:a#77", "7", Denied),
        ("listed:a#", "", Denied),
        ("listed:a#9", "", Denied),
        ("both:a#9", "7", Denied),
        ("both:a#7", "7", Allowed),
        ("both:a", "7", Ask),
    ] {
        assert_eq!(rules.subscribe(&rules.channel(channel).unwrap(), user), expected, "{channel} {user:?}");
    }
    let insecure = self::rules(|book| {
        book.namespaces = namespaces();
        book.client.insecure = true;
    });
    for (channel, expected) in
        [("closed", Allowed), ("listed:a#9", Allowed), ("$open:a", Denied), ("asked:a", Ask)]
    {
        assert_eq!(insecure.subscribe(&insecure.channel(channel).unwrap(), ""), expected, "{channel}");
    }
}

#[test]
fn rights_come_with_a_client_a_subscription_or_not_at_all() {
    type Right = fn(&Rules, &Channel<'_>, &str, bool) -> bool;
    let with = |client: bool, subscriber: bool, anonymous: bool| ChannelOptions {
        allow_publish_for_client: client,
        allow_publish_for_subscriber: subscriber,
        allow_publish_for_anonymous: anonymous,
        allow_presence_for_client: client,
        allow_presence_for_subscriber: subscriber,
        allow_presence_for_anonymous: anonymous,
        allow_history_for_client: client,
        allow_history_for_subscriber: subscriber,
        allow_history_for_anonymous: anonymous,
        ..ChannelOptions::default()
    };
    let rights: [Right; 3] = [Rules::may_publish, Rules::may_see_presence, Rules::may_see_history];
    for (options, user, is_subscribed, expected) in [
        (with(false, false, true), "7", true, false),
        (with(true, false, false), "7", false, true),
        (with(true, false, false), "", true, false),
        (with(true, false, true), "", false, true),
        (with(false, true, false), "7", true, true),
        (with(false, true, false), "7", false, false),
        (with(false, true, false), "", true, false),
        (with(false, true, true), "", true, true),
    ] {
        let rules = rules(|book| book.without_namespace = options.clone());
        let channel = rules.channel("a").unwrap();
        for right in rights {
            assert_eq!(right(&rules, &channel, user, is_subscribed), expected, "{options:?} {user:?}");
        }
        let insecure = self::rules(|book| {
            book.without_namespace = options.clone();
            book.client.insecure = true;
        });
        assert!(rights.iter().all(|right| right(&insecure, &insecure.channel("a").unwrap(), "", false)));
    }
}

#[test]
fn data_is_what_the_format_says() {
    for (format, data, good) in [
        (DataFormat::NotEmpty, "", false),
        (DataFormat::NotEmpty, "junk", true),
        (DataFormat::Binary, "", true),
        (DataFormat::Json, "[1]", true),
        (DataFormat::Json, "{\"a\":}", false),
        (DataFormat::Json, "", false),
        (DataFormat::JsonObject, " {\"a\":1}", true),
        (DataFormat::JsonObject, "[1]", false),
        (DataFormat::JsonObject, "{", false),
    ] {
        let rules = rules(|book| book.publication_data_format = format);
        let channel = rules.channel("a").unwrap();
        assert_eq!(channel.rules.check(Data::Binary(data.into())).is_ok(), good, "{format:?} {data:?}");
    }
}

#[test]
fn methods_lead_to_a_backend() {
    let rules = rules(|book| {
        book.rpc_namespaces =
            [("calc".into(), RpcOptions { proxy_enabled: true, proxy_name: "c".into() })].into();
    });
    assert_eq!(rules.rpc("calc:add").map(|options| options.proxy_name.as_str()), Ok("c"));
    for method in ["add", "other:add", ""] {
        assert_eq!(rules.rpc(method).err(), Some(ClientError::METHOD_NOT_FOUND), "{method:?}");
    }
    assert_eq!(self::rules(|_| {}).rpc("add").err(), Some(ClientError::NOT_AVAILABLE));
}

#[test]
fn each_user_has_a_channel() {
    let rules = |namespace: &str| {
        rules(|book| {
            book.client.personal_channel.enabled = true;
            book.client.personal_channel.personal_channel_namespace = namespace.into();
        })
    };
    assert_eq!(rules("").personal_channel("7").as_deref(), Some("#7"));
    assert_eq!(rules("user").personal_channel("7").as_deref(), Some("user:#7"));
    assert_eq!(rules("").personal_channel(""), None);
}

#[test]
fn what_a_namespace_leaves_open_is_the_same_for_all() {
    let own = ChannelOptions {
        history_meta_ttl: crate::Span::seconds(1),
        publication_data_format: Some(DataFormat::Binary),
        ..ChannelOptions::default()
    };
    let open =
        ChannelOptions { publication_data_format: Some(DataFormat::NotEmpty), ..ChannelOptions::default() };
    let rules = rules(|book| {
        book.history_meta_ttl = Duration::from_secs(9);
        book.publication_data_format = DataFormat::Json;
        book.namespaces = vec![namespace("own", own), namespace("open", open)];
    });
    for (name, meta_ttl, takes_text) in [("a", 9, false), ("own:a", 1, true), ("open:a", 9, false)] {
        let channel = rules.channel(name).unwrap();
        assert_eq!(channel.rules.keep.meta_ttl, Duration::from_secs(meta_ttl), "{name}");
        assert_eq!(channel.rules.check(Data::Text("text".into())).is_ok(), takes_text, "{name}");
    }
}
