//! What the API says.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::{TOKEN, ask, bearer, code, get, open_server, told};
use crate::support::{Server, Socket};

/// A client in a channel.
fn subscriber(server: &Server, channel: &str) -> Socket {
    let mut socket = server.open("/connection/websocket");
    socket.say(r#"{"id":1,"connect":{"name":"test"}}"#);
    socket.hear();
    socket.say(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#));
    while !socket.hear().contains(r#""subscribe""#) {}
    socket
}

fn publish(server: &Server, channel: &str, body: &str) -> crate::rig::Answer {
    ask(server, "POST", &format!("/admin/api/channels/{channel}/publish"), &bearer(TOKEN), body)
}

/// Checks that an object has exactly these keys.
fn has_keys(value: &Value, keys: &[&str]) {
    let mut found: Vec<&str> =
        value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect();
    let mut keys = keys.to_vec();
    found.sort_unstable();
    keys.sort_unstable();
    assert_eq!(found, keys);
}

#[test]
fn stats_are_a_series_of_points() {
    let server = open_server();
    let _socket = subscriber(&server, "news");
    let start = Instant::now();
    let stats = loop {
        publish(&server, "news", "{\"data\": {\"n\": 1}}");
        let stats = told(&server, "stats");
        let is_told = stats["points"].as_array().unwrap().iter().any(|point| point["lag_p99_ms"].is_number());
        if is_told {
            break stats;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{stats}");
        std::thread::yield_now();
    };
    has_keys(&stats, &["now", "interval_ms", "version", "node", "development", "cores", "points"]);
    has_keys(&stats["node"], &["uid", "name", "uptime_s", "started_at"]);
    assert_eq!((&stats["interval_ms"], &stats["development"]), (&json!(1000), &json!(true)));
    let points = stats["points"].as_array().unwrap();
    let last = points.last().unwrap();
    has_keys(
        last,
        &[
            "at",
            "connections",
            "clients",
            "users",
            "sessions",
            "subscriptions",
            "channels",
            "publications_per_s",
            "deliveries_per_s",
            "commands_per_s",
            "bytes_in_per_s",
            "bytes_out_per_s",
            "lag_p50_ms",
            "lag_p99_ms",
            "slow_clients",
            "errors",
            "memory_bytes",
            "cpu",
            "history_bytes",
            "history_publications",
        ],
    );
    has_keys(
        &last["connections"],
        &["websocket", "http_stream", "sse", "poll", "event_source", "raw", "echo"],
    );
    assert_eq!((&last["connections"]["websocket"], &last["clients"]), (&json!(1), &json!(1)));
    assert!(last["memory_bytes"].as_u64().unwrap() > 1_000_000 && last["cpu"].as_f64().unwrap() >= 0.0);
    assert!(points.iter().any(|point| point["publications_per_s"].as_f64().unwrap() > 0.0));
    // Only what is newer.
    let at = last["at"].as_u64().unwrap();
    let newer = told(&server, &format!("stats?since={at}"));
    assert!(
        newer["points"].as_array().unwrap().iter().all(|point| point["at"].as_u64().unwrap() > at),
        "{newer}"
    );
    let answer = get(&server, "stats?since=yesterday");
    assert_eq!((answer.status, &*code(&answer)), (400, "bad_request"));
}

#[test]
fn a_channel_is_known_by_its_members_and_its_messages() {
    let server = open_server();
    let mut socket = subscriber(&server, "room/1");
    let name = "room%2F1";
    for n in 0..3 {
        let answer =
            publish(&server, name, &format!("{{\"data\": {{\"n\": {n}}}, \"tags\": {{\"a\": \"b\"}}}}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        has_keys(&answer.json(), &["offset", "epoch"]);
        assert_eq!(answer.json()["offset"], n + 1);
    }
    // It has come to those who are there.
    let mut seen = 0;
    while seen < 3 {
        seen += socket.hear().matches(r#""pub":"#).count();
    }
    let channel = told(&server, &format!("channels/{name}"));
    has_keys(&channel, &["channel", "members", "rate", "position", "namespace", "options"]);
    assert_eq!((&channel["channel"], &channel["members"]), (&json!("room/1"), &json!(1)));
    assert!(channel["rate"].as_f64().unwrap() > 0.0, "{channel}");
    assert_eq!((&channel["position"]["offset"], &channel["namespace"]), (&json!(3), &json!("")));
    let options = &channel["options"];
    assert_eq!((&options["presence"], &options["history_size"]), (&json!(true), &json!(1000)));
    assert_eq!((&options["history_ttl_s"], &options["force_recovery"]), (&json!(3600.0), &json!(true)));

    let list = told(&server, "channels");
    has_keys(&list, &["channels", "total", "next"]);
    has_keys(&list["channels"][0], &["channel", "members", "rate"]);
    assert_eq!((&list["total"], &list["next"]), (&json!(1), &Value::Null));

    let members = told(&server, &format!("channels/{name}/members"));
    has_keys(&members, &["members", "total", "next"]);
    has_keys(&members["members"][0], &["client", "user", "conn_info", "chan_info"]);
    assert_eq!((&members["total"], &members["members"][0]["user"]), (&json!(1), &json!("")));

    let history = told(&server, &format!("channels/{name}/history?limit=2"));
    has_keys(&history, &["messages", "position", "next"]);
    has_keys(&history["messages"][0], &["offset", "at", "data", "size", "tags", "info"]);
    assert_eq!(history["messages"][0]["data"], json!({"n": 2}));
    assert_eq!(history["messages"][0]["tags"], json!({"a": "b"}));
    assert_eq!((&history["messages"][1]["offset"], &history["next"]), (&json!(2), &json!(2)));
    let rest = told(&server, &format!("channels/{name}/history?limit=2&before=2"));
    assert_eq!((&rest["messages"][0]["offset"], &rest["next"]), (&json!(1), &Value::Null));
}

#[test]
fn bytes_are_told_from_text() {
    let server = open_server();
    let api = |data: &str| {
        let body = format!("{{\"channel\": \"bytes\", {data}}}");
        assert_eq!(ask(&server, "POST", "/api/publish", "", &body).status, 200);
    };
    api("\"b64data\": \"AP8=\"");
    api("\"b64data\": \"aGk=\"");
    api("\"data\": 12345678901234567890123");
    let history = told(&server, "channels/bytes/history");
    let data: Vec<_> =
        history["messages"].as_array().unwrap().iter().map(|message| message["data"].clone()).collect();
    assert_eq!((&data[1], &data[2]), (&json!("hi"), &json!({"base64": "AP8="})));
    assert!(get(&server, "channels/bytes/history").body.contains("\"data\":12345678901234567890123,"));
}

#[test]
fn the_node_says_which_it_is() {
    let server = open_server();
    let nodes = told(&server, "nodes");
    let node = &nodes["nodes"][0];
    has_keys(
        node,
        &["uid", "name", "version", "clients", "users", "subscriptions", "channels", "uptime_s", "is_this"],
    );
    assert_eq!((&node["is_this"], &node["version"]), (&json!(true), &json!(env!("CARGO_PKG_VERSION"))));
}

#[test]
fn what_cannot_be_answered_is_said_with_the_way_out() {
    let server = open_server();
    for (method, path, body, status, word) in [
        ("GET", "none", "", 404, "not_found"),
        ("GET", "channels/a/none", "", 404, "not_found"),
        ("GET", "channels//history", "", 404, "not_found"),
        ("GET", "channels/%zz", "", 400, "bad_request"),
        ("GET", "channels/%00", "", 400, "bad_request"),
        ("GET", "channels?limit=0", "", 400, "bad_request"),
        ("GET", "channels?limit=501", "", 400, "bad_request"),
        ("GET", "channels?limit=many", "", 400, "bad_request"),
        ("GET", "channels?after=%21", "", 400, "bad_request"),
        ("GET", "channels?sort=age", "", 400, "bad_request"),
        ("GET", "channels/a/history?before=0", "", 400, "bad_request"),
        ("GET", "channels/a/history?before=99", "", 400, "bad_request"),
        ("POST", "channels/a/publish", "{}", 400, "bad_request"),
        ("POST", "channels/a/publish", "data", 400, "bad_request"),
        ("POST", "channels/a/publish", "{\"data\": 1, \"tag\": {}}", 400, "bad_request"),
        ("POST", "stats", "", 405, "method_not_allowed"),
        ("GET", "channels/a/publish", "", 405, "method_not_allowed"),
        ("DELETE", "channels/a", "", 405, "method_not_allowed"),
    ] {
        let answer = ask(&server, method, &format!("/admin/api/{path}"), &bearer(TOKEN), body);
        assert_eq!((answer.status, &*code(&answer)), (status, word), "{method} {path} {body}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
    }
    let answer = publish(&server, "a", &format!("{{\"data\": \"{}\"}}", "a".repeat(128 * 1024)));
    assert_eq!((answer.status, &*code(&answer)), (413, "too_large"));
    let answer = ask(&server, "DELETE", "/admin/api/channels/a", &bearer(TOKEN), "");
    assert_eq!(answer.header("allow"), "GET");
    let head = ask(&server, "HEAD", "/admin/api/nodes", &bearer(TOKEN), "");
    assert_eq!((head.status, &*head.body), (200, ""));
}
