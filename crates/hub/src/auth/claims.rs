//! What tokens say, with Centrifugo's names.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use jsonwebtoken::Algorithm;
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::channels::is_pattern;
use super::{ChannelClaim, ConnectToken, SubscribeToken, TokenError};
use crate::backend::{Overrides, SubscribeGrant};
use crate::data::Data;

/// The longest id of a key, in bytes.
const MAX_KEY_ID: usize = 256;

/// A token in its parts, none of which is to be believed before its signature has been verified.
#[derive(Debug)]
pub(super) struct Jwt {
    text: Box<str>,
    signature_at: usize,
    payload: Vec<u8>,
    pub(super) algorithm: Algorithm,
    /// The id of the key that it is said to be signed with; empty where it names none.
    pub(super) key_id: String,
    pub(super) registered: Registered,
}

/// The claims that every token may have (RFC 7519 §4.1).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Registered {
    #[serde(deserialize_with = "or_default")]
    sub: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) iss: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) aud: Audience,
    #[serde(deserialize_with = "or_default")]
    jti: String,
    exp: Option<Seconds>,
    nbf: Option<Seconds>,
    iat: Option<Seconds>,
}

impl Jwt {
    /// Takes a token apart.
    pub(super) fn parse(text: &str) -> Result<Self, TokenError> {
        let header = jsonwebtoken::decode_header(text)
            .map_err(|error| TokenError::Invalid(format!("the token's header cannot be read: {error}")))?;
        if header.crit.is_some() {
            // RFC 7515 §4.1.11: what must be understood, and is not, makes a token invalid.
            return Err(TokenError::Invalid(
                "the token's header has `crit`, and no extension is known".into(),
            ));
        }
        let key_id = header.kid.unwrap_or_default();
        if key_id.len() > MAX_KEY_ID {
            return Err(TokenError::Invalid(format!("the token's `kid` is longer than {MAX_KEY_ID} bytes")));
        }
        let (message, _) = text.rsplit_once('.').unwrap_or_default();
        let (_, payload) = message.split_once('.').unwrap_or_default();
        let payload = URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|error| TokenError::Invalid(format!("the token's claims cannot be read: {error}")))?;
        // serde would take a list for the fields of a struct, in their order.
        if !payload.trim_ascii_start().starts_with(b"{") {
            return Err(TokenError::Invalid("the token's claims are no JSON object".into()));
        }
        let registered = read(&payload)?;
        let signature_at = message.len() + 1;
        Ok(Self { text: text.into(), signature_at, payload, algorithm: header.alg, key_id, registered })
    }

    /// What is signed.
    pub(super) fn message(&self) -> &[u8] {
        &self.text.as_bytes()[..self.signature_at - 1]
    }

    /// The signature, in base64.
    pub(super) fn signature(&self) -> &str {
        &self.text[self.signature_at..]
    }

    /// Whether its time has come and is not over.
    pub(super) fn is_current(&self, now: u64) -> bool {
        let Registered { exp, nbf, .. } = self.registered;
        exp.is_none_or(|exp| exp.0 > now) && nbf.is_none_or(|nbf| nbf.0 <= now)
    }

    /// What it says of a connection.
    pub(super) fn connect(&self, user_id_claim: &str) -> Result<ConnectToken, TokenError> {
        let claims: ConnectClaims = read(&self.payload)?;
        if !claims.channel.is_empty() {
            let why = "a token with the claim `channel` is for a subscription, not for a connection";
            return Err(TokenError::Invalid(why.into()));
        }
        if let Some(pattern) = claims.channels.iter().find(|channel| is_pattern(channel)) {
            let why =
                format!("a token with the pattern {pattern:?} is for subscriptions, not for a connection");
            return Err(TokenError::Invalid(why));
        }
        let subs = if claims.subs.is_empty() {
            claims.channels.into_iter().map(|channel| (channel, SubscribeGrant::default())).collect()
        } else {
            let grant = |(channel, sub): (_, SubClaims)| Ok((channel, sub.grant()?));
            claims.subs.into_iter().map(grant).collect::<Result<_, TokenError>>()?
        };
        Ok(ConnectToken {
            user: self.user(user_id_claim)?,
            expire_at: self.expire_at(claims.expire_at),
            issued_at: self.issued_at(),
            id: self.registered.jti.clone(),
            info: bytes(claims.info, &claims.b64info, "b64info")?,
            meta: json(claims.meta),
            subs,
        })
    }

    /// What it says of subscriptions.
    pub(super) fn subscribe(&self, user_id_claim: &str) -> Result<SubscribeToken, TokenError> {
        let claims: SubscribeClaims = read(&self.payload)?;
        let channels = ChannelClaim::new(claims.channel, claims.channels);
        if channels.is_empty() {
            let why = "a token for a subscription needs the claim `channel` or `channels`";
            return Err(TokenError::Invalid(why.into()));
        }
        let mut grant = read::<SubClaims>(&self.payload)?.grant()?;
        grant.expire_at = self.expire_at(claims.expire_at);
        Ok(SubscribeToken {
            user: self.user(user_id_claim)?,
            client: claims.client,
            channels,
            issued_at: self.issued_at(),
            id: self.registered.jti.clone(),
            grant,
        })
    }

    fn user(&self, claim: &str) -> Result<String, TokenError> {
        if claim.is_empty() {
            return Ok(self.registered.sub.clone());
        }
        let mut claims: BTreeMap<String, Value> = read(&self.payload)?;
        match claims.remove(claim) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(user)) => Ok(user),
            Some(Value::Number(user)) => Ok(user.to_string()),
            Some(_) => Err(TokenError::Invalid(format!(
                "the claim `{claim}`, the user's id, is no string and no number"
            ))),
        }
    }

    /// `expire_at` is when the connection or subscription expires; without it, that is when the token does.
    fn expire_at(&self, claim: Option<Seconds>) -> u64 {
        claim.or(self.registered.exp).map_or(0, |at| at.0)
    }

    fn issued_at(&self) -> u64 {
        self.registered.iat.map_or(0, |at| at.0)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConnectClaims {
    expire_at: Option<Seconds>,
    info: Option<Box<RawValue>>,
    #[serde(deserialize_with = "or_default")]
    b64info: String,
    #[serde(deserialize_with = "or_default")]
    channels: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    subs: BTreeMap<String, SubClaims>,
    meta: Option<Box<RawValue>>,
    #[serde(deserialize_with = "or_default")]
    channel: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SubscribeClaims {
    expire_at: Option<Seconds>,
    #[serde(deserialize_with = "or_default")]
    client: String,
    #[serde(deserialize_with = "or_default")]
    channel: String,
    #[serde(deserialize_with = "or_default")]
    channels: Vec<String>,
}

/// What stands in each of `subs`, and in a subscription's token itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct SubClaims {
    info: Option<Box<RawValue>>,
    #[serde(deserialize_with = "or_default")]
    b64info: String,
    data: Option<Box<RawValue>>,
    #[serde(deserialize_with = "or_default")]
    b64data: String,
    #[serde(rename = "override", deserialize_with = "or_default")]
    overrides: OverrideClaims,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OverrideClaims {
    presence: Option<Flag>,
    join_leave: Option<Flag>,
    force_push_join_leave: Option<Flag>,
    force_recovery: Option<Flag>,
    force_positioning: Option<Flag>,
}

#[derive(Clone, Copy, Deserialize)]
struct Flag {
    #[serde(default, deserialize_with = "or_default")]
    value: bool,
}

impl SubClaims {
    fn grant(self) -> Result<SubscribeGrant, TokenError> {
        let value = |flag: Option<Flag>| flag.map(|flag| flag.value);
        Ok(SubscribeGrant {
            expire_at: 0,
            info: bytes(self.info, &self.b64info, "b64info")?,
            data: bytes(self.data, &self.b64data, "b64data")?,
            overrides: Overrides {
                presence: value(self.overrides.presence),
                join_leave: value(self.overrides.join_leave),
                force_push_join_leave: value(self.overrides.force_push_join_leave),
                force_recovery: value(self.overrides.force_recovery),
                force_positioning: value(self.overrides.force_positioning),
            },
        })
    }
}

/// One audience, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Audience {
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let (one, several) = match self {
            Self::One(one) => (Some(one), &[][..]),
            Self::Several(several) => (None, &several[..]),
        };
        one.into_iter().chain(several).map(String::as_str)
    }
}

/// A time in seconds since 1970 (RFC 7519 §2), in whole ones: what is before 1970 is 0.
#[derive(Debug, Clone, Copy)]
struct Seconds(u64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let seconds = number.as_u64().or_else(|| number.as_f64().map(|seconds| seconds as u64));
        seconds.map(Self).ok_or_else(|| de::Error::custom(format!("{number} is no time in seconds")))
    }
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, TokenError> {
    serde_json::from_slice(payload).map_err(|error| {
        // The error's own words may repeat a claim, and these go into the log.
        let what = if error.is_data() { "one has a wrong type" } else { "they are no JSON" };
        let (line, column) = (error.line(), error.column());
        TokenError::Invalid(format!(
            "the token's claims cannot be read: {what}, at line {line} column {column}"
        ))
    })
}

/// `null` is as good as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// JSON, in one line as it stands among messages.
fn json(value: Option<Box<RawValue>>) -> Bytes {
    value.map_or_else(Bytes::new, |value| Data::Json(Box::<str>::from(value).into_string().into()).to_json())
}

fn bytes(value: Option<Box<RawValue>>, base64: &str, name: &str) -> Result<Bytes, TokenError> {
    if base64.is_empty() {
        return Ok(json(value));
    }
    let decoded = STANDARD.decode(base64);
    decoded.map(Bytes::from).map_err(|error| TokenError::Invalid(format!("`{name}` is no base64: {error}")))
}
