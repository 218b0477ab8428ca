//! Keys, each with the algorithms that it is for.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, errors};
use serde::Deserialize;
use serde_json::Value;

use super::claims::Jwt;
use super::{TokenError, TokenOptions, provider};

const HS: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RS: &[Algorithm] = &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512];

/// The most keys of one set.
const MAX_KEYS: usize = 100;

/// The shortest public RSA key of 2048 bits, in DER: ring takes no shorter ones.
const MIN_RSA_DER: usize = 256 + 10;

type ParsePem = fn(&[u8]) -> errors::Result<DecodingKey>;

/// A key, which verifies tokens of its algorithms and no others.
#[derive(Debug)]
pub(super) struct Key {
    /// Empty for a key of the configuration.
    pub(super) id: String,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl Key {
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether a token is signed with it.
    pub(super) fn verify(&self, jwt: &Jwt) -> Result<(), TokenError> {
        if !self.is_for(jwt.algorithm) {
            let (id, algorithms, claimed) = (&self.id, &self.algorithms, jwt.algorithm);
            return Err(TokenError::Invalid(format!(
                "the token says {claimed:?}, and the key {id:?} is for {algorithms:?}"
            )));
        }
        match jsonwebtoken::crypto::verify(jwt.signature(), jwt.message(), &self.key, jwt.algorithm) {
            Ok(true) => Ok(()),
            Ok(false) => Err(TokenError::Invalid("the token's signature is wrong".into())),
            Err(error) => {
                Err(TokenError::Invalid(format!("the token's signature cannot be verified: {error}")))
            }
        }
    }

    fn secret(secret: &str) -> Self {
        let key = DecodingKey::from_secret(secret.as_bytes());
        Self { id: String::new(), algorithms: HS.to_vec(), key }
    }

    fn pem(setting: &str, pem: &str, parse: ParsePem) -> Result<Self, String> {
        // Of a private key, the parser would take some part for the public one.
        if !pem.contains("PUBLIC KEY-----") {
            return Err(format!(
                "{setting} is no public key in PEM: it has no line -----BEGIN PUBLIC KEY-----"
            ));
        }
        let unusable = |why: &str| format!("{setting} is no public key that can be used: {why}");
        let key = parse(pem.as_bytes()).map_err(|error| unusable(&error.to_string()))?;
        // The length tells the curve: an uncompressed point is a byte and two coordinates.
        let algorithms = match (key.family(), key.try_get_as_bytes().map_or(0, <[u8]>::len)) {
            (AlgorithmFamily::Rsa, MIN_RSA_DER..) => RS,
            (AlgorithmFamily::Ec, 65) => &[Algorithm::ES256],
            (AlgorithmFamily::Ec, 97) => &[Algorithm::ES384],
            (AlgorithmFamily::Ed, 32) => &[Algorithm::EdDSA],
            _ => return Err(unusable("RSA needs at least 2048 bits, ECDSA the curve P-256 or P-384")),
        };
        Ok(Self { id: String::new(), algorithms: algorithms.to_vec(), key })
    }

    /// # Errors
    /// Why tokens are not verified with it.
    fn jwk(jwk: &Jwk) -> Result<Self, String> {
        let common = &jwk.common;
        if common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature)
            || common.key_operations.as_ref().is_some_and(|all| !all.contains(&KeyOperations::Verify))
        {
            return Err("it is not for signatures".into());
        }
        // No symmetric key: what is public signs nothing.
        let mut algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => RS,
            AlgorithmParameters::EllipticCurve(it) if it.curve == EllipticCurve::P256 => &[Algorithm::ES256],
            AlgorithmParameters::EllipticCurve(it) if it.curve == EllipticCurve::P384 => &[Algorithm::ES384],
            AlgorithmParameters::OctetKeyPair(it) if it.curve == EllipticCurve::Ed25519 => {
                &[Algorithm::EdDSA]
            }
            _ => return Err("its kind is not RSA, P-256, P-384 or Ed25519".into()),
        }
        .to_vec();
        if let Some(only) = common.key_algorithm {
            algorithms.retain(|algorithm| KeyAlgorithm::from(*algorithm) == only);
        }
        if algorithms.is_empty() {
            return Err("its `alg` is not known, or not one of its kind".into());
        }
        let key = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
        Ok(Self { id: common.key_id.clone().unwrap_or_default(), algorithms, key })
    }
}

/// The keys of a JSON Web Key Set (RFC 7517 §5). Those that are of no use here are left out.
///
/// # Errors
/// Why the document is none.
pub(super) fn parse_set(document: &[u8]) -> Result<Vec<Key>, String> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<Value>,
    }
    let document: Document =
        serde_json::from_slice(document).map_err(|error| format!("it is no JSON Web Key Set: {error}"))?;
    if document.keys.len() > MAX_KEYS {
        return Err(format!("it has {} keys, and the limit is {MAX_KEYS}", document.keys.len()));
    }
    let usable = |value: Value| {
        let id = value.get("kid").and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = serde_json::from_value::<Jwk>(value).map_err(|error| error.to_string());
        let key = key.and_then(|jwk| Key::jwk(&jwk));
        key.inspect_err(|why| tracing::debug!(key = id, why, "a key of the set is left out")).ok()
    };
    Ok(document.keys.into_iter().filter_map(usable).collect())
}

/// The keys of the configuration.
#[derive(Debug)]
pub(super) struct LocalKeys {
    keys: Vec<Key>,
    previous: Option<Key>,
    previous_until: u64,
}

impl LocalKeys {
    /// # Errors
    /// A sentence that names the setting.
    pub(super) fn new(options: &TokenOptions) -> Result<Self, String> {
        provider::install();
        let secret = |setting: &str, secret: &str| match secret {
            "" => Ok(None),
            _ if secret.contains("-----BEGIN ") => Err(format!(
                "{setting} is a key in PEM, not a secret: public keys have settings of their own"
            )),
            _ => Ok(Some(Key::secret(secret))),
        };
        let mut keys = Vec::from_iter(secret("hmac_secret_key", &options.hmac_secret_key)?);
        let public: [(_, _, ParsePem); 3] = [
            ("rsa_public_key", &options.rsa_public_key, DecodingKey::from_rsa_pem),
            ("ecdsa_public_key", &options.ecdsa_public_key, DecodingKey::from_ec_pem),
            ("ed25519_public_key", &options.ed25519_public_key, DecodingKey::from_ed_pem),
        ];
        for (setting, pem, parse) in public.into_iter().filter(|(_, pem, _)| !pem.is_empty()) {
            keys.push(Key::pem(setting, pem, parse)?);
        }
        Ok(Self {
            keys,
            previous: secret("hmac_previous_secret_key", &options.hmac_previous_secret_key)?,
            previous_until: options.hmac_previous_secret_key_valid_until,
        })
    }

    /// Whether a token is signed with one of them.
    pub(super) fn verify(&self, jwt: &Jwt, now: u64) -> Result<(), TokenError> {
        let previous_counts = self.previous_until == 0 || now <= self.previous_until;
        let previous = self.previous.as_ref().filter(|_| previous_counts);
        let mut outcome = Err(TokenError::Invalid(format!("no key for {:?} is set", jwt.algorithm)));
        for key in self.keys.iter().chain(previous).filter(|key| key.is_for(jwt.algorithm)) {
            outcome = key.verify(jwt);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}
