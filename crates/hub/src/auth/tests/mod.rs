//! What the tests of tokens share.

mod claims;
mod jwks;
mod lists;
mod policy;
mod signature;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::FutureExt as _;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ring::{hmac, rand::SystemRandom};
use serde_json::{Value, json};

use super::*;
use crate::clock::{Clock, ManualClock};

/// The time of the tests, in seconds: between the `iat` and the `exp` of the vectors.
const NOW: u64 = 1_800_000_000;
const SECRET: &str = "a secret";

/// Tokens and keys that another program made.
fn vectors() -> Value {
    serde_json::from_str(include_str!("../testdata/vectors.json")).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn pem(key: &str) -> String {
    text(&vectors()["keys"][key]["pem"])
}

fn with_secret() -> TokenOptions {
    TokenOptions { hmac_secret_key: SECRET.into(), ..TokenOptions::default() }
}

fn verifier(options: &TokenOptions) -> Verifier {
    Verifier::new(options, Arc::new(Issuers::default()), clock()).unwrap()
}

fn refused(options: &TokenOptions) -> String {
    Verifier::new(options, Arc::new(Issuers::default()), clock()).map(drop).unwrap_err()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW * 1000))
}

/// What an answer is that must be there at once.
fn now<T>(deferred: Deferred<T>) -> T {
    match deferred {
        Deferred::Now(answer) => answer.unwrap(),
        Deferred::Later(_) => panic!("the answer is not there at once"),
    }
}

/// What an answer is that must not be there at once, but come when it is asked for.
fn later<T: Unpin>(deferred: Deferred<T>) -> T {
    assert!(matches!(deferred, Deferred::Later(_)), "the answer is there at once");
    deferred.now_or_never().expect("nothing is waited for")
}

fn connect(options: &TokenOptions, token: &str) -> Result<ConnectToken, TokenError> {
    now(verifier(options).connect(token, false))
}

fn subscribe(options: &TokenOptions, token: &str) -> Result<SubscribeToken, TokenError> {
    now(verifier(options).subscribe(token, false))
}

/// The sentence of an invalid token.
fn invalid<T: fmt::Debug>(outcome: Result<T, TokenError>) -> String {
    match outcome {
        Err(TokenError::Invalid(why)) => why,
        other => panic!("not invalid: {other:?}"),
    }
}

fn unchecked<T: fmt::Debug>(outcome: Result<T, TokenError>) -> String {
    match outcome {
        Err(TokenError::Unchecked(why)) => why,
        other => panic!("not unchecked: {other:?}"),
    }
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of any header and claims, signed with HMAC and SHA-256.
fn hs256(secret: &[u8], header: &str, claims: &str) -> String {
    let message = format!("{}.{}", base64(header), base64(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", base64(signature))
}

/// A token of such claims, as the application makes them.
fn token(claims: &str) -> String {
    hs256(SECRET.as_bytes(), r#"{"alg":"HS256","typ":"JWT"}"#, claims)
}

/// A key that somebody signs tokens with.
struct Signer {
    id: String,
    pair: Ed25519KeyPair,
}

impl Signer {
    fn new(id: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { id: id.into(), pair: Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap() }
    }

    fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": base64(self.pair.public_key())})
    }

    fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": "EdDSA", "kid": self.id});
        let message = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let signature = self.pair.sign(message.as_bytes());
        format!("{message}.{}", base64(signature))
    }
}

/// Issuers that publish their keys, each at its URL.
#[derive(Debug, Default)]
struct Issuers(Arc<Mutex<World>>);

#[derive(Debug, Default)]
struct World {
    documents: HashMap<String, Result<String, String>>,
    /// The URLs that were asked for.
    asked: Vec<String>,
    /// Nobody gets an answer for now.
    slow: bool,
}

impl Issuers {
    fn publish(&self, url: &str, keys: &[Value]) {
        self.answer(url, Ok(json!({"keys": keys}).to_string()));
    }

    fn answer(&self, url: &str, answer: Result<String, String>) {
        self.0.lock().unwrap().documents.insert(url.into(), answer);
    }

    fn set_slow(&self, slow: bool) {
        self.0.lock().unwrap().slow = slow;
    }

    /// How often they were asked.
    fn asked(&self) -> usize {
        self.0.lock().unwrap().asked.len()
    }
}

impl Fetch for Issuers {
    fn fetch(&self, url: &str) -> Deferred<Result<Bytes, String>> {
        self.0.lock().unwrap().asked.push(url.into());
        Deferred::later(Answer { world: self.0.clone(), url: url.into() })
    }
}

struct Answer {
    world: Arc<Mutex<World>>,
    url: String,
}

impl Future for Answer {
    type Output = Result<Bytes, String>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let world = self.world.lock().unwrap();
        if world.slow {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let missing = || Err("404".to_owned());
        Poll::Ready(world.documents.get(&self.url).cloned().unwrap_or_else(missing).map(Bytes::from))
    }
}
