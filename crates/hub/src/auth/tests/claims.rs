//! What tokens say.

use super::*;
use crate::backend::{Overrides, SubscribeGrant};

fn grant(info: &'static str) -> SubscribeGrant {
    SubscribeGrant { info: info.into(), ..SubscribeGrant::default() }
}

#[test]
fn a_connection_token_says_who_and_what() {
    let base = || ConnectToken { user: "42".into(), ..ConnectToken::default() };
    let subs = |subs: &[(&str, SubscribeGrant)]| {
        subs.iter().map(|(name, grant)| ((*name).into(), grant.clone())).collect()
    };
    let overrides = Overrides {
        presence: Some(true),
        join_leave: Some(false),
        force_push_join_leave: Some(true),
        force_recovery: Some(true),
        force_positioning: Some(false),
    };
    for (claims, says) in [
        ("{}", ConnectToken::default()),
        (
            r#"{"sub":null,"info":null,"channels":null,"subs":null,"exp":null,"b64info":null}"#,
            ConnectToken::default(),
        ),
        (r#"{"sub":"42","unknown":{"a":[1]}}"#, base()),
        (r#"{"sub":"42","exp":1800000001}"#, ConnectToken { expire_at: NOW + 1, ..base() }),
        (r#"{"sub":"42","exp":1800000009.75}"#, ConnectToken { expire_at: NOW + 9, ..base() }),
        (r#"{"sub":"42","exp":1e300}"#, ConnectToken { expire_at: u64::MAX, ..base() }),
        (
            r#"{"sub":"42","exp":1800000001,"expire_at":1900000000}"#,
            ConnectToken { expire_at: 1_900_000_000, ..base() },
        ),
        (r#"{"sub":"42","exp":1800000001,"expire_at":0}"#, base()),
        (r#"{"sub":"42","exp":1800000001,"expire_at":-5}"#, base()),
        (r#"{"sub":"42","nbf":1800000000}"#, base()),
        (
            r#"{"sub":"42","iat":1700000000,"jti":"id-1"}"#,
            ConnectToken { issued_at: 1_700_000_000, id: "id-1".into(), ..base() },
        ),
        (r#"{"sub":"42","info":{"a": "ü"}}"#, ConnectToken { info: r#"{"a": "ü"}"#.into(), ..base() }),
        ("{\"sub\":\"42\",\"info\":{\n\"a\":1}}", ConnectToken { info: r#"{ "a":1}"#.into(), ..base() }),
        (
            r#"{"sub":"42","info":1,"b64info":"/wA="}"#,
            ConnectToken { info: Bytes::from_static(&[255, 0]), ..base() },
        ),
        (r#"{"sub":"42","meta":{"plan":"x"}}"#, ConnectToken { meta: r#"{"plan":"x"}"#.into(), ..base() }),
        (
            r#"{"sub":"42","channels":["a","b"]}"#,
            ConnectToken { subs: subs(&[("a", grant("")), ("b", grant(""))]), ..base() },
        ),
        (
            r#"{"sub":"42","channels":["a"],"subs":{"b":{"info":1}}}"#,
            ConnectToken { subs: subs(&[("b", grant("1"))]), ..base() },
        ),
        (
            r#"{"sub":"42","subs":{"b":{"b64info":"aGk=","data":{"d":1},"override":{"presence":{"value":true},
                "join_leave":{"value":false},"force_push_join_leave":{"value":true},"force_recovery":{"value":true},
                "force_positioning":{}}},"c":{"b64data":"aGk=","override":null}}}"#,
            ConnectToken {
                subs: subs(&[
                    ("b", SubscribeGrant { data: r#"{"d":1}"#.into(), overrides, ..grant("hi") }),
                    ("c", SubscribeGrant { data: "hi".into(), ..grant("") }),
                ]),
                ..base()
            },
        ),
    ] {
        assert_eq!(connect(&with_secret(), &token(claims)), Ok(says), "{claims}");
    }
}

#[test]
fn a_subscription_token_says_who_and_where() {
    let names = |names: &[&str]| ChannelClaim {
        names: names.iter().map(|name| (*name).into()).collect(),
        patterns: vec![],
    };
    let base = || SubscribeToken { user: "42".into(), channels: names(&["a"]), ..SubscribeToken::default() };
    for (claims, says) in [
        (r#"{"sub":"42","channel":"a"}"#, base()),
        (r#"{"channel":"a"}"#, SubscribeToken { user: String::new(), ..base() }),
        (
            r#"{"sub":"42","channel":"a","client":"c-1","iat":5,"jti":"j"}"#,
            SubscribeToken { client: "c-1".into(), issued_at: 5, id: "j".into(), ..base() },
        ),
        (
            r#"{"sub":"42","channel":"a","exp":1800000001}"#,
            SubscribeToken { grant: SubscribeGrant { expire_at: NOW + 1, ..grant("") }, ..base() },
        ),
        (r#"{"sub":"42","channel":"a","exp":1800000001,"expire_at":0}"#, base()),
        (
            r#"{"sub":"42","channel":"a","info":{"x":1},"b64data":"aGk=","override":{"presence":{"value":true}}}"#,
            SubscribeToken {
                grant: SubscribeGrant {
                    data: "hi".into(),
                    overrides: Overrides { presence: Some(true), ..Overrides::default() },
                    ..grant(r#"{"x":1}"#)
                },
                ..base()
            },
        ),
        (r#"{"sub":"42","channel":"a*"}"#, SubscribeToken { channels: names(&["a*"]), ..base() }),
        (
            r#"{"sub":"42","channels":["b","news:*","**","c"],"channel":"a"}"#,
            SubscribeToken {
                channels: ChannelClaim {
                    patterns: vec!["news:*".into(), "**".into()],
                    ..names(&["b", "c", "a"])
                },
                ..base()
            },
        ),
        (r#"{"sub":"42","channels":["","ä"]}"#, SubscribeToken { channels: names(&["ä"]), ..base() }),
    ] {
        assert_eq!(subscribe(&with_secret(), &token(claims)), Ok(says), "{claims}");
    }
}

#[test]
fn a_token_holds_in_its_time_only() {
    for (claims, good) in [
        (r#"{"channel":"a","exp":1800000001}"#, true),
        (r#"{"channel":"a","exp":1800000000}"#, false),
        (r#"{"channel":"a","exp":1800000000.9}"#, false),
        (r#"{"channel":"a","exp":0}"#, false),
        (r#"{"channel":"a","exp":-1}"#, false),
        (r#"{"channel":"a","nbf":1800000000}"#, true),
        (r#"{"channel":"a","nbf":1800000001}"#, false),
        (r#"{"channel":"a","nbf":0,"exp":1800000001}"#, true),
        (r#"{"channel":"a","expire_at":1}"#, true),
    ] {
        let connection = token(&claims.replace("channel", "unknown"));
        for outcome in [
            subscribe(&with_secret(), &token(claims)).map(drop),
            connect(&with_secret(), &connection).map(drop),
        ] {
            assert_eq!(outcome, if good { Ok(()) } else { Err(TokenError::Expired) }, "{claims}");
        }
    }
}

#[test]
fn the_clock_is_the_callers() {
    let clock = clock();
    let verifier = Verifier::new(&with_secret(), Arc::new(Issuers::default()), clock.clone()).unwrap();
    let token = token(r#"{"exp":1800000060}"#);
    now(verifier.connect(&token, false)).unwrap();
    clock.advance(60_000);
    assert_eq!(now(verifier.connect(&token, false)), Err(TokenError::Expired));
}

#[test]
fn nonsense_is_invalid() {
    for claims in [
        "",
        "null",
        "[]",
        "\"42\"",
        "{",
        r#"{"sub":42}"#,
        r#"{"sub":"42","sub":"43"}"#,
        r#"{"exp":"soon"}"#,
        r#"{"exp":{}}"#,
        r#"{"aud":5}"#,
        r#"{"aud":[1]}"#,
        r#"{"iss":["a"]}"#,
        r#"{"b64info":"%"}"#,
        r#"{"b64info":"aGk"}"#,
        r#"{"channels":"a"}"#,
        r#"{"channels":[1]}"#,
        r#"{"subs":["a"]}"#,
        r#"{"subs":{"a":{"override":{"presence":true}}}}"#,
        r#"{"subs":{"a":{"b64data":"!"}}}"#,
        r#"{"expire_at":"soon"}"#,
        r#"{"expire_at":true}"#,
    ] {
        assert!(
            invalid(connect(&with_secret(), &token(claims))).contains("claims") || claims.contains("b64"),
            "{claims}"
        );
    }
    for claims in [
        r#"{"sub":"42"}"#,
        r#"{"channel":""}"#,
        r#"{"channels":[]}"#,
        r#"{"channels":[""]}"#,
        r#"{"channel":["a"]}"#,
    ] {
        invalid(subscribe(&with_secret(), &token(claims)));
    }
    let not_text = format!("{}.{}.AAAA", base64(r#"{"alg":"HS256"}"#), base64([0xff, 0xfe]));
    invalid(connect(&with_secret(), &not_text));
    let long_kid = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(257));
    assert!(invalid(connect(&with_secret(), &hs256(SECRET.as_bytes(), &long_kid, "{}"))).contains("kid"));
}

#[test]
fn a_subscription_token_makes_no_connection() {
    for claims in [
        r#"{"sub":"42","channel":"a"}"#,
        r#"{"sub":"42","channels":["news:*"]}"#,
        r#"{"sub":"42","channels":["a"],"channel":"a"}"#,
    ] {
        assert!(invalid(connect(&with_secret(), &token(claims))).contains("subscription"), "{claims}");
    }
}

#[test]
fn another_claim_may_name_the_user() {
    let options = TokenOptions { user_id_claim: "user_id".into(), ..with_secret() };
    for (claims, user) in [
        (r#"{"user_id":"42"}"#, Some("42")),
        (r#"{"user_id":42}"#, Some("42")),
        (r#"{"user_id":"Ω","sub":"43"}"#, Some("Ω")),
        (r#"{"sub":"43"}"#, Some("")),
        (r#"{"user_id":null}"#, Some("")),
        (r#"{"user_id":{"id":42}}"#, None),
        (r#"{"user_id":["42"]}"#, None),
        (r#"{"user_id":true}"#, None),
    ] {
        assert_eq!(connect(&options, &token(claims)).ok().map(|read| read.user).as_deref(), user, "{claims}");
        let subscription = token(&claims.replacen('{', r#"{"channel":"a","#, 1));
        assert_eq!(
            subscribe(&options, &subscription).ok().map(|read| read.user).as_deref(),
            user,
            "{claims}"
        );
    }
}
