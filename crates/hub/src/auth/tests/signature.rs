//! Who signed a token.

use super::super::claims::Jwt;
use super::super::keys::parse_set;
use super::super::provider;
use super::*;
use jsonwebtoken::{Algorithm, DecodingKey};
use proptest::prelude::*;

/// Every key of the vectors that is taken.
fn with_all_keys() -> TokenOptions {
    TokenOptions {
        hmac_secret_key: text(&vectors()["secret"]),
        rsa_public_key: pem("rsa"),
        ecdsa_public_key: pem("p256"),
        ed25519_public_key: pem("ed25519"),
        ..TokenOptions::default()
    }
}

fn with_p384() -> TokenOptions {
    TokenOptions { ecdsa_public_key: pem("p384"), ..TokenOptions::default() }
}

const TAKEN: [&str; 9] = ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA"];

#[test]
fn tokens_of_another_program_are_verified() {
    for algorithm in TAKEN {
        let options = if algorithm == "ES384" { with_p384() } else { with_all_keys() };
        let token = text(&vectors()["tokens"][algorithm]);
        let read = connect(&options, &token).unwrap_or_else(|error| panic!("{algorithm}: {error}"));
        assert_eq!(
            (read.user.as_str(), read.issued_at, read.expire_at),
            ("42", 1_700_000_000, 2_000_000_000),
            "{algorithm}"
        );
    }
}

#[test]
fn a_key_in_pkcs1_is_as_good() {
    let pkcs1 = text(&vectors()["keys"]["rsa"]["pkcs1"]);
    let options = TokenOptions { rsa_public_key: pkcs1, ..TokenOptions::default() };
    connect(&options, &text(&vectors()["tokens"]["RS256"])).unwrap();
}

#[test]
fn a_change_anywhere_makes_a_token_invalid() {
    for algorithm in TAKEN {
        let options = if algorithm == "ES384" { with_p384() } else { with_all_keys() };
        let token = text(&vectors()["tokens"][algorithm]);
        let verifier = verifier(&options);
        for at in (0..token.len()).step_by(7) {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            invalid(now(verifier.connect(&changed, false)));
        }
        for short in [&token[..token.len() - 4], token.rsplit_once('.').unwrap().0, &format!("{token}AAAA")] {
            invalid(now(verifier.connect(short, false)));
        }
    }
}

#[test]
fn algorithms_without_a_key_are_refused() {
    let all: Vec<_> = vectors()["tokens"].as_object().unwrap().keys().cloned().collect();
    for (options, taken) in [
        (TokenOptions::default(), &[][..]),
        (
            TokenOptions { hmac_secret_key: text(&vectors()["secret"]), ..TokenOptions::default() },
            &TAKEN[..3],
        ),
        (TokenOptions { rsa_public_key: pem("rsa"), ..TokenOptions::default() }, &TAKEN[3..6]),
        (TokenOptions { ecdsa_public_key: pem("p256"), ..TokenOptions::default() }, &TAKEN[6..7]),
        (with_p384(), &TAKEN[7..8]),
        (TokenOptions { ed25519_public_key: pem("ed25519"), ..TokenOptions::default() }, &TAKEN[8..]),
    ] {
        for algorithm in &all {
            let outcome = connect(&options, &text(&vectors()["tokens"][algorithm]));
            assert_eq!(outcome.is_ok(), taken.contains(&algorithm.as_str()), "{algorithm} with {taken:?}");
        }
    }
}

#[test]
fn a_token_without_a_signature_is_refused() {
    let claims = r#"{"sub":"42"}"#;
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"NONE","typ":"JWT"}"#,
        r#"{"alg":""}"#,
        r#"{"alg":null}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":"HS256"}"#,
    ] {
        for signature in ["", "AAAA", &base64([0; 32])] {
            let token = format!("{}.{}.{signature}", base64(header), base64(claims));
            invalid(connect(&with_all_keys(), &token));
            invalid(subscribe(&with_all_keys(), &token));
        }
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let header = r#"{"alg":"HS256"}"#;
    let modulus = URL_SAFE_NO_PAD.decode(text(&vectors()["keys"]["rsa"]["jwk"]["n"])).unwrap();
    let point = URL_SAFE_NO_PAD.decode(text(&vectors()["keys"]["ed25519"]["jwk"]["x"])).unwrap();
    let der = ring_der(&pem("rsa"));
    let secrets =
        [pem("rsa").into_bytes(), pem("rsa").trim().as_bytes().to_vec(), modulus, point, der, Vec::new()];
    let public = TokenOptions { hmac_secret_key: String::new(), ..with_all_keys() };
    for secret in secrets {
        let token = hs256(&secret, header, r#"{"sub":"42"}"#);
        invalid(connect(&with_all_keys(), &token));
        assert!(invalid(connect(&public, &token)).contains("no key for HS256"));
    }
    assert!(
        refused(&TokenOptions { hmac_secret_key: pem("rsa"), ..TokenOptions::default() })
            .contains("hmac_secret_key")
    );
}

/// The bytes of a key in PEM.
fn ring_der(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(lines).unwrap()
}

#[test]
fn a_key_verifies_nothing_but_its_own_algorithms() {
    provider::install();
    let rsa = DecodingKey::from_rsa_pem(pem("rsa").as_bytes()).unwrap();
    for algorithm in [Algorithm::HS256, Algorithm::EdDSA, Algorithm::ES256, Algorithm::PS256] {
        let outcome = jsonwebtoken::crypto::verify("AAAA", b"message", &rsa, algorithm);
        assert!(outcome.is_err(), "{algorithm:?}");
    }
    let set = json!({"keys": [vectors()["keys"]["rsa"]["jwk"]]}).to_string();
    let key = parse_set(set.as_bytes()).unwrap().remove(0);
    key.verify(&Jwt::parse(&text(&vectors()["tokens"]["RS256"])).unwrap()).unwrap();
    for algorithm in ["HS256", "PS256", "ES256", "EdDSA"] {
        let jwt = Jwt::parse(&text(&vectors()["tokens"][algorithm])).unwrap();
        assert!(invalid(key.verify(&jwt)).contains("is for"), "{algorithm}");
    }
}

#[test]
fn an_extension_that_must_be_understood_is_not() {
    let header = r#"{"alg":"HS256","crit":["b64"],"b64":false}"#;
    assert!(invalid(connect(&with_secret(), &hs256(SECRET.as_bytes(), header, "{}"))).contains("crit"));
    let plain = r#"{"alg":"HS256","b64":true,"x":{"y":[1]}}"#;
    connect(&with_secret(), &hs256(SECRET.as_bytes(), plain, "{}")).unwrap();
}

#[test]
fn the_signature_is_looked_at_unless_somebody_says_no() {
    let forged = hs256(b"another secret", r#"{"alg":"HS256"}"#, r#"{"sub":"42","channel":"a"}"#);
    let connection = hs256(b"another secret", r#"{"alg":"HS256"}"#, r#"{"sub":"42"}"#);
    let expired = hs256(b"another secret", r#"{"alg":"HS256"}"#, r#"{"sub":"42","exp":1}"#);
    for options in [with_secret(), TokenOptions::default()] {
        let verifier = verifier(&options);
        invalid(now(verifier.connect(&connection, false)));
        invalid(now(verifier.connect(&expired, false)));
        assert_eq!(now(verifier.connect(&connection, true)).unwrap().user, "42");
        assert_eq!(now(verifier.subscribe(&forged, true)).unwrap().user, "42");
        assert_eq!(now(verifier.connect(&expired, true)), Err(TokenError::Expired));
    }
}

#[test]
fn the_previous_secret_is_taken_until_it_ends() {
    let old = hs256(b"old", r#"{"alg":"HS256"}"#, r#"{"sub":"42"}"#);
    for (current, until, taken) in
        [("new", 0, true), ("new", NOW, true), ("new", NOW + 1, true), ("new", NOW - 1, false), ("", 0, true)]
    {
        let options = TokenOptions {
            hmac_secret_key: current.into(),
            hmac_previous_secret_key: "old".into(),
            hmac_previous_secret_key_valid_until: until,
            ..TokenOptions::default()
        };
        assert_eq!(connect(&options, &old).is_ok(), taken, "{current} until {until}");
        invalid(connect(&options, &hs256(b"older", r#"{"alg":"HS256"}"#, "{}")));
    }
}

#[test]
fn settings_that_cannot_work_are_named() {
    let default = TokenOptions::default;
    let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n";
    for (options, says) in [
        (TokenOptions { rsa_public_key: "nonsense".into(), ..default() }, "rsa_public_key"),
        (TokenOptions { rsa_public_key: private.into(), ..default() }, "rsa_public_key"),
        (TokenOptions { rsa_public_key: pem("p256"), ..default() }, "rsa_public_key"),
        (TokenOptions { rsa_public_key: pem("rsa1024"), ..default() }, "2048"),
        (TokenOptions { ecdsa_public_key: pem("rsa"), ..default() }, "ecdsa_public_key"),
        (TokenOptions { ecdsa_public_key: pem("p521"), ..default() }, "P-384"),
        (TokenOptions { ed25519_public_key: pem("p256"), ..default() }, "ed25519_public_key"),
        (TokenOptions { ed25519_public_key: private.into(), ..default() }, "ed25519_public_key"),
        (TokenOptions { hmac_previous_secret_key: pem("rsa"), ..default() }, "hmac_previous_secret_key"),
        (TokenOptions { user_id_claim: "a.b".into(), ..default() }, "user_id_claim"),
    ] {
        let error = refused(&options);
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn what_is_signed_here_is_verified_here() {
    let claims = json!({"sub": "Zoë \u{1F980}", "exp": NOW + 60, "info": {"name": "ß"}});
    let read = connect(&with_secret(), &sign(&with_secret(), &claims).unwrap()).unwrap();
    assert_eq!((read.user.as_str(), read.info.as_ref()), ("Zoë \u{1F980}", r#"{"name":"ß"}"#.as_bytes()));
    let jwks = TokenOptions { jwks_public_endpoint: "https://a.example".into(), ..with_secret() };
    for (options, claims, says) in [
        (TokenOptions::default(), json!({}), "hmac_secret_key is not set"),
        (jwks, json!({}), "jwks_public_endpoint"),
        (with_secret(), json!("42"), "JSON object"),
    ] {
        assert!(sign(&options, &claims).unwrap_err().contains(says));
    }
}

#[test]
fn a_verifier_goes_to_other_threads_and_tells_no_secret() {
    fn check<T: Send + Sync + 'static>(_: &T) {}
    let verifier = verifier(&TokenOptions { hmac_secret_key: "swordfish".into(), ..TokenOptions::default() });
    check(&verifier);
    let bytes = format!("{:?}", "swordfish".as_bytes());
    let debug = format!("{verifier:?}");
    assert!(!debug.contains("swordfish") && !debug.contains(bytes.trim_matches(['[', ']'])), "{debug}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}(\\.\\PC{0,60}){0,3}") {
        let verifier = verifier(&with_all_keys());
        prop_assert!(now(verifier.connect(&text, false)).is_err());
        prop_assert!(now(verifier.subscribe(&text, true)).is_err());
    }

    #[test]
    fn no_parts_make_it_panic(header in any::<Vec<u8>>(), claims in any::<Vec<u8>>(), signature in any::<Vec<u8>>()) {
        let verifier = verifier(&with_all_keys());
        for header in [header.as_slice(), br#"{"alg":"HS256"}"#, br#"{"alg":"RS256"}"#, br#"{"alg":"EdDSA"}"#] {
            let text = format!("{}.{}.{}", base64(header), base64(&claims), base64(&signature));
            prop_assert!(now(verifier.connect(&text, false)).is_err());
            let _ = now(verifier.subscribe(&text, true));
        }
    }

    #[test]
    fn no_claims_make_it_panic(name in "sub|exp|nbf|iat|iss|aud|jti|info|b64info|channel|channels|subs|meta|override|expire_at",
                               value in json_value()) {
        let verifier = verifier(&with_secret());
        let text = token(&json!({name: value}).to_string());
        let _ = now(verifier.connect(&text, false));
        let _ = now(verifier.subscribe(&text, false));
    }
}

/// Any JSON value of little depth.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("value|info|\\PC{0,5}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
