//! A batch as JSON, and its signature.

use std::fmt::Write as _;
use std::sync::Arc;

use antiphon_hub::clock::Clock;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use ring::hmac;
use serde::Serialize;
use serde_json::value::RawValue;

use super::queue::{Event, Taken};
use crate::config::server::EventKind;

/// The header of the signature.
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("x-antiphon-signature");

#[derive(Serialize)]
struct BatchBody<'a> {
    id: String,
    #[serde(skip_serializing_if = "is_zero")]
    dropped: u64,
    events: Vec<EventBody<'a>>,
}

#[derive(Serialize)]
struct EventBody<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: EventKind,
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Writes batches. Ids begin with a random number of this run of the server, so that they never come again.
#[derive(Debug)]
pub(super) struct Writer {
    instance: String,
    batches: u64,
}

impl Writer {
    pub(super) fn new(instance: u64) -> Self {
        Self { instance: format!("{instance:016x}"), batches: 0 }
    }

    /// The body of the next batch: the same bytes for each time it is posted.
    pub(super) fn write(&mut self, taken: &Taken) -> Bytes {
        self.batches += 1;
        let numbered = (taken.first..).zip(&taken.events);
        let body = BatchBody {
            id: format!("{}-b{}", self.instance, self.batches),
            dropped: taken.dropped,
            events: numbered.map(|(number, event)| self.event(number, event)).collect(),
        };
        // Strings and numbers can always be written.
        serde_json::to_vec(&body).unwrap_or_default().into()
    }

    fn event<'a>(&self, number: u64, event: &'a Event) -> EventBody<'a> {
        let about = event.about.as_ref();
        EventBody {
            id: format!("{}-{number}", self.instance),
            kind: event.kind,
            time: event.time,
            client: about.map(|about| &*about.client),
            user: about.map(|about| &*about.user),
            transport: about.map(|about| about.transport),
            protocol: about.map(|about| about.protocol),
            channel: &event.channel,
            code: event.code,
            reason: event.reason.as_deref(),
            // What a client sent as JSON is JSON.
            data: event.data.as_ref().and_then(|data| serde_json::from_slice(data).ok()),
        }
    }
}

/// Signs batches: `t=UNIX,v1=HEX`, where HEX is the HMAC-SHA256 of `UNIX.BODY`.
#[derive(Debug)]
pub(super) struct Signer {
    key: hmac::Key,
    clock: Arc<dyn Clock>,
}

impl Signer {
    pub(super) fn new(secret: &str, clock: Arc<dyn Clock>) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), clock }
    }

    /// The value of [`SIGNATURE`], at this time.
    pub(super) fn sign(&self, body: &[u8]) -> HeaderValue {
        let time = self.clock.unix().to_string();
        let mut context = hmac::Context::with_key(&self.key);
        context.update(time.as_bytes());
        context.update(b".");
        context.update(body);
        let mut value = format!("t={time},v1=");
        for byte in context.sign().as_ref() {
            // A string takes whatever is written.
            let _ = write!(value, "{byte:02x}");
        }
        HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use antiphon_hub::clock::ManualClock;

    use super::super::queue::About;
    use super::*;

    #[test]
    fn a_batch_says_of_each_event_what_is_known() {
        let about =
            || About { client: "c1".into(), user: "".into(), transport: "websocket", protocol: "json" };
        let event = Event {
            kind: EventKind::Connected,
            time: 1_700_000_000_123,
            about: Some(about()),
            channel: "".into(),
            code: None,
            data: None,
            reason: None,
        };
        let vacated =
            Event { kind: EventKind::Vacated, about: None, channel: "a\"b".into(), ..event.clone() };
        let gone = Event {
            kind: EventKind::Disconnected,
            code: Some(3000),
            reason: Some("gone".into()),
            ..event.clone()
        };
        let mut writer = Writer::new(0xab);
        let taken = Taken { first: 7, events: vec![event, gone], dropped: 0 };
        assert_eq!(
            writer.write(&taken),
            concat!(
                r#"{"id":"00000000000000ab-b1","events":["#,
                r#"{"id":"00000000000000ab-7","type":"connected","time":1700000000123,"client":"c1","user":"","#,
                r#""transport":"websocket","protocol":"json"},"#,
                r#"{"id":"00000000000000ab-8","type":"disconnected","time":1700000000123,"client":"c1","user":"","#,
                r#""transport":"websocket","protocol":"json","code":3000,"reason":"gone"}]}"#
            )
        );
        let taken = Taken { first: 9, events: vec![vacated], dropped: 5 };
        assert_eq!(
            writer.write(&taken),
            concat!(
                r#"{"id":"00000000000000ab-b2","dropped":5,"events":["#,
                r#"{"id":"00000000000000ab-9","type":"vacated","time":1700000000123,"channel":"a\"b"}]}"#
            )
        );
    }

    #[test]
    fn the_signature_is_the_hmac_of_time_and_body() {
        let clock = Arc::new(ManualClock::at(1_700_000_000_999));
        let signer = Signer::new("secret", clock);
        // As Python's hmac.new(b"secret", b'1700000000.{"id":"b1"}', "sha256").hexdigest() has it.
        let wanted = "t=1700000000,v1=9be96ab90f5bb1f7be058253c0ff7190ab51dbea94cc4f7bbdc42fa6d90072e0";
        assert_eq!(signer.sign(br#"{"id":"b1"}"#), wanted);
    }
}
