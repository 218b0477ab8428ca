//! What the inspector's API says of connections, of the real binary.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "transports/http.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod http;
mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use http::{Answer, Http};
use support::{Server, Socket, antiphon};

const TOKEN: &str = "a-token-for-scripts-of-this-test";

/// A server of which the inspector's token is known.
fn server() -> Server {
    let mut command = antiphon();
    command.env("ANTIPHON_ADMIN__TOKEN", TOKEN);
    Server::spawn(command.args(["serve", "--listen", "127.0.0.1:0", "--workers", "2"]))
}

fn ask(server: &Server, method: &str, path: &str, body: &str) -> Answer {
    let authorization = format!("Bearer {TOKEN}");
    let path = format!("/admin/api/{path}");
    Http::once(server.port, method, &path, &[("authorization", &authorization)], body.as_bytes())
}

fn get(server: &Server, path: &str) -> Value {
    let answer = ask(server, "GET", path, "");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// A client on a WebSocket that has connected with this request, and the answer.
fn connected(server: &Server, request: &Value) -> (Socket, Value) {
    let mut socket = server.open("/connection/websocket");
    socket.say(&json!({ "id": 1, "connect": request }).to_string());
    let answer: Value = serde_json::from_str(&socket.hear()).unwrap();
    (socket, answer["connect"].clone())
}

fn id(answer: &Value) -> &str {
    answer["client"].as_str().unwrap()
}

/// Waits until it is so: what a client does reaches the server by itself.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < http::PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn nothing_is_told_to_who_has_not_been_let_in() {
    let server = server();
    for (method, path) in [
        ("GET", "connections"),
        ("GET", "connections/x"),
        ("POST", "connections/x/disconnect"),
        ("GET", "connections/x/trace"),
        ("POST", "connections/x/trace"),
    ] {
        let answer = Http::once(server.port, method, &format!("/admin/api/{path}"), &[], b"");
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (401, &json!("unauthorized")), "{path}");
    }
}

#[test]
fn every_kind_of_client_is_listed() {
    let server = server();
    let (mut socket, answer) =
        connected(&server, &json!({ "name": "js", "version": "1.2", "data": { "name": "Ada" } }));
    let first = id(&answer).to_owned();
    socket.say(r#"{"id":2,"subscribe":{"channel":"news","recoverable":true,"join_leave":true}}"#);
    while !socket.hear().contains(r#""id":2"#) {}
    // Server-Sent Events, with the commands in the query.
    let mut sse = server.request(
        "GET /connection/sse?cf_connect=%7B%22id%22%3A1%2C%22connect%22%3A%7B%7D%7D HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    assert!(sse.head().starts_with("HTTP/1.1 200 "));
    let polled =
        Http::once(server.port, "POST", "/connection/poll", &[], br#"{"commands":[{"id":1,"connect":{}}]}"#);
    let polled = polled.json()["replies"][0]["connect"].clone();
    let mut events = server.request("GET /events?channel=news HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(events.head().starts_with("HTTP/1.1 200 "));
    eventually("four are listed", || get(&server, "connections")["total"] == 4);

    let list = get(&server, "connections");
    let rows = list["connections"].as_array().unwrap();
    let transports: Vec<_> = rows.iter().map(|row| row["transport"].as_str().unwrap()).collect();
    assert_eq!(transports, ["event_source", "poll", "sse", "websocket"], "the newest first");
    assert_eq!(list["next"], Value::Null);
    let row = &rows[3];
    let now = row["connected_at"].as_u64().unwrap();
    assert!(now > 1_700_000_000_000, "milliseconds");
    assert_eq!(
        *row,
        json!({
            "client": first, "user": "", "name": "js", "version": "1.2", "transport": "websocket", "encoding": "json",
            "address": "127.0.0.1", "connected_at": now, "state": "connected", "channels": 1, "queue_bytes": 0,
            "rtt_ms": null, "traced": false,
        })
    );
    assert_eq!(rows[0]["encoding"], "raw");

    let one = get(&server, &format!("connections/{first}"));
    let position = &one["subscriptions"][0]["position"];
    assert!(position["epoch"].is_string() && position["offset"] == 0, "{one}");
    assert_eq!(
        one["subscriptions"],
        json!([{ "channel": "news", "position": position, "recoverable": true, "join_leave": true, "server_side": false }])
    );
    assert_eq!(one["transports"], json!([{ "at": now, "transport": "websocket", "address": "127.0.0.1" }]));
    assert_eq!((&one["resumable"], &one["waiting_until"]), (&json!(false), &Value::Null));
    assert_eq!((&one["info"], &one["expires_at"]), (&json!({ "name": "Ada" }), &Value::Null));
    assert_eq!((&one["client"], &one["messages_in"]), (&json!(first), &json!(2)));

    let users = |query: &str| get(&server, &format!("connections?{query}"))["total"].clone();
    assert_eq!(users("search=JS"), 1);
    assert_eq!(users("channel=news"), 2);
    assert_eq!(users("channel=news&transport=websocket"), 1);
    assert_eq!(users(&format!("client={}", id(&polled))), 1);
    assert_eq!(users("address=127."), 4);
    assert_eq!(users("user=nobody"), 0);
    for (query, says) in [
        (
            "transport=pigeon",
            "transport is \"pigeon\"; there are websocket, http_stream, sse, poll, event_source.",
        ),
        ("limit=501", "500"),
        ("after=junk", "after is \"junk\""),
    ] {
        let answer = ask(&server, "GET", &format!("connections?{query}"), "");
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["code"]), (400, &json!("bad_request")));
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
    }
    let unknown = ask(&server, "GET", "connections/nobody", "");
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (404, &json!("not_found")));
}

#[test]
fn a_list_comes_in_pages() {
    let server = server();
    let clients: Vec<_> = (0..23).map(|_| connected(&server, &json!({}))).collect();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(&server, &format!("connections?limit=5&after={after}"));
        assert_eq!(page["total"], 23);
        let rows = page["connections"].as_array().unwrap();
        seen.extend(rows.iter().map(|row| row["client"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    let distinct: BTreeSet<&str> = seen.iter().map(|client| &**client).collect();
    assert_eq!((seen.len(), distinct.len()), (23, 23));
    assert!(clients.iter().all(|(_, answer)| distinct.contains(id(answer))));
}

#[test]
fn a_session_remembers_its_transports() {
    let server = server();
    let (socket, answer) = connected(&server, &json!({ "ext": { "session": 1 } }));
    let (client, secret) = (id(&answer).to_owned(), answer["session"].as_str().unwrap());
    let look = || get(&server, &format!("connections/{client}"));
    assert_eq!((look()["resumable"].clone(), look()["state"].clone()), (json!(true), json!("connected")));
    // Gone without a word.
    drop(socket);
    eventually("the session waits", || look()["state"] == "waiting");
    assert!(look()["waiting_until"].as_u64().unwrap() > look()["connected_at"].as_u64().unwrap());
    let connect = json!({ "ext": { "session": 1 }, "session": secret, "ack": 0 });
    let request = json!({ "commands": [{ "id": 1, "connect": connect }] }).to_string();
    let resumed = Http::once(server.port, "POST", "/connection/poll", &[], request.as_bytes()).json();
    assert_eq!(resumed["replies"][0]["connect"]["resumed"], true, "{resumed}");
    let one = look();
    let transports: Vec<_> = one["transports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|carried| carried["transport"].as_str().unwrap())
        .collect();
    assert_eq!((transports, &one["transport"]), (vec!["websocket", "poll"], &json!("poll")));
}

#[test]
fn a_trace_shows_both_ways_and_why_it_ended() {
    let server = server();
    let (mut socket, answer) = connected(&server, &json!({}));
    let client = id(&answer).to_owned();
    let path = format!("connections/{client}/trace");
    let nothing = json!({ "on": false, "until": null, "next": 0, "lost": 0, "entries": [] });
    assert_eq!(get(&server, &path), nothing);
    assert_eq!(ask(&server, "POST", &path, r#"{"on":true}"#).status, 204);
    assert_eq!(get(&server, &format!("connections/{client}"))["traced"], true);
    socket.say(r#"{"id":2,"subscribe":{"channel":"news"}}"#);
    while !socket.hear().contains(r#""id":2"#) {}
    // By another client, perhaps of the other worker.
    let (mut other, _) = connected(&server, &json!({}));
    other.say(r#"{"id":2,"publish":{"channel":"news","data":{"a":1}}}"#);
    while !socket.hear().contains(r#""data":{"a":1}"#) {}
    let trace = get(&server, &path);
    assert!(trace["on"] == true && trace["until"].is_u64() && trace["lost"] == 0, "{trace}");
    let lines = |trace: &Value| -> Vec<String> {
        let entries = trace["entries"].as_array().unwrap();
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
        entries.iter().map(|entry| format!("{} {}", text(entry, "direction"), text(entry, "text"))).collect()
    };
    let written = lines(&trace);
    assert_eq!(written[0], r#"in {"id":2,"subscribe":{"channel":"news"}}"#);
    assert!(written[1].starts_with(r#"out {"id":2,"subscribe":{"#), "{written:?}");
    assert!(written.last().unwrap().contains(r#""pub":{"data":{"a":1}"#), "{written:?}");
    assert_eq!(trace["next"], written.len());

    let gone = ask(
        &server,
        "POST",
        &format!("connections/{client}/disconnect"),
        r#"{"code":4001,"reason":"enough"}"#,
    );
    assert_eq!(gone.status, 204);
    let mut closed = None;
    while closed.is_none() {
        let (opcode, payload) = socket.receive();
        closed = (opcode == support::CLOSE).then_some(payload);
    }
    assert_eq!(closed.unwrap(), [&4001_u16.to_be_bytes()[..], b"enough"].concat());
    let trace = get(&server, &format!("{path}?after={}", trace["next"]));
    assert_eq!(
        (&trace["on"], lines(&trace).last().unwrap().as_str()),
        (&json!(false), "event it ended: 4001 enough")
    );
    for (method, path) in [("GET", "nobody/trace"), ("POST", "nobody/trace"), ("POST", "nobody/disconnect")] {
        let answer = ask(
            &server,
            method,
            &format!("connections/{path}"),
            if path.ends_with("trace") { r#"{"on":true}"# } else { "" },
        );
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &json!("not_found")), "{path}");
    }
}

#[test]
fn a_disconnect_is_final_unless_it_says_otherwise() {
    let server = server();
    let (mut socket, answer) = connected(&server, &json!({}));
    let path = format!("connections/{}/disconnect", id(&answer));
    for (body, says) in [(r#"{"code":1000}"#, "1000"), ("junk", "JSON"), (r#"{"why":1}"#, "why")] {
        let refused = ask(&server, "POST", &path, body);
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.text().contains(says), "{}", refused.text());
    }
    assert_eq!(ask(&server, "POST", &path, "").status, 204);
    assert_eq!(socket.closed(), (3503, "force disconnect".into()));
    eventually("it is gone", || get(&server, "connections")["total"] == 0);
    assert_eq!(ask(&server, "POST", &path, "").status, 404);
}
