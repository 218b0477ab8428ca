//! What stands in the log, and what must not.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use antiphon_hub::auth::{TokenOptions, sign};
use serde_json::{Value, json};
use support::{CLOSE, Server, Socket, antiphon};

/// A server with a configuration of its own, whose log lines go to a file.
struct Logging {
    server: Server,
    directory: PathBuf,
}

impl Logging {
    fn start(name: &str, config: &str, filter: Option<&str>) -> Self {
        let directory = std::env::temp_dir().join(format!("antiphon-logs-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("antiphon.toml");
        fs::write(&path, config).unwrap();
        let log = File::create(directory.join("log")).unwrap();
        let mut command = antiphon();
        command.args(["serve", "--listen", "127.0.0.1:0", "--workers", "1", "--config"]).arg(path);
        if let Some(filter) = filter {
            command.args(["--log", filter]);
        }
        Self { server: Server::spawn_logging(&mut command, log.into()), directory }
    }

    fn config(&self) -> PathBuf {
        self.directory.join("antiphon.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap()
    }

    /// What there is as soon as `text` is in it.
    fn until(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let all = self.text();
            if all.contains(text) {
                return all;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "{text:?} is not in {all}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What there is when the server has ended.
    fn end(mut self) -> String {
        self.server.terminate();
        self.server.ended();
        self.text()
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn token(secret: &str, claims: &Value) -> String {
    sign(&TokenOptions { hmac_secret_key: secret.into(), ..TokenOptions::default() }, claims).unwrap()
}

/// Reads until the Close frame.
fn closed(socket: &mut Socket) -> u16 {
    loop {
        if let (CLOSE, payload) = socket.receive() {
            return u16::from_be_bytes([payload[0], payload[1]]);
        }
    }
}

const CLIENTS: &str = r#"
[client.token]
hmac_secret_key = "key"
[channel.without_namespace]
allow_subscribe_for_client = true
[log]
level = "error"
format = "json"
"#;

#[test]
fn lines_about_a_client_have_its_id_user_and_address() {
    let logging = Logging::start("fields", CLIENTS, Some("debug"));
    let server = &logging.server;
    let mut ada = server.open("/connection/websocket");
    let token = token("key", &json!({"sub": "ada\n\"x\""}));
    ada.say(&format!(r#"{{"id":1,"connect":{{"token":"{token}"}}}}"#));
    let client = ada.hear().split('"').nth(7).unwrap().to_owned();
    for id in [2, 3] {
        ada.say(&format!(r#"{{"id":{id},"subscribe":{{"channel":"news"}}}}"#));
        ada.hear();
    }
    ada.say("nonsense");
    assert_eq!(closed(&mut ada), 3501);
    drop(ada);
    let mut bob = server.open("/connection/websocket");
    bob.say(r#"{"id":1,"connect":{"token":"a.b.c"}}"#);
    assert_eq!(closed(&mut bob), 3500);
    drop(bob);
    drop(server.open("/connection/websocket"));
    server.request("GET /connection/websocket HTTP/1.1\r\nHost: localhost\r\n\r\n").head();
    logging.until("connection closed");

    let mut about_ada = Vec::new();
    let mut others = Vec::new();
    for line in logging.end().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        let text = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("{line} has no {key}")).to_owned();
        assert!(text("ts").ends_with('Z') && text("target").starts_with("antiphon"), "{line}");
        if line["client"].is_null() {
            if !line["remote"].is_null() {
                assert_eq!((&*text("level"), &*text("remote")), ("info", "127.0.0.1"), "{line}");
                others.push(text("msg"));
            }
            continue;
        }
        assert_eq!(line["remote"], "127.0.0.1", "{line}");
        let said = (text("level"), text("msg"), line["code"].as_u64());
        if line["client"] == *client {
            assert_eq!(line["user"], "ada\n\"x\"", "{line}");
            about_ada.push(said);
        } else {
            assert_eq!(line["user"], Value::Null, "{line}");
            others.push(said.1);
        }
    }
    let said = |level: &str, msg: &str, code| (level.to_owned(), msg.to_owned(), code);
    let expected = [
        said("debug", "a client connected", None),
        said("debug", "a client subscribed", None),
        said("debug", "a command was refused: already subscribed", Some(105)),
        said("info", "a connection ended: bad request", Some(3501)),
        said("debug", "a client unsubscribed: client disconnected", Some(1)),
    ];
    assert_eq!(about_ada, expected);
    let expected = [
        "a connection's token is not valid",
        "a connection ended: invalid token",
        "a connection ended: connection closed",
        "a request was refused",
    ];
    others.sort_by_key(|msg| expected.iter().position(|known| known == msg));
    assert_eq!(others, expected);
}

#[test]
fn the_flag_wins_over_the_file() {
    for (filter, is_logged) in [(None, false), (Some("info"), true)] {
        let logging = Logging::start("level", CLIENTS, filter);
        assert_eq!(logging.end().contains("SIGTERM"), is_logged, "{filter:?}");
    }
}

/// Each value that nobody may see has this in it.
const MARK: &str = "s3cr3t";

const SECRETS: &str = r#"
[client]
allow_anonymous_connect_without_token = true
[client.token]
hmac_secret_key = "s3cr3t-hmac"
[client.proxy.connect]
enabled = true
endpoint = "http://127.0.0.1:1/connect?key=s3cr3t-query"
http_headers = ["Cookie", "Authorization"]
http.static_headers = {X-Key = "s3cr3t-static"}
[channel.without_namespace]
allow_subscribe_for_client = true
allow_publish_for_client = true
allow_publish_for_anonymous = true
[rpc.proxy]
endpoint = "http://127.0.0.1:1/rpc?key=s3cr3t-query"
[rpc.without_namespace]
proxy_enabled = true
[events]
endpoint = "http://127.0.0.1:1/events?key=s3cr3t-query"
secret = "s3cr3t-events"
batch_delay = "1ms"
[http_api]
key = "s3cr3t-api"
[shutdown]
drain_timeout = "200ms"
drain_window = "100ms"
"#;

#[test]
fn no_secret_is_logged_at_any_level() {
    let logging = Logging::start("secrets", SECRETS, Some("trace"));
    let server = &logging.server;
    let good = token(
        "s3cr3t-hmac",
        &json!({"sub": "ada", "meta": {"m": "s3cr3t-meta"}, "info": {"i": "s3cr3t-info"}}),
    );
    let tokens = [
        good.clone(),
        token("another", &json!({"sub": "ada"})),
        token("s3cr3t-hmac", &json!({"sub": "ada", "exp": 1})),
        token("s3cr3t-hmac", &json!({"sub": "ada", "exp": "s3cr3t-claim"})),
        "s3cr3t-garbage".into(),
        "s3cr3t.a.b".into(),
        String::new(),
    ];
    for token in &tokens {
        let headers = "Cookie: s=s3cr3t-cookie\r\nAuthorization: Bearer s3cr3t-bearer\r\n";
        let mut socket =
            server.request(&support::handshake("/connection/websocket?token=s3cr3t-path", headers));
        assert!(socket.head().starts_with("HTTP/1.1 101 "));
        socket.say(&format!(
            r#"{{"id":1,"connect":{{"token":"{token}","data":{{"d":"s3cr3t-data"}},"headers":{{"h":"s3cr3t-emulated"}}}}}}"#
        ));
        let (opcode, reply) = socket.receive();
        let is_connected = String::from_utf8_lossy(&reply).contains(r#""client":"#);
        assert_eq!(is_connected, *token == good, "{token}");
        if opcode == CLOSE || !is_connected {
            continue;
        }
        for (id, command) in [
            r#""subscribe":{"channel":"news","data":"s3cr3t-data"}"#,
            r#""subscribe":{"channel":"other","token":"s3cr3t-token"}"#,
            r#""publish":{"channel":"news","data":"s3cr3t-data"}"#,
            r#""rpc":{"method":"m","data":"s3cr3t-data"}"#,
            r#""refresh":{"token":"s3cr3t-token"}"#,
        ]
        .iter()
        .enumerate()
        {
            socket.say(&format!(r#"{{"id":{},{command}}}"#, id + 2));
            while !String::from_utf8_lossy(&socket.receive().1).contains(&format!(r#"{{"id":{}"#, id + 2))
                && !command.contains("refresh")
            {}
        }
    }
    for key in ["s3cr3t-api", "s3cr3t-wrong"] {
        let body = r#"{"channel":"news","data":"s3cr3t-data","token":5}"#;
        let (length, head) = (body.len(), "Host: localhost\r\nConnection: close");
        let post = format!("POST /api/publish?key=s3cr3t-query HTTP/1.1\r\n{head}\r\nX-API-Key: {key}\r\n");
        server.request(&format!("{post}Content-Length: {length}\r\n\r\n{body}")).rest();
        server.request(&format!("{post}Content-Length: s3cr3t\r\n\r\n")).rest();
    }
    // Events cannot be delivered, and the settings cannot be read again.
    logging.until("events cannot be delivered");
    for (number, broken) in
        ["hmac_secret_key = [\"s3cr3t-hmac\"]", "hmac_secret_key = s3cr3t-bare"].iter().enumerate()
    {
        fs::write(logging.config(), SECRETS.replace("hmac_secret_key = \"s3cr3t-hmac\"", broken)).unwrap();
        server.signal("-HUP");
        let start = Instant::now();
        while logging.text().matches("the settings stay as they were").count() <= number {
            assert!(start.elapsed() < Duration::from_secs(10), "{}", logging.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let text = logging.end();
    for expected in [
        "a client connected",
        "token is not valid",
        "the application's answer is of no use",
        "the server API refused a request",
        "events cannot be delivered",
        "hmac_secret_key has a value of a wrong type",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
    let parts = tokens.iter().flat_map(|token| token.split('.')).filter(|part| part.len() > 8);
    for secret in parts.chain([MARK]) {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
