//! `/events`, for clients that know no protocol.

use serde_json::{Value, json};

use crate::http::{Http, percent};
use crate::rig::{Rig, now, token};

/// A response with events.
struct Events {
    http: Http,
    read: String,
    /// The position of the client.
    id: String,
}

/// An event, by its name and its data.
type Event = (String, Value);

impl Events {
    fn open(rig: &Rig, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut http = Http::connect(rig.port());
        http.send("GET", path, headers, b"");
        let head = http.head();
        assert_eq!(head.status, 200, "{path}");
        assert_eq!(head.header("content-type"), Some("text/event-stream; charset=utf-8"));
        assert_eq!(head.header("x-accel-buffering"), Some("no"));
        let mut events = Self { http, read: String::new(), id: String::new() };
        let opening = events.block().unwrap();
        assert!(opening.starts_with(":\nretry: 1000"), "{opening}");
        events.id.push_str(opening.split_once("\nid: ").map_or("", |(_, id)| id));
        events
    }

    /// Comes back as a browser does.
    fn again(self, rig: &Rig, path: &str) -> Self {
        let id = self.id;
        Self::open(rig, path, &[("last-event-id", &id)])
    }

    /// The next block of lines; nothing at the end.
    fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                return Some(block);
            }
            self.read.push_str(&String::from_utf8(self.http.piece()?).unwrap());
        }
    }

    /// The next event as a browser reads it (HTML Standard §9.2.6); nothing at the end.
    fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block()?;
            let (mut name, mut data) = ("message", None);
            for line in block.lines() {
                match line.split_once(": ") {
                    Some(("id", id)) => self.id = id.to_owned(),
                    Some(("event", event)) => name = event,
                    Some(("data", text)) => assert_eq!(data.replace(text.to_owned()), None, "{block}"),
                    _ => assert_eq!(line, ":", "{block}"),
                }
            }
            if let Some(data) = data {
                let name = name.to_owned();
                return Some((name, serde_json::from_str(&data).unwrap()));
            }
        }
    }

    fn message(&mut self) -> Value {
        let (name, data) = self.next().expect("it goes on");
        assert_eq!(name, "message", "{data}");
        data
    }

    fn lost(&mut self) -> Value {
        let (name, mut data) = self.next().expect("it goes on");
        assert_eq!(name, "lost", "{data}");
        data["channel"].take()
    }
}

#[test]
fn a_refusal_has_a_status_and_a_sentence() {
    let rig = Rig::start();
    let many: Vec<_> = (0..129).map(|number| format!("channel={number}")).collect();
    let many = format!("/events?{}", many.join("&"));
    let expired = format!("/events?channel=a&token={}", token("ada", json!({ "exp": now() - 10 })));
    let bearer = [("authorization", "Bearer junk")];
    for (path, headers, status, says) in [
        ("/events", &[][..], 400, "/events?channel=A"),
        ("/events?token=x", &[], 400, "/events?channel=A"),
        (&*many, &[], 400, "129 channels"),
        ("/events?channel=", &[], 400, "/events?channel=A"),
        ("/events?channel=a&token=junk", &[], 401, "token"),
        ("/events?channel=a", &bearer, 401, "token"),
        (&*expired, &[], 401, "expired"),
        ("/events?channel=a&channel=shut:a", &[], 403, "channel \"shut:a\": permission denied"),
        ("/events?channel=unknown:a", &[], 404, "channel \"unknown:a\": unknown channel"),
    ] {
        let answer = Http::once(rig.port(), "GET", path, headers, b"");
        let text = answer.text();
        assert_eq!(answer.status, status, "{path}: {text}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{path}");
        assert!(text.contains(says) && text.ends_with('\n'), "{path}: {text}");
    }
    let rig = Rig::with(&[("CLIENT__ALLOW_ANONYMOUS_CONNECT_WITHOUT_TOKEN", "false")]);
    assert_eq!(Http::once(rig.port(), "GET", "/events?channel=a", &[], b"").status, 401);
    let bearer = format!("bearer {}", token("ada", json!({})));
    let mut events = Events::open(&rig, "/events?channel=a", &[("authorization", &bearer)]);
    rig.publish("a", json!(1));
    assert_eq!(events.message(), 1);
}

#[test]
fn a_client_comes_back_to_two_channels() {
    let rig = Rig::start();
    let (one, two) = ("plain", "with & = % +");
    let path = &*format!("/events?channel={}&channel={}", percent(one), percent(two));
    let mut events = Events::open(&rig, path, &[]);
    rig.publish(one, json!(1));
    assert_eq!(events.message(), 1);
    let early = events.id.clone();
    rig.publish(two, json!(2));
    assert_eq!(events.message(), 2);
    assert_ne!(events.id, early);

    // Both at once, each in its order.
    for number in 3..=6 {
        rig.publish(if number % 2 == 0 { one } else { two }, json!(number));
    }
    let late = events.id.clone();
    let mut events = events.again(&rig, path);
    assert_eq!([(); 4].map(|()| events.message()), [4, 6, 3, 5]);
    rig.publish(one, json!(7));
    assert_eq!(events.message(), 7, "and nothing twice");

    // One that missed more gets more, whichever way it says where it was.
    let query = format!("{path}&last_event_id={}", percent(&early));
    let mut events = Events::open(&rig, &query, &[]);
    assert_eq!([(); 6].map(|()| events.message()), [4, 6, 7, 2, 3, 5]);
    // The header is newer than the URL.
    let mut events = Events::open(&rig, &query, &[("last-event-id", &late)]);
    assert_eq!([(); 5].map(|()| events.message()), [4, 6, 7, 3, 5]);
    // Who has not missed anything hears nothing, and comes back to the same place.
    let id = events.id.clone();
    let mut events = events.again(&rig, path).again(&rig, path);
    rig.publish(two, json!(8));
    assert_eq!(events.message(), 8);
    assert_ne!(events.id, id);
}

#[test]
fn what_cannot_be_had_any_more_is_said_to_be_lost() {
    let rig = Rig::start();
    let path = "/events?channel=a&channel=bare:b&channel=few:c";
    let mut events = Events::open(&rig, path, &[]);
    for channel in ["a", "bare:b", "few:c"] {
        rig.publish(channel, json!(channel));
        assert_eq!(events.message(), channel);
    }
    assert!(events.id.contains("a=") && events.id.contains("few:c=") && !events.id.contains("bare"));
    (0..5).for_each(|number| rig.publish("few:c", json!(number)));
    rig.publish("a", json!("meanwhile"));
    let mut events = events.again(&rig, path);
    assert_eq!(events.message(), "meanwhile");
    assert_eq!(events.lost(), "bare:b");
    assert_eq!(events.lost(), "few:c", "and no part of it");
    rig.publish("few:c", json!("new"));
    assert_eq!(events.message(), "new");

    // Another server knows nothing of what was.
    let rig = Rig::start();
    rig.publish("a", json!("of another"));
    let mut events = events.again(&rig, path);
    assert_eq!([(); 3].map(|()| events.lost()), ["a", "bare:b", "few:c"]);
    rig.publish("a", json!("new"));
    assert_eq!(events.message(), "new");
    let mut events = events.again(&rig, "/events?channel=a");
    rig.publish("a", json!("newer"));
    assert_eq!(events.message(), "newer", "it is in step again");
    // Nowhere is nothing to come back from, and junk is no place.
    let mut events = Events::open(&rig, "/events?channel=a&last_event_id=", &[("last-event-id", "")]);
    rig.publish("a", json!("newest"));
    assert_eq!(events.message(), "newest");
    let mut events = Events::open(&rig, "/events?channel=a", &[("last-event-id", "junk&a=b&=.")]);
    assert_eq!(events.lost(), "a");
}

#[test]
fn events_can_have_all_of_a_publication() {
    let rig = Rig::start();
    let mut events = Events::open(&rig, "/events?channel=a&channel=b&envelope=1", &[]);
    let request = json!({ "channel": "b", "data": { "x": "é\n" }, "tags": { "t": "1" } });
    rig.api("publish", request);
    let mut data = events.message();
    assert!(data["time"].take().as_u64().is_some());
    let expected =
        json!({ "channel": "b", "data": { "x": "é\n" }, "offset": 1, "tags": { "t": "1" }, "time": null });
    assert_eq!(data, expected);
}

#[test]
fn a_response_ends_with_what_it_shows() {
    let mut rig = Rig::start();
    let bearer = format!("Bearer {}", token("ada", json!({})));
    let open = |rig: &Rig| Events::open(rig, "/events?channel=a", &[("authorization", &bearer)]);
    let line = "antiphon_connections{transport=\"event_source\"} ";
    let mut events = open(&rig);
    assert_eq!(rig.metric(line), 1);
    rig.api("unsubscribe", json!({ "user": "ada", "channel": "a" }));
    assert_eq!(events.next(), None);
    let mut events = open(&rig);
    rig.api("disconnect", json!({ "user": "ada" }));
    assert_eq!(events.next(), None);
    drop(events);
    rig.await_metric(line, 0);
    drop(open(&rig));
    rig.await_metric(line, 0);
    let mut events = open(&rig);
    rig.server.terminate();
    assert_eq!(events.next(), None);
    drop(events);
    assert_eq!(rig.server.ended().code(), Some(0));
}
