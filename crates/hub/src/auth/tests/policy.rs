//! Whose tokens are taken, and where their keys are.

use super::*;

fn issuer(regex: &str) -> TokenOptions {
    TokenOptions { issuer_regex: regex.into(), ..with_secret() }
}

fn audience(regex: &str) -> TokenOptions {
    TokenOptions { audience_regex: regex.into(), ..with_secret() }
}

#[test]
fn issuer_and_audience_are_looked_at() {
    let exact_issuer = TokenOptions { issuer: "me".into(), ..with_secret() };
    let exact_audience = TokenOptions { audience: "chat".into(), ..with_secret() };
    for (options, claims, taken) in [
        (&with_secret(), r#"{"iss":"anybody","aud":"any"}"#, true),
        (&exact_issuer, r#"{"iss":"me"}"#, true),
        (&exact_issuer, r#"{"iss":"you"}"#, false),
        (&exact_issuer, r#"{"iss":"Me"}"#, false),
        (&exact_issuer, "{}", false),
        (&exact_audience, r#"{"aud":"chat"}"#, true),
        (&exact_audience, r#"{"aud":["mail","chat"]}"#, true),
        (&exact_audience, r#"{"aud":["mail"]}"#, false),
        (&exact_audience, r#"{"aud":"chats"}"#, false),
        (&exact_audience, r#"{"aud":[]}"#, false),
        (&exact_audience, "{}", false),
        (&issuer("a|b"), r#"{"iss":"b"}"#, true),
        (&issuer("a|b"), r#"{"iss":"ab"}"#, false),
        (&issuer("a|ab"), r#"{"iss":"ab"}"#, true),
        (&issuer("https://[a-z]+\\.example\\.com"), r#"{"iss":"https://id.example.com"}"#, true),
        (
            &issuer("https://[a-z]+\\.example\\.com"),
            r#"{"iss":"https://evil.net/?https://id.example.com"}"#,
            false,
        ),
        (&issuer("https://[a-z]+\\.example\\.com"), r#"{"iss":"https://id.example.com.evil.net"}"#, false),
        (&issuer("^me$"), r#"{"iss":"me"}"#, true),
        (&issuer("^me$"), r#"{"iss":"me\n"}"#, false),
        (&issuer("(?m)me"), r#"{"iss":"you\nme\nyou"}"#, false),
        (&issuer("é+"), r#"{"iss":"ééé"}"#, true),
        (&issuer(".*"), "{}", true),
        (&audience("app-\\d+"), r#"{"aud":["x","app-7"]}"#, true),
        (&audience("app-\\d+"), r#"{"aud":"app-"}"#, false),
        (&audience(".*"), "{}", false),
    ] {
        let outcome = connect(options, &token(claims));
        assert_eq!(outcome.is_ok(), taken, "{options:?} {claims}");
        // Whoever skips signatures still says whose tokens are taken.
        assert_eq!(now(verifier(options).connect(&token(claims), true)).is_ok(), taken);
    }
}

#[test]
fn settings_that_contradict_each_other_are_named() {
    for (options, says) in [
        (TokenOptions { issuer: "a".into(), ..issuer("b") }, "issuer and issuer_regex"),
        (TokenOptions { audience: "a".into(), ..audience("b") }, "audience and audience_regex"),
        (issuer("("), "issuer_regex"),
        (issuer("a)|(b"), "issuer_regex"),
        (audience("[z-a]"), "audience_regex"),
    ] {
        let error = refused(&options);
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_gap_in_the_url_takes_only_what_is_listed() {
    let url = "https://id.example/{{tenant}}/keys";
    for (endpoint, issuer_regex, audience_regex, says) in [
        (url, "(?P<tenant>a|b)", "", None),
        (url, "(?<tenant>a|b)", "", None),
        (url, "https://(?P<tenant>one|two\\.x)\\..+", "", None),
        (url, "((x)(?P<tenant>(?:a|b)c))?", "", None),
        (url, "", "(?P<tenant>a)", None),
        (url, "(?P<other>.*)", "(?P<tenant>a)", None),
        ("https://id.example/keys", "(?P<tenant>.*)", "", None),
        ("http://127.0.0.1:3000/keys", "", "", None),
        (url, "", "", Some("neither issuer_regex nor audience_regex")),
        (url, "(?P<Tenant>a)", "", Some("{{tenant}}")),
        (url, "(tenant)", "", Some("{{tenant}}")),
        (url, "\\(?P<tenant>a", "", Some("{{tenant}}")),
        (url, "(?P<tenant>.*)", "", Some("must list")),
        (url, "(?P<tenant>[a-z]+)", "", Some("must list")),
        (url, "(?P<tenant>[ab])", "", Some("must list")),
        (url, "(?P<tenant>a|b.)", "", Some("must list")),
        (url, "(?P<tenant>a|\\w)", "", Some("must list")),
        (url, "(?P<tenant>a|(?:b|c+))", "", Some("must list")),
        (url, "(?P<tenant>a?)", "", Some("must list")),
        (url, "(?P<tenant>a)", "(?P<tenant>b)", Some("rename")),
        ("https://id.example/{{tenant/keys", "(?P<tenant>a)", "", Some("jwks_public_endpoint")),
        ("https://id.example/{{}}", "(?P<tenant>a)", "", Some("{{}}")),
        ("id.example/keys", "", "", Some("https://")),
        ("file:///etc/keys", "", "", Some("https://")),
        ("{{tenant}}", "(?P<tenant>a)", "", Some("https://")),
    ] {
        let options = TokenOptions {
            jwks_public_endpoint: endpoint.into(),
            issuer_regex: issuer_regex.into(),
            audience_regex: audience_regex.into(),
            ..TokenOptions::default()
        };
        let outcome = Verifier::new(&options, Arc::new(Issuers::default()), clock()).map(drop);
        match says {
            None => assert_eq!(outcome, Ok(()), "{options:?}"),
            Some(says) => {
                let error = outcome.expect_err(issuer_regex);
                assert!(error.contains(says), "{error}");
            }
        }
    }
}

#[test]
fn nothing_is_asked_for_a_token_that_would_not_be_taken() {
    let signer = Signer::new("k");
    for (claims, asked) in [
        (json!({"iss": "https://one.example", "aud": "chat"}), Some("https://keys.example/one/chat")),
        (json!({"iss": "https://two.example", "aud": ["x", "mail"]}), Some("https://keys.example/two/mail")),
        (json!({"iss": "https://three.example", "aud": "chat"}), None),
        (json!({"iss": "https://one.example", "aud": "x"}), None),
        (json!({"iss": "https://one.example"}), None),
        (json!({"iss": "https://one.example/../two.example", "aud": "chat"}), None),
        (json!({"iss": "https://evil.net/https://one.example", "aud": "chat"}), None),
        (json!({"iss": "https://up.example", "aud": "chat"}), Some("https://keys.example/up/chat")),
        (json!({"iss": "https://...example", "aud": "chat"}), None),
        (json!({"iss": "https://a/b.example", "aud": "chat"}), None),
        (json!({"iss": "https://a%2fb.example", "aud": "chat"}), None),
        (json!({"iss": "https://é.example", "aud": "chat"}), None),
        (json!({"iss": "https://.example", "aud": "chat"}), None),
        (json!({"iss": "static", "aud": "chat"}), None),
        (json!({"sub": "42"}), None),
    ] {
        let options = TokenOptions {
            jwks_public_endpoint: "https://keys.example/{{tenant}}/{{app}}".into(),
            issuer_regex: "https://(?P<tenant>one|two|up|\\.\\.|a/b|a%2fb|é|)\\.example|static".into(),
            audience_regex: "(?P<app>chat|mail)".into(),
            ..TokenOptions::default()
        };
        let issuers = Arc::new(Issuers::default());
        let verifier = Verifier::new(&options, issuers.clone(), clock()).unwrap();
        let outcome = verifier.connect(&signer.token(&claims), false).now_or_never().unwrap();
        assert_eq!(issuers.0.lock().unwrap().asked, Vec::from_iter(asked), "{claims}");
        match asked {
            Some(_) => assert!(unchecked(outcome).contains("404")),
            None => drop(invalid(outcome)),
        }
    }
}
