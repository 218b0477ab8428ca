//! A server with the channels that the tests need, and what is told it from outside.

use std::cell::RefCell;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

use crate::http::{Answer, Http};
use crate::support::{Server, antiphon};

const SECRET: &str = "a secret of the tests";

/// Channels without a namespace can do everything. Those of `bare` keep nothing and tell of nobody, those of `few` keep two
/// publications; `shut` lets nobody in.
const CONFIG: &str = r#"
[client]
allow_anonymous_connect_without_token = true
ping_interval = "1h"
[client.token]
hmac_secret_key = "a secret of the tests"
[http_api]
insecure = true
[prometheus]
enabled = true
[channel.without_namespace]
presence = true
join_leave = true
history_size = 1000
history_ttl = "1h"
allow_positioning = true
allow_recovery = true
allowed_delta_types = ["fossil"]
delta_publish = true
allow_subscribe_for_client = true
allow_subscribe_for_anonymous = true
allow_publish_for_client = true
allow_publish_for_anonymous = true
allow_presence_for_client = true
allow_presence_for_anonymous = true
allow_history_for_client = true
allow_history_for_anonymous = true
[[channel.namespaces]]
name = "bare"
allow_subscribe_for_client = true
allow_subscribe_for_anonymous = true
allow_publish_for_client = true
allow_publish_for_anonymous = true
[[channel.namespaces]]
name = "few"
history_size = 2
history_ttl = "1h"
allow_positioning = true
allow_recovery = true
allow_subscribe_for_client = true
allow_subscribe_for_anonymous = true
[[channel.namespaces]]
name = "shut"
"#;

/// A running server.
pub(crate) struct Rig {
    pub(crate) server: Server,
    api: RefCell<Http>,
}

impl Rig {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With settings from the environment, each without `ANTIPHON_`.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        Self::with_workers("2", settings)
    }

    pub(crate) fn with_workers(workers: &str, settings: &[(&str, &str)]) -> Self {
        let path = format!("{}/transports-{}.toml", env!("CARGO_TARGET_TMPDIR"), std::process::id());
        fs::write(&path, CONFIG).unwrap();
        let mut command = antiphon();
        command.args(["serve", "--listen", "127.0.0.1:0", "--workers", workers, "--config", &path]);
        command.envs(settings.iter().map(|(name, value)| (format!("ANTIPHON_{name}"), *value)));
        let server = Server::spawn(&mut command);
        fs::remove_file(&path).unwrap();
        let api = RefCell::new(Http::connect(server.port));
        Self { server, api }
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.port
    }

    /// What a call to the server API gives.
    pub(crate) fn api(&self, method: &str, request: Value) -> Value {
        let body = request.to_string();
        let path = format!("/api/{method}");
        let mut answer = self.api.borrow_mut().ask("POST", &path, &[], body.as_bytes()).json();
        assert_eq!(answer.get("error"), None, "{method} {request}");
        answer["result"].take()
    }

    pub(crate) fn publish(&self, channel: &str, data: Value) {
        self.api("publish", json!({ "channel": channel, "data": data }));
    }

    /// Publishes data as it is written.
    pub(crate) fn publish_text(&self, channel: &str, data: &str) {
        let body = format!("{{\"channel\":\"{channel}\",\"data\":{data}}}");
        let answer = self.api.borrow_mut().ask("POST", "/api/publish", &[], body.as_bytes());
        assert_eq!(answer.json().get("error"), None, "{data}");
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        Http::once(self.port(), "POST", path, &[], body.to_string().as_bytes())
    }

    /// The number of a line of /metrics.
    pub(crate) fn metric(&self, line: &str) -> u64 {
        let page = Http::once(self.port(), "GET", "/metrics", &[], b"").text();
        let found = page.lines().find_map(|text| text.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("{line} in {page}"))
    }

    /// Waits until a line of /metrics has a number.
    pub(crate) fn await_metric(&self, line: &str, number: u64) {
        for _ in 0..400 {
            if self.metric(line) == number {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        panic!("{line} is {} and not {number}", self.metric(line));
    }
}

/// A token for a user with more claims, such as `exp`.
pub(crate) fn token(user: &str, more: Value) -> String {
    let mut claims = more;
    claims["sub"] = user.into();
    let encoded = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encoded(json!({ "alg": "HS256", "typ": "JWT" })), encoded(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
