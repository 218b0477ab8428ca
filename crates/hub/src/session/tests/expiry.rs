//! What expires, and who prolongs it.

use bytes::Bytes;
use serde_json::{Value, json};

use super::common::{World, token};
use super::{Client, book, namespace, open};
use crate::backend::{ConnectGrant, RefreshAnswer, SubscribeGrant};
use crate::options::ChannelOptions;
use crate::protocol::{ClientError, Disconnect, Refusal};
use crate::rules::{RuleBook, Rules};

fn world(change: impl FnOnce(&mut RuleBook)) -> World {
    World::new(book(|book| {
        let hook = ChannelOptions {
            subscribe_proxy_enabled: true,
            sub_refresh_proxy_enabled: true,
            presence: true,
            ..open()
        };
        book.namespaces = vec![namespace("hook", hook)];
        book.client.ping_interval = crate::Span::ZERO;
        change(book);
    }))
}

fn connected<'a>(world: &'a World, claims: &Value) -> Client<'a> {
    Client::connected_with(world, &json!({ "token": token(claims) }).to_string())
}

impl Client<'_> {
    fn refresh(&mut self, claims: &Value) -> String {
        let request = json!({ "id": 7, "refresh": { "token": token(claims) } });
        self.say(&request.to_string())
    }

    /// What it hears while so many seconds pass, a tenth of a second at a time.
    fn during(&mut self, seconds: u32) -> String {
        let heard: Vec<_> = (0..seconds * 10)
            .map(|_| {
                self.world.pass(0.1);
                self.turn()
            })
            .filter(|heard| !heard.is_empty())
            .collect();
        heard.join("\n")
    }
}

fn goes(expire_at: u64) -> Result<RefreshAnswer, Refusal> {
    Ok(RefreshAnswer::Goes { expire_at, info: Bytes::from_static(b"{\"n\":2}"), meta: Bytes::new() })
}

#[test]
fn a_connection_ends_some_time_after_its_token() {
    let world = world(|_| {});
    let mut client = Client::new(&world);
    let claims = json!({ "sub": "ada", "exp": world.unix() + 10 });
    let request = json!({ "id": 1, "connect": { "token": token(&claims) } });
    let heard = client.say(&request.to_string());
    assert!(heard.contains(r#""expires":true,"ttl":10"#), "{heard}");
    assert_eq!(client.during(34), "", "25 s after it expired it may still be refreshed");
    assert_eq!(client.during(2), "3005");
    world.assert_vacant();
}

#[test]
fn a_newer_token_prolongs_a_connection() {
    let world = world(|_| {});
    let now = world.unix();
    let mut client = connected(&world, &json!({ "sub": "ada", "exp": now + 10 }));
    let heard = client.refresh(&json!({ "sub": "ada", "exp": now + 60 }));
    assert_eq!(heard, r#"{"id":7,"refresh":{"expires":true,"ttl":60}}"#);
    assert_eq!(client.during(80), "");
    assert_eq!(client.refresh(&json!({ "sub": "ada" })), r#"{"id":7,"refresh":{}}"#);
    assert_eq!(client.during(100), "");
    for (claims, code) in [
        (json!({ "sub": "bob" }), "3500"),
        (json!({ "sub": "ada", "exp": now }), "3005"),
        (json!({ "sub": "ada", "jti": "bad" }), "3500"),
        // It connects again, and gets the channels of the new token.
        (json!({ "sub": "ada", "subs": { "a": {} } }), "3010"),
    ] {
        world.node.revocations().revoke_id("bad", world.unix() + 1000).unwrap();
        let mut client = connected(&world, &json!({ "sub": "ada" }));
        assert_eq!(client.refresh(&claims), code, "{claims}");
    }
}

#[test]
fn an_expired_token_connects_nobody() {
    let world = world(|_| {});
    let request = json!({ "id": 1, "connect": { "token": token(&json!({ "sub": "ada", "exp": 1000 })) } });
    let heard = Client::new(&world).say(&request.to_string());
    assert_eq!(heard, r#"{"id":1,"error":{"code":109,"message":"token expired"}}"#);
    let grant = ConnectGrant { expire_at: 1000, ..ConnectGrant::default() };
    let world = self::world(|book| book.client.connect_proxy_enabled = true);
    world.application.answers(|answers| answers.connect = Ok(grant));
    let heard = Client::new(&world).say(r#"{"id":1,"connect":{}}"#);
    assert_eq!(heard, r#"{"id":1,"error":{"code":110,"message":"expired"}}"#);
    world.assert_vacant();
}

#[test]
fn the_backend_prolongs_connections_or_not() {
    let world = world(|book| {
        book.client.connect_proxy_enabled = true;
        book.client.refresh_proxy_enabled = true;
    });
    let begin = world.unix();
    let ends = Disconnect { code: 4500, reason: "".into() };
    for (answer, code) in [
        (Ok(RefreshAnswer::Expired), "3005"),
        (goes(1000), "3005"),
        (Err(Refusal::Error(ClientError::INTERNAL)), "3004"),
        (Err(Refusal::Disconnect(ends)), "4500"),
    ] {
        let now = world.unix();
        let grant = |expire_at| ConnectGrant { user: "ada".into(), expire_at, ..ConnectGrant::default() };
        world
            .application
            .answers(|answers| (answers.connect, answers.refresh) = (Ok(grant(now + 10)), goes(now + 30)));
        let mut client = Client::new(&world);
        let heard = client.say(r#"{"id":1,"connect":{}}"#);
        assert!(!heard.contains("expires"), "it is not the client's to refresh: {heard}");
        world.application.asked();
        assert_eq!(client.during(12), "");
        assert_eq!(world.application.asked(), ["refresh ada"], "once");
        assert_eq!(client.refresh(&json!({ "sub": "ada" })), "3501");
        world
            .application
            .answers(|answers| (answers.connect, answers.refresh) = (Ok(grant(now + 22)), answer));
        let mut client = Client::connected(&world);
        assert_eq!(client.during(12), code);
    }
    assert!(world.unix() > begin);
    world.assert_vacant();
}

#[test]
fn a_subscription_ends_some_time_after_its_token() {
    let world = world(|_| {});
    let now = world.unix();
    let mut client = connected(&world, &json!({ "sub": "ada" }));
    let claims = |until: u64| json!({ "sub": "ada", "channel": "$a", "exp": until });
    let request = json!({ "id": 2, "subscribe": { "channel": "$a", "token": token(&claims(now + 10)) } });
    client.say(&request.to_string());
    let request =
        |token: &str| json!({ "id": 3, "sub_refresh": { "channel": "$a", "token": token } }).to_string();
    assert_eq!(client.during(20), "");
    let heard = client.say(&request(&token(&claims(now + 40))));
    assert_eq!(heard, r#"{"id":3,"sub_refresh":{"expires":true,"ttl":20}}"#);
    assert_eq!(client.during(44), "");
    let ended = r#"{"push":{"channel":"$a","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#;
    assert_eq!(client.during(2), ended);
    let heard = client.say(&request(&token(&claims(now + 400))));
    assert_eq!(heard, r#"{"id":3,"error":{"code":103,"message":"permission denied"}}"#, "it is over");
}

#[test]
fn a_refresh_of_a_subscription_must_be_good() {
    let world = world(|_| {});
    let now = world.unix();
    for (shown, answer) in [
        (String::new(), r#"{"id":3,"error":{"code":107,"message":"bad request"}}"#),
        ("junk".to_owned(), "3500"),
        (token(&json!({ "sub": "bob", "channel": "$a" })), "3500"),
        (token(&json!({ "sub": "ada", "channel": "$b" })), "3500"),
        (
            token(&json!({ "sub": "ada", "channel": "$a", "exp": now - 1 })),
            r#"{"id":3,"error":{"code":110,"message":"expired"}}"#,
        ),
    ] {
        let mut client = connected(&world, &json!({ "sub": "ada" }));
        let claims = json!({ "sub": "ada", "channel": "$a", "exp": now + 10 });
        client
            .say(&json!({ "id": 2, "subscribe": { "channel": "$a", "token": token(&claims) } }).to_string());
        let request = json!({ "id": 3, "sub_refresh": { "channel": "$a", "token": shown } });
        assert_eq!(client.say(&request.to_string()), answer, "{shown}");
    }
}

/// In a channel whose subscriptions the backend prolongs.
fn hooked(world: &World, seconds: u64) -> Client<'_> {
    let grant = SubscribeGrant { expire_at: world.unix() + seconds, ..SubscribeGrant::default() };
    world.application.answers(|answers| answers.subscribe = Ok(grant));
    let mut client = Client::connected(world);
    client.subscribe("hook:a");
    world.application.asked();
    client
}

#[test]
fn the_backend_prolongs_subscriptions_or_not() {
    let world = world(|_| {});
    let ended =
        r#"{"push":{"channel":"hook:a","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#;
    let ends = Disconnect { code: 4500, reason: "".into() };
    for (answer, heard) in [
        (Ok(RefreshAnswer::Expired), ended),
        (goes(1000), ended),
        (Err(Refusal::Error(ClientError::INTERNAL)), ended),
        (Err(Refusal::Disconnect(ends)), "4500"),
    ] {
        let mut client = hooked(&world, 10);
        let until = world.unix() + 30;
        world.application.answers(|answers| answers.sub_refresh = goes(until));
        assert_eq!(client.during(12), "");
        assert_eq!(world.application.asked(), ["sub_refresh  hook:a"], "once");
        assert_eq!(world.engine.present("hook:a")[0].chan_info, r#"{"n":2}"#, "the new info is shown");
        let mut other = hooked(&world, 10);
        assert_eq!(other.say(r#"{"id":3,"sub_refresh":{"channel":"hook:a","token":"t"}}"#), "3501");
        world.application.answers(|answers| answers.sub_refresh = answer);
        assert_eq!(client.during(20), heard);
    }
    world.assert_vacant();
}

/// While the backend is asked about one thing, another must not be asked about again and again.
#[test]
fn a_slow_backend_is_asked_once_about_each() {
    let world = world(|book| {
        book.client.connect_proxy_enabled = true;
        book.client.refresh_proxy_enabled = true;
    });
    let until = world.unix() + 10;
    let grant = ConnectGrant { user: "ada".into(), expire_at: until, ..ConnectGrant::default() };
    world.application.answers(|answers| {
        answers.connect = Ok(grant);
        (answers.refresh, answers.sub_refresh) = (goes(until + 100), goes(until + 100));
    });
    let mut client = hooked(&world, 10);
    world.desk.slow_down(&["refresh", "sub_refresh"]);
    client.during(15);
    world.desk.do_next();
    client.during(5);
    world.desk.do_next();
    client.during(5);
    assert_eq!(world.application.asked(), ["refresh ada", "sub_refresh ada hook:a"]);
    assert_eq!(client.during(50), "");
}

#[test]
fn what_the_server_subscribed_to_ends_with_the_connection() {
    let world = world(|book| book.client.connect_proxy_enabled = true);
    let sub = SubscribeGrant { expire_at: world.unix() + 10, ..SubscribeGrant::default() };
    let grant = ConnectGrant { subs: [("a".to_owned(), sub)].into(), ..ConnectGrant::default() };
    world.application.answers(|answers| answers.connect = Ok(grant));
    let mut client = Client::connected(&world);
    assert_eq!(client.during(34), "");
    assert_eq!(client.during(2), "3006");
}

#[test]
fn a_namespace_that_is_gone_ends_what_expires_in_it_and_no_more() {
    let world = world(|_| {});
    let mut client = hooked(&world, 10);
    let claims = json!({ "sub": "", "channel": "$a", "exp": world.unix() + 20 });
    client.say(&json!({ "id": 2, "subscribe": { "channel": "$a", "token": token(&claims) } }).to_string());
    let verifier = || world.node.keys();
    let keys = crate::Keys { connect: verifier().connect.clone(), subscribe: verifier().subscribe.clone() };
    let client_options = book(|book| book.client.ping_interval = crate::Span::ZERO);
    world.node.reload(Rules::new(client_options).unwrap(), keys);
    let heard = client.during(12);
    assert!(heard.contains(r#""channel":"hook:a","unsubscribe":{"code":2501"#), "{heard}");
    let heard = client.during(40);
    assert!(
        heard.contains(r#""channel":"$a","unsubscribe":{"code":2501"#),
        "the other expires in its time: {heard}"
    );
}
