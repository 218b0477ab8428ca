//! `/events`: the publications of some channels as plain Server-Sent Events, for clients that know no protocol.
//!
//! Behind it is a session like any other; here its replies and pushes become events. The response begins when it is known that all
//! channels are open to the client: until then it can still be a refusal, with a status.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use antiphon_hub::protocol::{ClientError, Disconnect, Position};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::head::Reply;
use super::stream::{Dialect, EventStream, Full};
use crate::stream::Stream;

/// A comment comes so often where nothing else does (HTML Standard §9.2.7), so that nobody in between takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a client waits before it comes back, in milliseconds.
const RETRY: u32 = 1000;

/// The positions of a client in its channels; none for a channel that has no stream.
pub(crate) type Positions = BTreeMap<String, Option<Position>>;

/// The id of an event: where the client is in every channel that has a stream. As `Last-Event-ID` it comes back.
///
/// It has `channel=epoch.offset` for each of them, with `&` between, and the names percent-encoded.
pub(crate) fn event_id(positions: &Positions) -> String {
    let mut id = String::new();
    for (channel, position) in positions {
        let Some(Position { offset, epoch }) = position else { continue };
        if !id.is_empty() {
            id.push('&');
        }
        for byte in channel.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':' | b'/' => {
                    id.push(char::from(byte));
                }
                // A string takes what is written to it.
                _ => drop(write!(id, "%{byte:02X}")),
            }
        }
        let _ = write!(id, "={epoch}.{offset}");
    }
    id
}

/// The positions that an id says; what is no position is passed over.
pub(crate) fn read_event_id(id: &str) -> BTreeMap<String, Position> {
    let read = |part: &str| {
        let (channel, position) = part.split_once('=')?;
        let (epoch, offset) = position.rsplit_once('.')?;
        let channel = crate::http::percent_decode(channel)?;
        Some((channel, Position { offset: offset.parse().ok()?, epoch: epoch.to_owned() }))
    };
    id.split('&').filter_map(read).collect()
}

/// How a client of `/events` wants its events.
#[derive(Debug)]
pub(crate) struct Wish {
    /// The channels, each with where the client was in it, if it says so.
    pub(crate) positions: Positions,
    /// The client has been here before.
    pub(crate) comes_back: bool,
    /// Events have the whole publication and the channel, not only the data.
    pub(crate) has_envelope: bool,
}

/// The response to one client.
#[derive(Debug)]
pub(crate) struct Events<S = Stream> {
    stream: EventStream<S>,
    /// For the head, until that is written.
    reply: Option<Reply>,
    wish: Wish,
    /// Subscriptions that are not answered yet, by the ids of their commands.
    asked: BTreeMap<u32, String>,
    /// Events that wait for the head.
    early: Vec<String>,
    pub(super) heartbeat: Instant,
}

/// What of a reply matters here.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Heard<'a> {
    id: u32,
    error: Option<Failure>,
    #[serde(borrow)]
    subscribe: Option<Subscribed<'a>>,
    #[serde(borrow)]
    push: Option<Pushed<'a>>,
}

#[derive(Deserialize)]
struct Failure {
    code: u32,
    message: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Subscribed<'a> {
    positioned: bool,
    was_recovering: bool,
    recovered: bool,
    epoch: String,
    offset: u64,
    #[serde(borrow)]
    publications: Vec<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Pushed<'a> {
    channel: String,
    #[serde(borrow, rename = "pub")]
    publication: Option<&'a RawValue>,
    unsubscribe: Option<serde::de::IgnoredAny>,
    disconnect: Option<Ended>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Ended {
    code: u32,
    reason: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Published<'a> {
    offset: u64,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Wish {
    /// The commands that a session needs to fulfil it: `connect`, and a subscription for each channel.
    pub(crate) fn commands(&self, token: &str) -> String {
        let connect = match token {
            "" => serde_json::json!({}),
            token => serde_json::json!({ "token": token }),
        };
        let mut lines = serde_json::json!({ "id": 1, "connect": connect }).to_string();
        for (id, (channel, position)) in self.ids().zip(&self.positions) {
            let mut request =
                serde_json::json!({ "channel": channel, "recoverable": true, "positioned": true });
            if let Some(Position { offset, epoch }) = position {
                request["recover"] = true.into();
                request["offset"] = (*offset).into();
                request["epoch"] = epoch.as_str().into();
            }
            let _ = write!(lines, "\n{}", serde_json::json!({ "id": id, "subscribe": request }));
        }
        lines
    }

    fn ids(&self) -> impl Iterator<Item = u32> + use<> {
        2..
    }
}

impl<S> Events<S> {
    pub(crate) fn new(stream: S, reply: Reply, wish: Wish, limit: usize, now: Instant) -> Self {
        let asked = wish.ids().zip(wish.positions.keys().cloned()).collect();
        let stream = EventStream::unbegun(stream, Dialect::Ready, limit);
        Self { stream, reply: Some(reply), wish, asked, early: Vec::new(), heartbeat: now + HEARTBEAT }
    }

    /// The same response on another form of its stream.
    pub(super) fn try_map_stream<T, E>(self, change: impl FnOnce(S) -> Result<T, E>) -> Result<Events<T>, E> {
        let Self { stream, reply, wish, asked, early, heartbeat } = self;
        Ok(Events { stream: stream.try_map_stream(change)?, reply, wish, asked, early, heartbeat })
    }

    /// Takes a message of the session's.
    ///
    /// # Errors
    /// When too much waits already.
    pub(super) fn hear(&mut self, message: &[u8]) -> Result<(), Full> {
        for line in message.split(|byte| *byte == b'\n') {
            match serde_json::from_slice::<Heard<'_>>(line) {
                Ok(heard) => self.hear_one(heard)?,
                Err(error) => tracing::error!(%error, "a reply of a session cannot be read"),
            }
        }
        Ok(())
    }

    fn hear_one(&mut self, heard: Heard<'_>) -> Result<(), Full> {
        if let Some(Failure { code, message }) = heard.error {
            let channel = self.asked.get(&heard.id).cloned();
            self.refuse(status_of_error(code), &message, channel.as_deref());
            return Ok(());
        }
        if let Some(subscribed) = heard.subscribe
            && let Some(channel) = self.asked.remove(&heard.id)
        {
            self.subscribed(&channel, &subscribed)?;
        }
        let Some(push) = heard.push else { return Ok(()) };
        if let Some(publication) = push.publication {
            self.publication(&push.channel, publication)?;
        }
        if let Some(Ended { code, reason }) = push.disconnect {
            self.refuse(status_of_end(code), &reason, None);
        } else if push.unsubscribe.is_some() {
            // The client comes back, and recovers or hears that it may not.
            self.stream.finish();
        }
        Ok(())
    }

    fn subscribed(&mut self, channel: &str, subscribed: &Subscribed<'_>) -> Result<(), Full> {
        let is_gap = self.wish.comes_back && !subscribed.recovered;
        let position = Position { offset: subscribed.offset, epoch: subscribed.epoch.clone() };
        self.wish.positions.insert(channel.to_owned(), subscribed.positioned.then_some(position));
        if is_gap {
            let data = serde_json::json!({ "channel": channel });
            let id = self.id_line();
            self.event(&format!("{id}event: lost\ndata: {data}\n\n"))?;
        }
        // Where not all was recovered, what there is may be a part of it.
        if subscribed.recovered || !subscribed.was_recovering {
            for publication in &subscribed.publications {
                self.publication(channel, publication)?;
            }
        }
        if self.asked.is_empty() {
            self.begin()?;
        }
        Ok(())
    }

    /// All channels are open: the response begins.
    fn begin(&mut self) -> Result<(), Full> {
        let Some(mut reply) = self.reply.take() else { return Ok(()) };
        self.stream.begin(&mut reply);
        // An id without data moves the client's position and is no event (HTML Standard §9.2.6).
        let id = if self.early.is_empty() { self.id_line() } else { String::new() };
        self.stream.push(format!(":\nretry: {RETRY}\n{id}\n").as_bytes())?;
        std::mem::take(&mut self.early).iter().try_for_each(|event| self.stream.push(event.as_bytes()))
    }

    fn publication(&mut self, channel: &str, publication: &RawValue) -> Result<(), Full> {
        let Ok(Published { offset, data }) = serde_json::from_str(publication.get()) else { return Ok(()) };
        if let (Some(Some(position)), true) = (self.wish.positions.get_mut(channel), offset > 0) {
            position.offset = offset;
        }
        let mut event = self.id_line();
        let data = data.map_or("null", RawValue::get);
        match self.wish.has_envelope {
            false => drop(write!(event, "data: {data}\n\n")),
            true => {
                let channel = serde_json::Value::from(channel);
                let rest = publication.get().trim_start_matches('{');
                let _ = write!(event, "data: {{\"channel\":{channel},{rest}\n\n");
            }
        }
        self.event(&event)
    }

    /// The line with the id of an event, where there is one.
    fn id_line(&self) -> String {
        let id = event_id(&self.wish.positions);
        if id.is_empty() { id } else { format!("id: {id}\n") }
    }

    fn event(&mut self, event: &str) -> Result<(), Full> {
        if self.reply.is_some() {
            self.early.push(event.to_owned());
            return Ok(());
        }
        self.stream.push(event.as_bytes())
    }

    /// Ends the response; where it has not begun, with a status that says why.
    fn refuse(&mut self, status: StatusCode, reason: &str, channel: Option<&str>) {
        if let Some(mut reply) = self.reply.take() {
            let place = channel.map_or(String::new(), |channel| format!("channel {channel:?}: "));
            self.stream.refuse(status, &mut reply, &format!("{place}{reason}\n"));
        }
        self.stream.finish();
    }

    /// Says that nothing follows.
    pub(super) fn finish(&mut self) {
        self.refuse(StatusCode::SERVICE_UNAVAILABLE, "the connection ended before it began", None);
    }

    /// Shows that the connection lives.
    pub(super) fn beat(&mut self, now: Instant) -> Result<(), Full> {
        self.heartbeat = now + HEARTBEAT;
        if self.reply.is_some() { Ok(()) } else { self.stream.push(b":\n\n") }
    }
}

impl Events {
    pub(super) fn stream_mut(&mut self) -> &mut EventStream {
        &mut self.stream
    }
}

fn status_of_error(code: u32) -> StatusCode {
    let is = |error: &ClientError| error.code == code;
    if is(&ClientError::UNAUTHORIZED) || is(&ClientError::TOKEN_EXPIRED) {
        StatusCode::UNAUTHORIZED
    } else if is(&ClientError::PERMISSION_DENIED) {
        StatusCode::FORBIDDEN
    } else if is(&ClientError::UNKNOWN_CHANNEL) {
        StatusCode::NOT_FOUND
    } else if is(&ClientError::INTERNAL) || is(&ClientError::TOO_MANY_REQUESTS) {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::BAD_REQUEST
    }
}

fn status_of_end(code: u32) -> StatusCode {
    let is = |disconnect: &Disconnect| disconnect.code == code;
    if is(&Disconnect::INVALID_TOKEN) || is(&Disconnect::EXPIRED) || is(&Disconnect::BAD_REQUEST) {
        StatusCode::UNAUTHORIZED
    } else if code < 3500 {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::FORBIDDEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(epoch: &str, offset: u64) -> Position {
        Position { offset, epoch: epoch.into() }
    }

    #[test]
    fn an_id_comes_back_as_it_went() {
        let positions = Positions::from([
            ("a".into(), Some(position("xyz", 7))),
            ("b c&d=é\n".into(), Some(position("e.f", 0))),
            ("none".into(), None),
        ]);
        let id = event_id(&positions);
        assert_eq!(id, "a=xyz.7&b%20c%26d%3D%C3%A9%0A=e.f.0");
        let read = read_event_id(&id);
        assert_eq!(read.len(), 2);
        assert_eq!(read["b c&d=é\n"], position("e.f", 0));
        for junk in ["", "a", "a=", "a=b", "a=b.c", "=.", "%=b.1", "a=b.-1"] {
            assert!(read_event_id(junk).is_empty(), "{junk}");
        }
    }

    fn events(channels: &[(&str, Option<Position>)], comes_back: bool, has_envelope: bool) -> Events<()> {
        let positions =
            channels.iter().map(|(name, position)| ((*name).to_owned(), position.clone())).collect();
        let wish = Wish { positions, comes_back, has_envelope };
        Events::new((), Reply::default(), wish, 10_000, Instant::now())
    }

    fn written(events: &mut Events<()>) -> String {
        events.stream.take_written()
    }

    #[test]
    fn the_response_begins_when_all_is_open() {
        let mut events = events(&[("a", None), ("b", None)], false, false);
        events.hear(b"{\"id\":1,\"connect\":{\"client\":\"c\"}}").unwrap();
        events.hear(b"{\"id\":2,\"subscribe\":{\"positioned\":true,\"epoch\":\"e\",\"offset\":3}}").unwrap();
        events.hear(b"{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":1,\"offset\":4}}}").unwrap();
        assert_eq!(written(&mut events), "");
        events.hear(b"{\"id\":3,\"subscribe\":{}}").unwrap();
        let text = written(&mut events);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        assert_eq!(body, ":\nretry: 1000\n\nid: a=e.4\ndata: 1\n\n");
        events.hear(b"{\"push\":{\"channel\":\"b\",\"pub\":{\"data\":\"x\"}}}").unwrap();
        assert_eq!(written(&mut events), "id: a=e.4\ndata: \"x\"\n\n");
        events.hear(b"{\"push\":{\"channel\":\"a\",\"join\":{}}}\n{}").unwrap();
        assert_eq!(written(&mut events), "");
    }

    #[test]
    fn whoever_comes_back_hears_what_is_lost() {
        let was = Some(position("e", 3));
        let mut events = events(&[("a", was.clone()), ("b", None), ("c", was)], true, true);
        let publications = r#"[{"offset":4,"data":1},{"offset":5,"data":2}]"#;
        let reply = |id: u32, more: &str, publications: &str| {
            format!(
                r#"{{"id":{id},"subscribe":{{"positioned":true,"epoch":"e","offset":3,"publications":{publications},{more}}}}}"#
            )
        };
        events.hear(reply(2, r#""was_recovering":true,"recovered":true"#, publications).as_bytes()).unwrap();
        events.hear(br#"{"id":3,"subscribe":{}}"#).unwrap();
        events.hear(reply(4, r#""was_recovering":true"#, "[]").as_bytes()).unwrap();
        let text = written(&mut events);
        assert_eq!(
            text.split_once("\r\n\r\n").unwrap().1,
            ":\nretry: 1000\n\n\
             id: a=e.4&c=e.3\ndata: {\"channel\":\"a\",\"offset\":4,\"data\":1}\n\n\
             id: a=e.5&c=e.3\ndata: {\"channel\":\"a\",\"offset\":5,\"data\":2}\n\n\
             id: a=e.5&c=e.3\nevent: lost\ndata: {\"channel\":\"b\"}\n\n\
             id: a=e.5&c=e.3\nevent: lost\ndata: {\"channel\":\"c\"}\n\n"
        );
    }

    #[test]
    fn a_refusal_has_a_status() {
        for (reply, line) in [
            (r#"{"id":1,"error":{"code":109,"message":"token expired"}}"#, "HTTP/1.1 401"),
            (r#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#, "HTTP/1.1 403"),
            (r#"{"id":2,"error":{"code":102,"message":"unknown channel"}}"#, "HTTP/1.1 404"),
            (r#"{"id":2,"error":{"code":107,"message":"bad request"}}"#, "HTTP/1.1 400"),
            (r#"{"push":{"disconnect":{"code":3500,"reason":"invalid token"}}}"#, "HTTP/1.1 401"),
            (r#"{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}"#, "HTTP/1.1 503"),
        ] {
            let mut events = events(&[("a", None)], false, false);
            events.hear(reply.as_bytes()).unwrap();
            let text = written(&mut events);
            assert!(text.starts_with(line), "{reply}: {text}");
        }
    }
}
