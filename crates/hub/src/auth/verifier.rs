//! Whether a token is to be believed.

use std::sync::Arc;

use super::claims::Jwt;
use super::jwks::{Jwks, Search};
use super::keys::LocalKeys;
use super::policy::Policy;
use super::{ConnectToken, Fetch, SubscribeToken, TokenError, TokenOptions};
use crate::clock::Clock;
use crate::deferred::Deferred;

/// Verifies tokens.
///
/// It answers at once, unless keys must be fetched first. Whose token it is and for whom is looked at before anything is
/// fetched, the signature before anything else that the token says is believed.
#[derive(Debug, Clone)]
pub struct Verifier(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    policy: Policy,
    keys: Keys,
    user_id_claim: String,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
enum Keys {
    Local(LocalKeys),
    Remote(Arc<Jwks>),
}

impl Verifier {
    /// A verifier with the keys of `options`; what is at `jwks_public_endpoint` is had through `fetch`.
    ///
    /// # Errors
    /// A sentence that names the setting that is wrong.
    pub fn new(options: &TokenOptions, fetch: Arc<dyn Fetch>, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let claim = &options.user_id_claim;
        if !claim.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
            return Err(format!("user_id_claim {claim:?} is no name of a claim: letters and `_` only"));
        }
        let policy = Policy::new(options)?;
        let keys = if options.jwks_public_endpoint.is_empty() {
            Keys::Local(LocalKeys::new(options)?)
        } else {
            Keys::Remote(Arc::new(Jwks::new(options, fetch, clock.clone())?))
        };
        Ok(Self(Arc::new(Shared { policy, keys, user_id_claim: claim.clone(), clock })))
    }

    /// What a connection's token says, if it is good. With `skip_signature` anybody could have written it.
    pub fn connect(&self, token: &str, skip_signature: bool) -> Deferred<Result<ConnectToken, TokenError>> {
        self.verify(token, skip_signature, Jwt::connect)
    }

    /// What a subscription's token says, if it is good. With `skip_signature` anybody could have written it.
    pub fn subscribe(
        &self,
        token: &str,
        skip_signature: bool,
    ) -> Deferred<Result<SubscribeToken, TokenError>> {
        self.verify(token, skip_signature, Jwt::subscribe)
    }

    fn verify<T: Send + 'static>(
        &self,
        token: &str,
        skip_signature: bool,
        read: fn(&Jwt, &str) -> Result<T, TokenError>,
    ) -> Deferred<Result<T, TokenError>> {
        let shared = &self.0;
        let admitted = Jwt::parse(token).and_then(|jwt| {
            let groups = shared.policy.admit(&jwt.registered)?;
            Ok((jwt, groups))
        });
        let (jwt, groups) = match admitted {
            Ok(admitted) => admitted,
            Err(error) => return Deferred::now(Err(error)),
        };
        let verified = match &shared.keys {
            _ if skip_signature => Ok(()),
            Keys::Local(keys) => keys.verify(&jwt, shared.clock.unix()),
            Keys::Remote(jwks) => match jwks.find(&jwt, &groups) {
                Search::Over(found) => found.and_then(|key| key.verify(&jwt)),
                Search::Goes(search) => {
                    let shared = shared.clone();
                    return Deferred::later(async move {
                        search.await?.verify(&jwt)?;
                        shared.read(&jwt, read)
                    });
                }
            },
        };
        Deferred::now(verified.and_then(|()| shared.read(&jwt, read)))
    }
}

impl Shared {
    fn read<T>(&self, jwt: &Jwt, read: fn(&Jwt, &str) -> Result<T, TokenError>) -> Result<T, TokenError> {
        if !jwt.is_current(self.clock.unix()) {
            return Err(TokenError::Expired);
        }
        read(jwt, &self.user_id_claim)
    }
}
