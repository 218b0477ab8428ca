//! Questions and answers as JSON, in the words of Centrifugo's proxy.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use antiphon_hub::backend::{Asker, ConnectGrant, Overrides, PublishGrant, RefreshAnswer, SubscribeGrant};
use antiphon_hub::data::Data;
use antiphon_hub::protocol::{ClientError, Disconnect, Encoding, Refusal};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::ProxySettings;

/// What is wrong with an answer, or with what was to be asked. The sentence is for the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Nonsense(pub(super) String);

impl fmt::Display for Nonsense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is particular to a question.
#[derive(Debug, Default)]
pub(super) struct Subject<'a> {
    /// Of the client's, or of its publication.
    pub(super) data: Option<Cow<'a, Data>>,
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) channels: &'a [String],
    pub(super) channel: &'a str,
    pub(super) token: &'a str,
    pub(super) method: &'a str,
    /// Whether the client has a user yet.
    pub(super) connected: bool,
}

#[derive(Serialize)]
struct Question<'a> {
    client: &'a str,
    transport: &'a str,
    protocol: &'a str,
    encoding: &'a str,
    /// Stands there when it is empty as well, but for `connect`.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    channel: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    method: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "String::is_empty")]
    b64data: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    channels: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<&'a RawValue>,
}

/// The body of a question.
///
/// Data that is no JSON stands in `data` as JSON subscribers of a channel get it: as a string, in base64 if need be.
///
/// # Errors
/// When data or meta that should be JSON is none.
pub(super) fn question(
    settings: &ProxySettings,
    asker: &Asker,
    subject: &Subject<'_>,
) -> Result<Bytes, Nonsense> {
    let (data, b64data) = match &subject.data {
        Some(data) if settings.binary_encoding => (Bytes::new(), STANDARD.encode(data.bytes())),
        Some(data) => (data.to_json(), String::new()),
        None => (Bytes::new(), String::new()),
    };
    let question = Question {
        client: &asker.client,
        transport: asker.transport,
        protocol: match asker.encoding {
            Encoding::Json => "json",
            Encoding::Protobuf => "protobuf",
        },
        encoding: if settings.binary_encoding { "binary" } else { "json" },
        user: subject.connected.then_some(&asker.user),
        channel: subject.channel,
        method: subject.method,
        token: subject.token,
        data: raw("data", &data)?,
        b64data,
        name: subject.name,
        version: subject.version,
        channels: subject.channels,
        meta: match settings.include_connection_meta && subject.connected {
            true => raw("meta", &asker.meta)?,
            false => None,
        },
    };
    serde_json::to_vec(&question).map(Bytes::from).map_err(|e| Nonsense(e.to_string()))
}

fn raw<'a>(name: &str, json: &'a [u8]) -> Result<Option<&'a RawValue>, Nonsense> {
    if json.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(json)
        .map(Some)
        .map_err(|e| Nonsense(format!("the {name} to send is not JSON: {e}")))
}

/// Reads an answer: what the application says, or its refusal. `None` is an answer without a result.
///
/// # Errors
/// When it is not an object of this shape, or a code is out of range.
pub(super) fn answer<T: for<'de> Deserialize<'de>>(
    body: &[u8],
) -> Result<Result<Option<T>, Refusal>, Nonsense> {
    let Object(answer): Object<Answer<T>> =
        serde_json::from_slice(body).map_err(|e| Nonsense(format!("the answer cannot be read: {e}")))?;
    if let Some(Object(said)) = answer.disconnect {
        let disconnect =
            Disconnect { code: said.code.unwrap_or(0), reason: said.reason.unwrap_or_default().into() };
        return check(disconnect.into()).map(Err);
    }
    if let Some(Object(said)) = answer.error {
        let error = ClientError {
            code: said.code.unwrap_or(0),
            message: said.message.unwrap_or_default().into(),
            temporary: said.temporary.unwrap_or(false),
        };
        return check(error.into()).map(Err);
    }
    Ok(Ok(answer.result.map(|Object(result)| result)))
}

/// Whether an application may refuse so: with the codes that are left to it, or with those that the server itself gives.
///
/// A reason too long for a Close frame is cut.
///
/// # Errors
/// When the code is another one.
pub(super) fn check(refusal: Refusal) -> Result<Refusal, Nonsense> {
    match refusal {
        Refusal::Error(error) => match error.code {
            400..=1999 => Ok(error.into()),
            code if ClientError::ALL.iter().any(|known| known.code == code) => Ok(error.into()),
            code => Err(Nonsense(format!("error code {code} is out of range; use 400 to 1999"))),
        },
        Refusal::Disconnect(mut disconnect) => {
            // RFC 6455 §5.5: 125 bytes of which the code has two.
            let end = disconnect.reason.floor_char_boundary(123);
            disconnect.reason.to_mut().truncate(end);
            match disconnect.code {
                4000..=4999 => Ok(disconnect.into()),
                code if Disconnect::ALL.iter().any(|known| known.code == code) => Ok(disconnect.into()),
                code => Err(Nonsense(format!("disconnect code {code} is out of range; use 4000 to 4999"))),
            }
        }
    }
}

/// A JSON object. A struct of serde's would be made of an array as well.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}

// In what follows, `null` is the same as nothing, and fields that are not listed are passed over.

#[derive(Deserialize)]
struct Answer<T> {
    // Without this, serde asks for `T: Default`.
    #[serde(default = "Option::default")]
    result: Option<Object<T>>,
    error: Option<Object<ErrorAnswer>>,
    disconnect: Option<Object<DisconnectAnswer>>,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    code: Option<u32>,
    message: Option<String>,
    temporary: Option<bool>,
}

#[derive(Deserialize)]
struct DisconnectAnswer {
    code: Option<u32>,
    reason: Option<String>,
}

/// Bytes of the application's: `NAME`, or `b64NAME` in base64.
fn bytes(name: &str, json: Option<Box<RawValue>>, b64: Option<String>) -> Result<Option<Data>, Nonsense> {
    match (b64, json) {
        (Some(b64), _) if !b64.is_empty() => match STANDARD.decode(b64) {
            Ok(bytes) => Ok(Some(Data::Binary(bytes.into()))),
            Err(e) => Err(Nonsense(format!("b64{name} is not base64: {e}"))),
        },
        (_, Some(json)) => Ok(Some(Data::Json(String::from(Box::<str>::from(json)).into()))),
        _ => Ok(None),
    }
}

/// As the hub keeps it: a value of JSON on one line, or the bytes.
fn kept(data: Option<Data>) -> Bytes {
    match data {
        Some(json @ Data::Json(_)) => json.to_json(),
        Some(data) => data.bytes().clone(),
        None => Bytes::new(),
    }
}

/// For a client that writes so: JSON clients can take nothing else.
fn sent(data: Option<Data>, encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Json => data.map(|data| data.to_json()).unwrap_or_default(),
        Encoding::Protobuf => kept(data),
    }
}

/// Seconds since 1970, or not at all: as for Centrifugo, what is below zero is not at all.
fn time(seconds: Option<i64>) -> u64 {
    seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0)
}

/// `result` of an answer to `connect`.
#[derive(Deserialize)]
pub(super) struct ConnectResult {
    user: Option<String>,
    expire_at: Option<i64>,
    info: Option<Box<RawValue>>,
    b64info: Option<String>,
    data: Option<Box<RawValue>>,
    b64data: Option<String>,
    meta: Option<Box<RawValue>>,
    channels: Option<Vec<String>>,
    subs: Option<BTreeMap<String, Option<Object<SubscribeResult>>>>,
}

impl ConnectResult {
    /// # Errors
    /// When something in it is not base64.
    pub(super) fn grant(self, encoding: Encoding) -> Result<ConnectGrant, Nonsense> {
        let mut subs: BTreeMap<_, _> = self
            .channels
            .unwrap_or_default()
            .into_iter()
            .map(|channel| (channel, SubscribeGrant::default()))
            .collect();
        for (channel, sub) in self.subs.unwrap_or_default() {
            let grant = sub.map_or_else(|| Ok(SubscribeGrant::default()), |Object(sub)| sub.grant(encoding));
            subs.insert(channel, grant?);
        }
        Ok(ConnectGrant {
            user: self.user.unwrap_or_default(),
            expire_at: time(self.expire_at),
            info: kept(bytes("info", self.info, self.b64info)?),
            data: sent(bytes("data", self.data, self.b64data)?, encoding),
            meta: kept(bytes("meta", self.meta, None)?),
            subs,
        })
    }
}

/// `result` of an answer to `subscribe`, and one of `subs` in that to `connect`.
#[derive(Deserialize)]
pub(super) struct SubscribeResult {
    expire_at: Option<i64>,
    info: Option<Box<RawValue>>,
    b64info: Option<String>,
    data: Option<Box<RawValue>>,
    b64data: Option<String>,
    #[serde(rename = "override")]
    overrides: Option<Object<OverrideResult>>,
}

impl SubscribeResult {
    /// # Errors
    /// When something in it is not base64.
    pub(super) fn grant(self, encoding: Encoding) -> Result<SubscribeGrant, Nonsense> {
        Ok(SubscribeGrant {
            expire_at: time(self.expire_at),
            info: kept(bytes("info", self.info, self.b64info)?),
            data: sent(bytes("data", self.data, self.b64data)?, encoding),
            overrides: self.overrides.map(|Object(overrides)| overrides.into()).unwrap_or_default(),
        })
    }
}

#[derive(Deserialize)]
struct OverrideResult {
    presence: Option<Object<Switch>>,
    join_leave: Option<Object<Switch>>,
    force_recovery: Option<Object<Switch>>,
    force_positioning: Option<Object<Switch>>,
    force_push_join_leave: Option<Object<Switch>>,
}

/// `{}` is off: it is Protobuf's way to tell off from unset.
#[derive(Deserialize)]
struct Switch {
    value: Option<bool>,
}

impl From<OverrideResult> for Overrides {
    fn from(said: OverrideResult) -> Self {
        let switch = |said: Option<Object<Switch>>| said.map(|Object(switch)| switch.value.unwrap_or(false));
        Self {
            presence: switch(said.presence),
            join_leave: switch(said.join_leave),
            force_push_join_leave: switch(said.force_push_join_leave),
            force_recovery: switch(said.force_recovery),
            force_positioning: switch(said.force_positioning),
        }
    }
}

/// `result` of an answer to `refresh` and to `sub_refresh`.
#[derive(Deserialize)]
pub(super) struct RefreshResult {
    expired: Option<bool>,
    expire_at: Option<i64>,
    info: Option<Box<RawValue>>,
    b64info: Option<String>,
    meta: Option<Box<RawValue>>,
}

impl RefreshResult {
    /// # Errors
    /// When something in it is not base64.
    pub(super) fn answer(self) -> Result<RefreshAnswer, Nonsense> {
        if self.expired == Some(true) {
            return Ok(RefreshAnswer::Expired);
        }
        Ok(RefreshAnswer::Goes {
            expire_at: time(self.expire_at),
            info: kept(bytes("info", self.info, self.b64info)?),
            meta: kept(bytes("meta", self.meta, None)?),
        })
    }
}

/// `result` of an answer to `publish`.
#[derive(Deserialize)]
pub(super) struct PublishResult {
    data: Option<Box<RawValue>>,
    b64data: Option<String>,
    skip_history: Option<bool>,
    tags: Option<BTreeMap<String, String>>,
    idempotency_key: Option<String>,
    delta: Option<bool>,
    version: Option<u64>,
    version_epoch: Option<String>,
}

impl PublishResult {
    /// # Errors
    /// When something in it is not base64.
    pub(super) fn grant(self) -> Result<PublishGrant, Nonsense> {
        // Here alone, for Centrifugo, JSON wins over base64.
        let b64data = self.b64data.filter(|_| self.data.is_none());
        Ok(PublishGrant {
            data: bytes("data", self.data, b64data)?,
            skip_history: self.skip_history.unwrap_or(false),
            tags: self.tags.unwrap_or_default(),
            idempotency_key: self.idempotency_key.unwrap_or_default(),
            delta: self.delta.unwrap_or(false),
            version: self.version.unwrap_or(0),
            version_epoch: self.version_epoch.unwrap_or_default(),
        })
    }
}

/// `result` of an answer to `rpc`.
#[derive(Deserialize)]
pub(super) struct RpcResult {
    data: Option<Box<RawValue>>,
    b64data: Option<String>,
}

impl RpcResult {
    /// # Errors
    /// When something in it is not base64.
    pub(super) fn data(self, encoding: Encoding) -> Result<Bytes, Nonsense> {
        Ok(sent(bytes("data", self.data, self.b64data)?, encoding))
    }
}
