//! How a publication is printed: one JSON object on one line.

use std::collections::BTreeMap;

use antiphon_hub::protocol::{ClientInfo, Publication};
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Line<'a> {
    channel: &'a str,
    /// 0 in a channel without history.
    offset: u64,
    /// The stream that the offset belongs to, where it is known.
    #[serde(skip_serializing_if = "str::is_empty")]
    epoch: &'a str,
    data: &'a RawValue,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
    /// Who published, where that was a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a ClientInfo>,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<i64>,
}

/// The line of a publication, without its end.
///
/// # Errors
/// When the data is no JSON value.
pub(super) fn line(channel: &str, epoch: &str, publication: &Publication) -> serde_json::Result<String> {
    let Publication { data, info, offset, tags, time, .. } = publication;
    let data = if data.is_empty() { RawValue::NULL } else { serde_json::from_slice(data)? };
    let time = (*time != 0).then_some(*time);
    serde_json::to_string(&Line { channel, offset: *offset, epoch, data, tags, info: info.as_ref(), time })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_is_known() {
        let mut publication = Publication { data: r#"{"a": 1.50}"#.into(), ..Publication::default() };
        assert_eq!(
            line("c\"", "", &publication).unwrap(),
            r#"{"channel":"c\"","offset":0,"data":{"a": 1.50}}"#
        );
        publication.offset = 7;
        publication.time = 12;
        publication.tags.insert("k".into(), "v".into());
        publication.info = Some(ClientInfo { user: "u".into(), client: "x".into(), ..ClientInfo::default() });
        let expected = concat!(
            r#"{"channel":"c","offset":7,"epoch":"e","data":{"a": 1.50},"tags":{"k":"v"},"#,
            r#""info":{"user":"u","client":"x"},"time":12}"#
        );
        assert_eq!(line("c", "e", &publication).unwrap(), expected);
        publication.data = "".into();
        assert!(line("c", "e", &publication).unwrap().contains(r#""data":null"#));
    }
}
