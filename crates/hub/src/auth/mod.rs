//! JSON Web Tokens: who a client is, and what it may subscribe to, in the words of whoever has the key.

mod channels;
mod claims;
mod endpoint;
mod jwks;
mod keys;
mod policy;
mod provider;
mod revocations;
#[cfg(test)]
mod tests;
mod verifier;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::SubscribeGrant;
use crate::deferred::Deferred;

pub use provider::sign;
pub use revocations::Revocations;
pub use verifier::Verifier;

/// How tokens are checked. Without any key, none is valid; with `jwks_public_endpoint`, the keys there are the only ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenOptions {
    /// The secret of HS256, HS384 and HS512 tokens.
    pub hmac_secret_key: String,
    /// The secret before it, for tokens that were signed with that.
    pub hmac_previous_secret_key: String,
    /// When the previous secret ends, in seconds since 1970: after that no token is checked with it. 0 never.
    pub hmac_previous_secret_key_valid_until: u64,
    /// The public key of RS256, RS384 and RS512 tokens, in PEM.
    pub rsa_public_key: String,
    /// The public key of ES256 and ES384 tokens, in PEM.
    pub ecdsa_public_key: String,
    /// The public key of EdDSA (Ed25519) tokens, in PEM.
    pub ed25519_public_key: String,
    /// Where the keys of an issuer are (RFC 7517): a URL, in which `{{name}}` stands for what the group `(?P<name>a|b)` of
    /// `issuer_regex` or `audience_regex` matched. Such a group must list what it may match.
    pub jwks_public_endpoint: String,
    /// The audience that a token must have, where this is set.
    pub audience: String,
    /// What one of a token's audiences must match, from its first character to its last.
    pub audience_regex: String,
    /// The issuer that a token must have, where this is set.
    pub issuer: String,
    /// What a token's issuer must match, from its first character to its last.
    pub issuer_regex: String,
    /// The claim that has the user's id; `sub` where it is empty.
    pub user_id_claim: String,
}

/// What a connection's token says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConnectToken {
    /// The user's id; empty for an anonymous one.
    pub user: String,
    /// When the connection expires, in seconds since 1970; 0 never.
    pub expire_at: u64,
    /// When it was issued, in seconds since 1970; 0 where it does not say.
    pub issued_at: u64,
    /// Its id; empty where it has none.
    pub id: String,
    /// What others see of the connection.
    pub info: Bytes,
    /// What is kept with the connection.
    pub meta: Bytes,
    /// Channels to subscribe the client to.
    pub subs: BTreeMap<String, SubscribeGrant>,
}

/// What a subscription's token says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SubscribeToken {
    /// The user it is for; empty for an anonymous one.
    pub user: String,
    /// The connection it is for, where it names one.
    pub client: String,
    /// The channels it is for.
    pub channels: ChannelClaim,
    /// When it was issued, in seconds since 1970; 0 where it does not say.
    pub issued_at: u64,
    /// Its id; empty where it has none.
    pub id: String,
    /// What the subscription is made of.
    pub grant: SubscribeGrant,
}

/// The channels that a token is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelClaim {
    /// By name.
    pub names: Vec<String>,
    /// By pattern, where `*` stands for any characters but the boundary of namespaces, and `**` for any.
    pub patterns: Vec<String>,
}

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenError {
    /// Its time is over, or has not come yet.
    Expired,
    /// It never was, or has been revoked; the sentence is for the log.
    Invalid(String),
    /// It could not be checked now, and may be later; the sentence is for the log.
    Unchecked(String),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("the token has expired, or is not valid yet"),
            Self::Invalid(why) | Self::Unchecked(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for TokenError {}

/// Gets a document from a URL of the configuration, for keys.
///
/// Bounded in time and size by whoever does it. The answer may be polled by one thread and then by another, and not at all for a
/// while: the client that waits for it may be gone before it comes.
pub trait Fetch: Send + Sync + fmt::Debug {
    /// The body of a 200 response.
    fn fetch(&self, url: &str) -> Deferred<Result<Bytes, String>>;
}
