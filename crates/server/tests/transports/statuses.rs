//! What the endpoints beside the WebSocket answer to whom.

use serde_json::{Value, json};

use crate::channel::{subscribe, watcher};
use crate::http::Http;
use crate::link::{End, Link, Transport, Way};
use crate::rig::Rig;

const POLL: &str = "/connection/poll";

fn polling(rig: &Rig) -> Link {
    Link::open(rig, Way::json(Transport::Poll))
}

#[test]
fn commands_that_are_not_taken_have_a_status() {
    let rig = Rig::start();
    let command = |n: u64| json!({ "id": n, "n": n, "publish": { "channel": "a", "data": n } }).to_string();
    for path in ["/emulation", POLL] {
        let mut watcher = watcher(&rig, "a");
        let link = polling(&rig);
        let body = |commands: &[String]| -> Value {
            match path {
                POLL => {
                    let list: Vec<Value> =
                        commands.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
                    json!({ "session": link.secret(), "ack": 0, "commands": list })
                }
                _ => json!({ "session": link.secret(), "data": commands.join("\n") }),
            }
        };
        let success = if path == POLL { 200 } else { 204 };
        assert_eq!(rig.post(path, &body(&[command(1)])).status, success);
        // Of these the first is taken.
        let answer = rig.post(path, &body(&[command(2), command(4)]));
        assert_eq!(answer.status, 409, "{path}");
        assert_eq!(answer.json()["expected"], 3);
        assert!(answer.json()["error"].as_str().unwrap().contains("n = 3"), "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let unnumbered = json!({ "id": 9, "publish": { "channel": "a", "data": 9 } }).to_string();
        assert_eq!(rig.post(path, &body(&[unnumbered])).json()["expected"], 3);
        // What the server has had is passed over.
        assert_eq!(rig.post(path, &body(&[command(1), command(2), command(3)])).status, success);
        for number in 1..=3 {
            assert_eq!(watcher.publication(), number, "{path}: each once, and in order");
        }
        rig.publish("a", json!("the end"));
        assert_eq!(watcher.publication(), "the end", "{path}");

        let gone = rig.post(path, &json!({ "session": "none", "ack": 0, "data": "{}" }));
        assert_eq!(gone.status, 410);
        assert!(gone.json()["error"].is_string());
        for bad in ["", "junk", "[]", "1"] {
            assert_eq!(
                Http::once(rig.port(), "POST", path, &[], bad.as_bytes()).status,
                400,
                "{path} {bad:?}"
            );
        }
        let long = json!({ "session": link.secret(), "data": "x".repeat(66_000) });
        assert_eq!(rig.post(path, &long).status, 413);
    }
    assert_eq!(rig.post("/emulation", &json!({ "data": "{}" })).status, 400);
    assert_eq!(rig.post(POLL, &json!({ "ack": 3 })).status, 400, "no session and no connect");
    let link = polling(&rig);
    let unreadable = json!({ "session": link.secret(), "data": "junk" });
    assert_eq!(rig.post("/emulation", &unreadable).status, 400);
    let elsewhere = json!({ "session": link.secret(), "node": "another", "data": "{}" });
    assert_eq!(rig.post("/emulation", &elsewhere).status, 410);
}

#[test]
fn each_endpoint_has_its_methods() {
    let rig = Rig::start();
    for (path, allowed) in [
        ("/connection/http_stream", "POST, OPTIONS"),
        ("/connection/sse", "GET, POST, OPTIONS"),
        (POLL, "POST, OPTIONS"),
        ("/emulation", "POST, OPTIONS"),
        ("/events", "GET, OPTIONS"),
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"] {
            if allowed.split(", ").any(|one| one == method) {
                continue;
            }
            let answer = Http::once(rig.port(), method, path, &[], b"");
            assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{method} {path}");
        }
    }
    for path in ["/connection/sse", "/connection/sse?cf_connect="] {
        assert_eq!(Http::once(rig.port(), "GET", path, &[], b"").status, 400);
    }
    assert_eq!(Http::once(rig.port(), "POST", "/connection/sse", &[], b"").status, 400);
}

#[test]
fn endpoints_can_be_shut_and_limited() {
    let settings = ["HTTP_STREAM", "SSE", "POLL", "EVENT_SOURCE"].map(|name| format!("{name}__ENABLED"));
    let settings: Vec<_> = settings.iter().map(|name| (&**name, "false")).collect();
    let rig = Rig::with(&settings);
    for path in ["/connection/http_stream", "/connection/sse", POLL, "/emulation", "/events"] {
        assert_eq!(Http::once(rig.port(), "GET", path, &[], b"").status, 404, "{path}");
    }
    for (setting, status) in [("CONNECTION_LIMIT", 503), ("CONNECTION_RATE_LIMIT", 429)] {
        let rig = Rig::with(&[(&*format!("CLIENT__{setting}"), "1")]);
        let _one = Link::open(&rig, Way::json(Transport::HttpStream));
        for (method, path, body) in [
            ("POST", "/connection/http_stream", r#"{"id":1,"connect":{}}"#),
            ("POST", "/connection/sse", r#"{"id":1,"connect":{}}"#),
            ("POST", POLL, r#"{"commands":[{"id":1,"connect":{}}]}"#),
            ("GET", "/events?channel=a", ""),
        ] {
            // A second may have passed since the one before.
            let refused = (0..5).any(|_| {
                let mut http = Http::connect(rig.port());
                http.send(method, path, &[], body.as_bytes());
                let head = http.head();
                assert!([200, status].contains(&head.status), "{path}: {head:?}");
                head.status == status && head.header("retry-after") == Some("1")
            });
            assert!(refused, "{setting} {path}");
        }
    }
}

#[test]
fn polls_of_one_session() {
    let rig = Rig::with(&[("CLIENT__POLL_TIMEOUT", "100ms")]);
    let mut link = polling(&rig);
    subscribe(&mut link, json!({ "channel": "bare:a" }));
    let body = |ack: u64| json!({ "session": link.secret(), "ack": ack }).to_string();

    // One connection serves polls one after another, and anything else then.
    let mut http = Http::connect(rig.port());
    for number in 0..3 {
        http.send("POST", POLL, &[], body(1 + number).as_bytes());
        rig.publish("bare:a", json!(number));
        let answer = http.answer(false);
        assert_eq!((answer.status, answer.header("connection")), (200, Some("keep-alive")));
        assert_eq!(answer.header("cache-control"), Some("no-store, no-transform"));
        assert_eq!(answer.json()["seq"], 1 + number);
        assert_eq!(answer.json()["replies"][0]["push"]["pub"]["data"], number);
    }
    assert_eq!(http.ask("GET", "/health", &[], b"").text(), "ok\n");
    // Nothing comes.
    assert_eq!(http.ask("POST", POLL, &[], body(4).as_bytes()).json(), json!({ "seq": 4, "replies": [] }));
    // What was not acknowledged comes again, and as often as it is asked for.
    for _ in 0..2 {
        let answer = http.ask("POST", POLL, &[], body(4).as_bytes()).json();
        assert_eq!(answer["seq"], 4);
    }
    // Two requests in one piece are answered in their order.
    let poll = body(4);
    let request = format!("POST {POLL} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{poll}", poll.len());
    http.write(format!("{request}GET /health HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
    assert_eq!(http.answer(false).json(), json!({ "seq": 4, "replies": [] }));
    assert_eq!(http.answer(false).text(), "ok\n");
    // A client that wants no other answer on this connection.
    http.send("POST", POLL, &[("connection", "close")], body(4).as_bytes());
    let answer = http.answer(false);
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!(http.rest(), b"");
    // And one of the last century.
    let mut http = Http::connect(rig.port());
    http.write(request.replace("HTTP/1.1", "HTTP/1.0").as_bytes());
    let answer = http.answer(false);
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!(http.rest(), b"");
}

#[test]
fn a_second_poll_answers_the_first() {
    let rig = Rig::start();
    let mut link = polling(&rig);
    subscribe(&mut link, json!({ "channel": "bare:a" }));
    let body = json!({ "session": link.secret(), "ack": 1 }).to_string();
    let mut polls: Vec<_> = (0..2).map(|_| Http::connect(rig.port())).collect();
    polls.iter_mut().for_each(|http| http.send("POST", POLL, &[], body.as_bytes()));
    // Either may have come first. The other hears the publication.
    let mut listeners: Vec<_> = Vec::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    for mut http in polls {
        let sender = sender.clone();
        listeners.push(std::thread::spawn(move || sender.send(http.answer(false).json()).unwrap()));
    }
    assert_eq!(receiver.recv().unwrap(), json!({ "seq": 1, "replies": [] }));
    rig.publish("bare:a", json!("hi"));
    assert_eq!(receiver.recv().unwrap()["replies"][0]["push"]["pub"]["data"], "hi");
    listeners.into_iter().for_each(|listener| listener.join().unwrap());
}

#[test]
fn a_session_on_another_transport_is_not_polled() {
    let rig = Rig::start();
    for transport in [Transport::WebSocket, Transport::WebSocket2, Transport::HttpStream, Transport::SseGet] {
        let mut link = Link::open(&rig, Way::json(transport));
        let answer = rig.post(POLL, &json!({ "session": link.secret(), "ack": 0 }));
        assert_eq!(answer.status, 410, "{transport:?}");
        subscribe(&mut link, json!({ "channel": "a" }));
        // Commands may come beside it.
        let publish = json!({ "id": 9, "n": 2, "publish": { "channel": "a", "data": 1 } }).to_string();
        let beside = json!({ "session": link.secret(), "data": publish });
        assert_eq!(rig.post("/emulation", &beside).status, 204);
        assert_eq!(link.hear()["id"], 9);
    }
    // One that says less than it has heard finds that it is over.
    let mut link = polling(&rig);
    link.ask(json!({ "presence": { "channel": "a" } }));
    link.count = 7;
    assert_eq!(link.end(), End::Said(3010, "insufficient state".into()));
}

#[test]
fn a_client_that_goes_while_it_polls_is_noticed() {
    let rig = Rig::with(&[("CLIENT__SESSION_TTL", "100ms")]);
    let line = "antiphon_connections{transport=\"poll\"} ";
    let mut watcher = watcher(&rig, "a");
    for _ in 0..3 {
        let mut link = polling(&rig);
        subscribe(&mut link, json!({ "channel": "a" }));
        watcher.push("join");
        assert_eq!(rig.metric(line), 1);
        link.poll();
        drop(link);
        watcher.push("leave");
        rig.await_metric(line, 0);
    }
}
