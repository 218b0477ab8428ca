//! Keys that are fetched.

use super::super::jwks::{MAX_SETS, MAX_WAITING};
use super::*;

const URL: &str = "https://id.example/keys";
const HOUR: u64 = 60 * 60 * 1000;

struct Bench {
    issuers: Arc<Issuers>,
    clock: Arc<ManualClock>,
    verifier: Verifier,
}

impl Bench {
    fn new(options: &TokenOptions) -> Self {
        let (issuers, clock) = (Arc::new(Issuers::default()), clock());
        let verifier = Verifier::new(options, issuers.clone(), clock.clone()).unwrap();
        Self { issuers, clock, verifier }
    }

    /// Where all keys are in one place.
    fn plain() -> Self {
        Self::new(&TokenOptions { jwks_public_endpoint: URL.into(), ..TokenOptions::default() })
    }

    fn connect(&self, token: &str) -> Deferred<Result<ConnectToken, TokenError>> {
        self.verifier.connect(token, false)
    }
}

fn claims() -> Value {
    json!({"sub": "42"})
}

#[test]
fn a_key_is_fetched_once() {
    let (bench, signer) = (Bench::plain(), Signer::new("k"));
    bench.issuers.publish(URL, &[signer.jwk()]);
    let token = signer.token(&claims());
    assert_eq!(later(bench.connect(&token)).unwrap().user, "42");
    assert_eq!(now(bench.connect(&token)).unwrap().user, "42");
    let subscription = signer.token(&json!({"channel": "a"}));
    now(bench.verifier.subscribe(&subscription, false)).unwrap();
    assert_eq!(bench.issuers.asked(), 1);
    let forged = Signer::new("k").token(&claims());
    assert!(invalid(now(bench.connect(&forged))).contains("signature"));
}

#[test]
fn keys_of_every_kind_are_read() {
    let bench = Bench::plain();
    let keys: Vec<_> =
        vectors()["keys"].as_object().unwrap().values().map(|key| key["jwk"].clone()).collect();
    let useless =
        [json!({"kty": "LMS"}), json!(5), json!({"kty": "oct", "kid": "hmac", "k": base64(SECRET)})];
    bench.issuers.publish(URL, &[&useless[..], &keys].concat());
    let mut first = true;
    for algorithm in ["RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA"] {
        let answer = bench.connect(&text(&vectors()["tokens"][algorithm]));
        let outcome = if std::mem::take(&mut first) { later(answer) } else { now(answer) };
        assert_eq!(outcome.unwrap().user, "42", "{algorithm}");
    }
    assert!(invalid(now(bench.connect(&text(&vectors()["tokens"]["PS256"])))).contains("PS256"));
    invalid(now(bench.connect(&text(&vectors()["tokens"]["ES512"]))));
}

#[test]
fn use_and_algorithm_of_a_key_are_respected() {
    let token = text(&vectors()["tokens"]["RS256"]);
    for (extra, taken) in [
        (json!({}), true),
        (json!({"use": "sig"}), true),
        (json!({"use": "enc"}), false),
        (json!({"use": "other"}), false),
        (json!({"key_ops": ["verify"]}), true),
        (json!({"key_ops": ["encrypt"]}), false),
        (json!({"alg": "RS256"}), true),
        (json!({"alg": "RS512"}), false),
        (json!({"alg": "PS256"}), false),
        (json!({"alg": "RSA-OAEP"}), false),
        (json!({"alg": "HS256"}), false),
        (json!({"alg": "unheard of"}), false),
        (json!({"kid": "another"}), false),
        (json!({"kty": "oct", "k": base64("x")}), false),
    ] {
        let bench = Bench::plain();
        let mut jwk = vectors()["keys"]["rsa"]["jwk"].clone();
        jwk.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        bench.issuers.publish(URL, &[jwk]);
        let outcome = later(bench.connect(&token));
        assert_eq!(outcome.is_ok(), taken, "{extra}: {outcome:?}");
        assert!(taken || matches!(outcome, Err(TokenError::Invalid(_))), "{extra}: {outcome:?}");
    }
}

#[test]
fn a_fetched_key_is_no_secret() {
    let bench = Bench::plain();
    let rsa = &vectors()["keys"]["rsa"]["jwk"];
    let secret = URL_SAFE_NO_PAD.decode(text(&rsa["n"])).unwrap();
    let symmetric = json!({"kty": "oct", "kid": "oct", "alg": "HS256", "k": base64(SECRET)});
    bench.issuers.publish(URL, &[rsa.clone(), symmetric]);
    later(bench.connect(&text(&vectors()["tokens"]["RS256"]))).unwrap();
    let header = r#"{"alg":"HS256","kid":"rsa"}"#;
    invalid(now(bench.connect(&hs256(&secret, header, "{}"))));
    invalid(now(bench.connect(&hs256(pem("rsa").as_bytes(), header, "{}"))));
    bench.clock.advance(10_000);
    let oct = hs256(SECRET.as_bytes(), r#"{"alg":"HS256","kid":"oct"}"#, "{}");
    assert!(invalid(later(bench.connect(&oct))).contains("oct"));
}

#[test]
fn with_an_endpoint_no_other_key_counts() {
    let bench = Bench::new(&TokenOptions { jwks_public_endpoint: URL.into(), ..with_secret() });
    assert!(invalid(now(bench.connect(&token("{}")))).contains("kid"));
    assert_eq!(bench.issuers.asked(), 0);
    assert!(now(bench.verifier.connect(&token("{}"), true)).is_ok());
}

#[test]
fn keys_rotate() {
    let (bench, old, new) = (Bench::plain(), Signer::new("old"), Signer::new("new"));
    bench.issuers.publish(URL, &[old.jwk()]);
    later(bench.connect(&old.token(&claims()))).unwrap();
    bench.clock.advance(10_000);
    bench.issuers.publish(URL, &[new.jwk()]);
    now(bench.connect(&old.token(&claims()))).unwrap();
    later(bench.connect(&new.token(&claims()))).unwrap();
    assert_eq!(bench.issuers.asked(), 2);
    // What the issuer does not list any more is no key.
    unchecked(now(bench.connect(&old.token(&claims()))));
    bench.clock.advance(10_000);
    invalid(later(bench.connect(&old.token(&claims()))));
}

#[test]
fn keys_that_do_not_exist_cost_one_question_in_a_while() {
    let (bench, signer) = (Bench::plain(), Signer::new("k"));
    bench.issuers.publish(URL, &[signer.jwk()]);
    later(bench.connect(&signer.token(&claims()))).unwrap();
    for round in 0..3 {
        for made_up in 0..50 {
            let token = Signer::new(&format!("{round}-{made_up}")).token(&claims());
            unchecked(now(bench.connect(&token)));
        }
        now(bench.connect(&signer.token(&claims()))).unwrap();
        assert_eq!(bench.issuers.asked(), 1 + round);
        bench.clock.advance(10_000);
        invalid(later(bench.connect(&Signer::new("made up").token(&claims()))));
    }
}

#[test]
fn two_tenants_may_call_their_keys_the_same() {
    let bench = Bench::new(&TokenOptions {
        jwks_public_endpoint: "https://id.example/{{tenant}}/keys".into(),
        issuer_regex: "(?P<tenant>one|two)".into(),
        ..TokenOptions::default()
    });
    let (one, two) = (Signer::new("same"), Signer::new("same"));
    bench.issuers.publish("https://id.example/one/keys", &[one.jwk()]);
    bench.issuers.publish("https://id.example/two/keys", &[two.jwk()]);
    let of = |tenant: &str| json!({"sub": "42", "iss": tenant});
    later(bench.connect(&one.token(&of("one")))).unwrap();
    // The first tenant's key is known, and must not speak for the second.
    assert!(invalid(later(bench.connect(&one.token(&of("two"))))).contains("signature"));
    now(bench.connect(&two.token(&of("two")))).unwrap();
    now(bench.connect(&one.token(&of("one")))).unwrap();
    assert!(invalid(now(bench.connect(&two.token(&of("one"))))).contains("signature"));
    assert_eq!(bench.issuers.asked(), 2);
}

#[test]
fn an_issuer_that_is_down_stops_nobody_for_a_day() {
    let (bench, signer) = (Bench::plain(), Signer::new("k"));
    let token = signer.token(&claims());
    bench.issuers.publish(URL, &[signer.jwk()]);
    later(bench.connect(&token)).unwrap();
    for answer in [Err("503".to_owned()), Ok("<html>".to_owned()), Ok(r#"{"keys":5}"#.to_owned())] {
        bench.issuers.answer(URL, answer);
        bench.clock.advance(HOUR);
        let asked = bench.issuers.asked();
        later(bench.connect(&token)).unwrap();
        now(bench.connect(&token)).unwrap();
        unchecked(now(bench.connect(&Signer::new("new").token(&claims()))));
        assert_eq!(bench.issuers.asked(), asked + 1);
        bench.clock.advance(10_000);
        assert!(unchecked(later(bench.connect(&Signer::new("new").token(&claims())))).contains(URL));
    }
    bench.clock.advance(21 * HOUR);
    unchecked(later(bench.connect(&token)));
    unchecked(now(bench.connect(&token)));
    bench.issuers.publish(URL, &[signer.jwk()]);
    bench.clock.advance(10_000);
    later(bench.connect(&token)).unwrap();
}

#[test]
fn keys_are_looked_at_again_every_hour() {
    let (bench, signer) = (Bench::plain(), Signer::new("k"));
    let token = signer.token(&claims());
    bench.issuers.publish(URL, &[signer.jwk()]);
    later(bench.connect(&token)).unwrap();
    bench.clock.advance(HOUR - 1);
    now(bench.connect(&token)).unwrap();
    bench.clock.advance(1);
    // While one looks, the others go on with what is known.
    bench.issuers.set_slow(true);
    let mut first = bench.connect(&token);
    assert!((&mut first).now_or_never().is_none());
    now(bench.connect(&token)).unwrap();
    // The issuer has withdrawn the key.
    bench.issuers.publish(URL, &[]);
    bench.issuers.set_slow(false);
    invalid(later(first));
    unchecked(now(bench.connect(&token)));
}

#[test]
fn all_wait_for_the_same_answer() {
    let (bench, signer) = (Bench::plain(), Signer::new("k"));
    bench.issuers.publish(URL, &[signer.jwk()]);
    bench.issuers.set_slow(true);
    let mut waiting: Vec<_> = (0..5).map(|_| bench.connect(&signer.token(&claims()))).collect();
    for one in &mut waiting {
        assert!(one.now_or_never().is_none());
    }
    // Whoever began it may go.
    drop(waiting.remove(0));
    bench.issuers.set_slow(false);
    for one in waiting {
        later(one).unwrap();
    }
    now(bench.connect(&signer.token(&claims()))).unwrap();
    assert_eq!(bench.issuers.asked(), 1);
}

#[test]
fn who_comes_after_all_have_gone_gets_the_same_answer() {
    let (bench, signer) = (Bench::plain(), Signer::new("k"));
    bench.issuers.publish(URL, &[signer.jwk()]);
    bench.issuers.set_slow(true);
    let mut gone = bench.connect(&signer.token(&claims()));
    assert!((&mut gone).now_or_never().is_none());
    drop(gone);
    bench.issuers.set_slow(false);
    later(bench.connect(&signer.token(&claims()))).unwrap();
    assert_eq!(bench.issuers.asked(), 1);
}

#[test]
fn an_answer_comes_though_the_verifier_is_gone() {
    let (bench, signer) = (Bench::plain(), Signer::new("k"));
    bench.issuers.publish(URL, &[signer.jwk()]);
    let answer = bench.connect(&signer.token(&claims()));
    let Bench { issuers, verifier, .. } = bench;
    drop(verifier);
    later(answer).unwrap();
    assert_eq!(Arc::strong_count(&issuers), 1, "nothing is left of the verifier");
}

#[test]
fn a_token_that_expires_while_keys_are_fetched_has_expired() {
    let (bench, signer) = (Bench::plain(), Signer::new("k"));
    bench.issuers.publish(URL, &[signer.jwk()]);
    let answer = bench.connect(&signer.token(&json!({"exp": NOW + 5})));
    bench.clock.advance(5_000);
    assert_eq!(later(answer), Err(TokenError::Expired));
}

#[test]
fn only_so_many_wait() {
    let (bench, signer) = (Bench::plain(), Signer::new("k"));
    bench.issuers.publish(URL, &[signer.jwk()]);
    let token = signer.token(&claims());
    let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| bench.connect(&token)).collect();
    assert!(unchecked(now(bench.connect(&token))).contains("10000 clients wait"));
    waiting.pop();
    later(bench.connect(&token)).unwrap();
}

#[test]
fn only_so_many_keys_and_sets_are_kept() {
    let (bench, signer) = (Bench::plain(), Signer::new("k"));
    bench.issuers.publish(URL, &vec![signer.jwk(); 101]);
    assert!(unchecked(later(bench.connect(&signer.token(&claims())))).contains("the limit is 100"));

    let tenants: Vec<_> = (0..=MAX_SETS).map(|tenant| format!("t{tenant}")).collect();
    let bench = Bench::new(&TokenOptions {
        jwks_public_endpoint: "https://id.example/{{tenant}}".into(),
        issuer_regex: format!("(?P<tenant>{})", tenants.join("|")),
        ..TokenOptions::default()
    });
    let of = |tenant: &str| signer.token(&json!({"iss": tenant}));
    for tenant in &tenants {
        bench.issuers.publish(&format!("https://id.example/{tenant}"), &[signer.jwk()]);
        later(bench.connect(&of(tenant))).unwrap();
        bench.clock.advance(1);
    }
    now(bench.connect(&of("t1"))).unwrap();
    later(bench.connect(&of("t0"))).unwrap();
}

#[test]
fn a_clock_that_is_set_back_makes_keys_stale() {
    let (issuers, signer) = (Arc::new(Issuers::default()), Signer::new("k"));
    issuers.publish(URL, &[signer.jwk()]);
    #[derive(Debug)]
    struct Back(Mutex<u64>);
    impl Clock for Back {
        fn unix_ms(&self) -> u64 {
            *self.0.lock().unwrap()
        }
    }
    let clock = Arc::new(Back(Mutex::new(NOW * 1000)));
    let options = TokenOptions { jwks_public_endpoint: URL.into(), ..TokenOptions::default() };
    let verifier = Verifier::new(&options, issuers, clock.clone()).unwrap();
    later(verifier.connect(&signer.token(&claims()), false)).unwrap();
    *clock.0.lock().unwrap() -= 1000 * HOUR;
    later(verifier.connect(&signer.token(&claims()), false)).unwrap();
    now(verifier.connect(&signer.token(&claims()), false)).unwrap();
}
