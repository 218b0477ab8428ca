//! The client protocol over a real socket.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use support::{BINARY, Server, Socket};

/// A server whose channels keep nothing and tell of nobody, so that messages are short.
fn bare() -> Server {
    Server::spawn(support::antiphon().args(["serve", "--listen", "127.0.0.1:0", "--workers", "2"]).envs([
        ("ANTIPHON_CHANNEL__WITHOUT_NAMESPACE__HISTORY_SIZE", "0"),
        ("ANTIPHON_CHANNEL__WITHOUT_NAMESPACE__HISTORY_TTL", "0s"),
        ("ANTIPHON_CHANNEL__WITHOUT_NAMESPACE__FORCE_RECOVERY", "false"),
        ("ANTIPHON_CHANNEL__WITHOUT_NAMESPACE__ALLOW_RECOVERY", "false"),
        ("ANTIPHON_CHANNEL__WITHOUT_NAMESPACE__ALLOW_POSITIONING", "false"),
        ("ANTIPHON_CHANNEL__WITHOUT_NAMESPACE__DELTA_PUBLISH", "false"),
    ]))
}

/// Without the time at which it was published.
fn timeless(push: &str) -> String {
    let (before, after) = push.split_once(",\"time\":").unwrap_or_else(|| panic!("{push}"));
    format!("{before}{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// `/connection/websocket` after `connect`, and the id of the connection.
fn connected(server: &Server, data: &str) -> (Socket, String) {
    let mut socket = server.open("/connection/websocket");
    socket.say(&format!(r#"{{"id":1,"connect":{{"data":{data}}}}}"#));
    let reply = socket.hear();
    let id = reply.strip_prefix(r#"{"id":1,"connect":{"client":""#).and_then(|rest| rest.split('"').next());
    let id = id.unwrap_or_else(|| panic!("{reply}")).to_owned();
    assert!(reply.ends_with(r#","ping":25,"pong":true}}"#), "{reply}");
    (socket, id)
}

#[test]
fn two_talk_in_a_channel() {
    let server = bare();
    let (mut ada, ada_id) = connected(&server, r#"{"name":"Ada"}"#);
    let (mut bob, bob_id) = connected(&server, "null");
    assert_ne!(ada_id, bob_id);
    assert_eq!(ada_id.len(), 36);
    for socket in [&mut ada, &mut bob] {
        socket.say(r#"{"id":2,"subscribe":{"channel":"chat"}}"#);
        assert_eq!(socket.hear(), r#"{"id":2,"subscribe":{}}"#);
    }
    ada.say(r#"{"id":3,"publish":{"channel":"chat","data":{"text":"hi"}}}"#);
    let info = format!(r#""info":{{"user":"","client":"{ada_id}","conn_info":{{"name":"Ada"}}}}"#);
    let push = format!(r#"{{"push":{{"channel":"chat","pub":{{"data":{{"text":"hi"}},{info}}}}}}}"#);
    assert_eq!(timeless(&bob.hear()), push);
    assert_eq!(ada.hear(), r#"{"id":3,"publish":{}}"#, "the answer comes first");
    assert_eq!(timeless(&ada.hear()), push);

    bob.say(r#"{"id":3,"unsubscribe":{"channel":"chat"}}"#);
    assert_eq!(bob.hear(), r#"{"id":3,"unsubscribe":{}}"#);
    ada.say(r#"{"id":4,"publish":{"channel":"chat","data":2}}"#);
    let _ = (ada.hear(), ada.hear());
    bob.say(r#"{"id":5,"unsubscribe":{"channel":"chat"}}"#);
    assert_eq!(bob.hear(), r#"{"id":5,"unsubscribe":{}}"#, "and nothing before it");
}

#[test]
fn commands_of_one_message_are_answered_in_one() {
    let server = bare();
    let mut socket = server.open("/connection/websocket");
    socket.send(BINARY, b"{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}\n");
    let replies = socket.hear();
    let lines: Vec<_> = replies.lines().collect();
    assert_eq!(lines.len(), 2, "{replies}");
    assert_eq!(lines[1], r#"{"id":2,"subscribe":{}}"#);
}

#[test]
fn raw_and_clients_share_channels() {
    let server = bare();
    let (mut client, _) = connected(&server, "null");
    client.say(r#"{"id":2,"subscribe":{"channel":"a"}}"#);
    client.hear();
    let mut raw = server.open("/raw/a");
    for (sent, data) in [(r#"{"x":1}"#, r#"{"x":1}"#), ("plain words", r#""plain words""#)] {
        raw.say(sent);
        assert_eq!(raw.hear(), sent);
        let push = format!(r#"{{"push":{{"channel":"a","pub":{{"data":{data}}}}}}}"#);
        assert_eq!(timeless(&client.hear()), push);
    }
    client.say(r#"{"id":3,"publish":{"channel":"a","data":[1,2]}}"#);
    assert_eq!(raw.hear(), "[1,2]");
}

#[test]
fn what_is_no_protocol_ends_with_its_code() {
    let server = bare();
    for (message, code, reason) in [
        ("junk", 3501, "bad request"),
        ("", 3501, "bad request"),
        ("{}", 3501, "bad request"),
        (r#"{"id":1,"subscribe":{"channel":"a"}}"#, 3501, "bad request"),
        (r#"{"id":1,"connect":{"token":"x"}}"#, 3500, "invalid token"),
    ] {
        let mut socket = server.open("/connection/websocket");
        socket.say(message);
        assert_eq!(socket.closed(), (code, reason.into()), "{message}");
    }
    let (mut socket, _) = connected(&server, "null");
    socket.say("{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}\n{\"id\":3,\"dance\":{}}\n{\"id\":4}");
    assert_eq!(socket.hear(), r#"{"id":2,"subscribe":{}}"#, "what was done before it is answered");
    assert_eq!(socket.closed(), (3501, "bad request".into()));
}

#[test]
fn pings_come_and_want_an_answer() {
    let server = Server::spawn(support::antiphon().args(["serve", "--listen", "127.0.0.1:0"]).envs([
        ("ANTIPHON_CLIENT__PING_INTERVAL", "400ms"),
        ("ANTIPHON_CLIENT__PONG_TIMEOUT", "200ms"),
        ("ANTIPHON_CLIENT__STALE_CLOSE_DELAY", "300ms"),
    ]));
    let mut socket = server.open("/connection/websocket");
    socket.say(r#"{"id":1,"connect":{}}"#);
    socket.hear();
    for _ in 0..3 {
        assert_eq!(socket.hear(), "{}");
        socket.say("{}");
    }
    assert_eq!(socket.hear(), "{}");
    assert_eq!(socket.closed(), (3012, "no pong".into()));
    assert_eq!(server.open("/connection/websocket").closed(), (3502, "stale".into()));
}

#[test]
fn a_client_that_does_not_read_is_told_to_come_back() {
    let server = bare();
    let (mut slow, _) = connected(&server, "null");
    slow.say(r#"{"id":2,"subscribe":{"channel":"a"}}"#);
    slow.hear();
    let mut fast = server.open("/raw/a");
    let payload = "x".repeat(60_000);
    for _ in 0..400 {
        fast.say(&payload);
        assert_eq!(fast.hear().len(), payload.len());
    }
    let mut pushes = 0;
    let last = loop {
        match slow.receive() {
            (support::TEXT, _) => pushes += 1,
            (_, close) => break close,
        }
    };
    assert_eq!(last, [&3008_u16.to_be_bytes()[..], b"slow"].concat());
    assert!(pushes < 400, "{pushes}");
}

#[test]
fn an_answer_is_never_longer_than_what_may_wait() {
    let server = Server::start();
    let (mut client, _) = connected(&server, "null");
    let data = "x".repeat(60_000);
    for id in 2..42 {
        client.say(&format!(r#"{{"id":{id},"publish":{{"channel":"big","data":"{data}"}}}}"#));
        assert_eq!(client.hear(), format!(r#"{{"id":{id},"publish":{{}}}}"#));
    }
    client.say(r#"{"id":50,"history":{"channel":"big","limit":100}}"#);
    let page = client.hear();
    assert!(page.starts_with(r#"{"id":50,"history":{"publications":["#), "{}", &page[..200]);
    assert_eq!(page.matches(r#""offset":"#).count() - 1, 8, "as many as fit into half of 1 MiB");
    client.say(r#"{"id":51,"subscribe":{"channel":"big","recover":true}}"#);
    let answer = client.hear();
    assert!(answer.contains(r#""was_recovering":true"#) && !answer.contains("publications"), "{answer}");
    assert!(!answer.contains(r#""recovered":true"#), "{answer}");
}
