//! Fields of any JSON.

use std::borrow::Cow;

use antiphon_hub::data::Data;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The text of a JSON value, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Json(Bytes);

impl Json {
    /// What stands for data in JSON; nothing for no data.
    pub(crate) fn of(data: &Data) -> Option<Self> {
        let json = data.to_json();
        (!json.is_empty()).then_some(Self(json))
    }

    /// What stands for bytes that may be JSON; nothing for none.
    pub(crate) fn of_bytes(bytes: &Bytes) -> Option<Self> {
        Self::of(&Data::Binary(bytes.clone()))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = <&'de RawValue>::deserialize(deserializer)?;
        Ok(Self(Bytes::copy_from_slice(value.get().as_bytes())))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_slice::<&RawValue>(&self.0) {
            Ok(value) => value.serialize(serializer),
            // A backend may have said of something that it is JSON which is not.
            Err(_) => String::from_utf8_lossy(&self.0).serialize(serializer),
        }
    }
}

impl JsonSchema for Json {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::default()
    }
}

/// A field in which `null` is a value.
pub(crate) fn with_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// Data that comes as JSON or, where that is not empty, in base64.
///
/// # Errors
/// A sentence, where it is not base64.
pub(crate) fn data(json: Option<Json>, base64: Option<&str>, field: &str) -> Result<Data, String> {
    match base64 {
        None | Some("") => Ok(Data::Json(json.map(|json| json.0).unwrap_or_default())),
        Some(base64) => match STANDARD.decode(base64) {
            Ok(bytes) => Ok(Data::Binary(bytes.into())),
            Err(error) => Err(format!("{field} is not base64 (RFC 4648 §4, with padding): {error}")),
        },
    }
}
