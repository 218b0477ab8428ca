//! Keys that are fetched from their issuer.
//!
//! - **Fresh** (an hour): a key of the set is used at once. One that is not in it may be new, so the set is fetched again.
//! - **Stale** (a day): a key of the set is used while a new set is fetched or cannot be had.
//! - Later than that, the set is forgotten.
//!
//! A set is fetched by one at a time, for all who wait, and not again before the cool-down is over, whatever tokens come: each
//! of them could name a key that does not exist.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::future::{FutureExt as _, Shared};
use jsonwebtoken::Algorithm;

use super::claims::Jwt;
use super::endpoint::Endpoint;
use super::keys::{Key, parse_set};
use super::policy::Groups;
use super::{Fetch, TokenError, TokenOptions, provider};
use crate::clock::Clock;

const FRESH_MS: u64 = 60 * 60 * 1000;
const STALE_MS: u64 = 24 * FRESH_MS;
const COOL_DOWN_MS: u64 = 10_000;
/// The most sets that are kept.
pub(super) const MAX_SETS: usize = 1000;
/// The most clients that may wait for one set.
pub(super) const MAX_WAITING: usize = 10_000;

type Keys = Arc<[Arc<Key>]>;
type Flight = Shared<Pin<Box<dyn Future<Output = Result<Keys, Arc<str>>> + Send>>>;
type Found = Result<Arc<Key>, TokenError>;

/// The key of a token.
pub(super) enum Search {
    /// What is known of it.
    Over(Found),
    /// The set of keys is being fetched.
    Goes(Pin<Box<dyn Future<Output = Found> + Send>>),
}

/// The sets of keys of every issuer, by their URL. A URL is made of what is known of the issuer, so a key of one issuer is never
/// found for another, though both call it the same.
#[derive(Debug)]
pub(super) struct Jwks {
    endpoint: Endpoint,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    sets: Mutex<HashMap<String, KeySet>>,
}

#[derive(Debug, Default)]
struct KeySet {
    keys: Keys,
    /// When `keys` came, in milliseconds since 1970.
    fetched_at: Option<u64>,
    /// When a fetch last ended, well or not.
    tried_at: Option<u64>,
    flight: Option<Flight>,
}

impl Jwks {
    /// # Errors
    /// A sentence that names the setting.
    pub(super) fn new(
        options: &TokenOptions,
        fetch: Arc<dyn Fetch>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        provider::install();
        Ok(Self { endpoint: Endpoint::new(options)?, fetch, clock, sets: Mutex::default() })
    }

    /// Looks for the key that a token says it is signed with, at the issuer that `groups` say it is from.
    pub(super) fn find(self: &Arc<Self>, jwt: &Jwt, groups: &Groups) -> Search {
        let (id, algorithm) = (jwt.key_id.clone(), jwt.algorithm);
        if id.is_empty() {
            let why = "the token does not name its key (`kid`), and keys come from jwks_public_endpoint";
            return Search::Over(Err(TokenError::Invalid(why.into())));
        }
        let url = match self.endpoint.url(groups) {
            Ok(url) => url,
            Err(error) => return Search::Over(Err(error)),
        };
        let now = self.clock.unix_ms();
        let mut sets = self.lock();
        make_room(&mut sets, &url);
        let set = sets.entry(url.clone()).or_default();
        // A clock that was set back makes a set stale, not eternal.
        let age = set.fetched_at.map(|at| now.checked_sub(at).unwrap_or(FRESH_MS));
        if age.is_none_or(|age| age >= STALE_MS) {
            set.keys = Keys::default();
        }
        let known = select(&set.keys, &id, algorithm);
        let is_fresh = age.is_some_and(|age| age < FRESH_MS);
        let tried = |at| now.checked_sub(at).is_some_and(|since| since < COOL_DOWN_MS);
        let is_cooling = set.flight.is_none() && set.tried_at.is_some_and(tried);
        match known {
            Some(found) if is_fresh || is_cooling || set.flight.is_some() => return Search::Over(found),
            None if is_cooling => {
                // The key may be a new one, so nobody is told that the token is bad.
                let why = format!("{url} was asked a moment ago and had no key {id:?}, or did not answer");
                return Search::Over(Err(TokenError::Unchecked(why)));
            }
            _ => {}
        }
        let flight = set.flight.get_or_insert_with(|| self.fetch_set(url.clone()));
        if flight.strong_count().is_some_and(|count| count > MAX_WAITING) {
            let why = format!("{MAX_WAITING} clients wait for {url} already, which is the limit");
            return Search::Over(Err(TokenError::Unchecked(why)));
        }
        let flight = flight.clone();
        Search::Goes(Box::pin(async move {
            match flight.await {
                Ok(keys) => select(&keys, &id, algorithm).unwrap_or_else(|| {
                    Err(TokenError::Invalid(format!(
                        "{url} has no key {id:?} that signatures can be verified with"
                    )))
                }),
                Err(why) => known.unwrap_or_else(|| Err(TokenError::Unchecked(why.to_string()))),
            }
        }))
    }

    fn fetch_set(self: &Arc<Self>, url: String) -> Flight {
        // The flight is kept in here, so it must not keep this.
        let (jwks, fetch) = (Arc::downgrade(self), self.fetch.clone());
        let flight = async move {
            let set = fetch.fetch(&url).await.and_then(|document| parse_set(&document));
            let outcome = match set {
                Ok(keys) => Ok(keys.into_iter().map(Arc::new).collect::<Keys>()),
                Err(why) => {
                    tracing::warn!(url, why, "the keys of tokens cannot be fetched");
                    Err(format!("the keys at {url} cannot be had: {why}").into())
                }
            };
            Self::landed(&jwks, &url, outcome.as_ref().ok());
            outcome
        };
        let flight: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(flight);
        flight.shared()
    }

    fn landed(jwks: &Weak<Self>, url: &str, keys: Option<&Keys>) {
        let Some(jwks) = jwks.upgrade() else { return };
        let now = jwks.clock.unix_ms();
        if let Some(set) = jwks.lock().get_mut(url) {
            set.flight = None;
            set.tried_at = Some(now);
            if let Some(keys) = keys {
                set.keys = keys.clone();
                set.fetched_at = Some(now);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, KeySet>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key with that id, where there is one; an error where it is not for the algorithm.
fn select(keys: &[Arc<Key>], id: &str, algorithm: Algorithm) -> Option<Found> {
    let mut named = keys.iter().filter(|key| key.id == id).peekable();
    named.peek()?;
    let refused =
        || TokenError::Invalid(format!("the token says {algorithm:?}, and the key {id:?} is not for that"));
    Some(named.find(|key| key.is_for(algorithm)).cloned().ok_or_else(refused))
}

/// Drops the set that was asked for longest ago, where there are too many.
fn make_room(sets: &mut HashMap<String, KeySet>, url: &str) {
    if sets.len() < MAX_SETS || sets.contains_key(url) {
        return;
    }
    let idle = sets.iter().filter(|(_, set)| set.flight.is_none());
    if let Some(oldest) = idle.min_by_key(|(_, set)| set.tried_at).map(|(url, _)| url.clone()) {
        sets.remove(&oldest);
    }
}
