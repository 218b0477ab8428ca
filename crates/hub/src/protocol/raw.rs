//! Fields that carry the application's own data: any bytes in Protobuf, a JSON value in JSON.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize as _, Serializer, ser};
use serde_json::value::RawValue;

/// # Errors
/// When the bytes are no JSON value.
pub(super) fn serialize<S: Serializer>(data: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    let value: &RawValue = serde_json::from_slice(data).map_err(ser::Error::custom)?;
    value.serialize(serializer)
}

/// The text of the value as it came; `null` is no data.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let value = Option::<&'de RawValue>::deserialize(deserializer)?;
    Ok(value.map_or_else(Bytes::new, |value| Bytes::copy_from_slice(value.get().as_bytes())))
}
