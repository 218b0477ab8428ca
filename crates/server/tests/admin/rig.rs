//! A server whose inspector is on, and requests to it.

use std::fs;

use serde_json::Value;

use crate::support::{Server, antiphon};

pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const TOKEN: &str = "a-token-for-scripts";

/// A response over HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header; empty where it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
            .unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The name and the value of the cookie that it sets.
    pub(crate) fn cookie(&self) -> String {
        let cookie = self.header("set-cookie");
        cookie
            .split(';')
            .next()
            .filter(|pair| !pair.is_empty())
            .unwrap_or_else(|| panic!("{self:?}"))
            .to_owned()
    }
}

/// A file in the tests' folder, with this in it.
pub(crate) fn file(name: &str, text: &str) -> String {
    let path = format!("{}/admin-{name}", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&path, text).unwrap();
    path
}

/// A server with a password and a token, and more settings, under a name of the test's own.
pub(crate) fn server(name: &str, more: &str) -> Server {
    let config = file(
        &format!("{name}.toml"),
        &format!("[admin]\nenabled = true\npassword = \"{PASSWORD}\"\ntoken = \"{TOKEN}\"\n{more}"),
    );
    Server::with(&["--config", &config, "--workers", "2"])
}

/// A server in development mode that everybody may do everything on, who shows the token to the inspector.
pub(crate) fn open_server() -> Server {
    let mut command = antiphon();
    command.env("ANTIPHON_ADMIN__TOKEN", TOKEN).env("ANTIPHON_ADMIN__PASSWORD", PASSWORD);
    Server::spawn(command.args(["serve", "--listen", "127.0.0.1:0", "--workers", "2"]))
}

/// Asks with header lines, each with its line break.
pub(crate) fn ask(server: &Server, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{length}{headers}\r\n{body}"
    );
    let response = server.request(&request).rest();
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{response:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("{head}")),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Asks as a script does.
pub(crate) fn get(server: &Server, path: &str) -> Answer {
    ask(server, "GET", &format!("/admin/api/{path}"), &bearer(TOKEN), "")
}

/// What a script is told.
pub(crate) fn told(server: &Server, path: &str) -> Value {
    let answer = get(server, path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

pub(crate) fn log_in(server: &Server, body: &str) -> Answer {
    ask(server, "POST", "/admin/login", "Content-Type: application/json\r\n", body)
}

/// A cookie of a session, as a header line.
pub(crate) fn session(server: &Server) -> String {
    let answer = log_in(server, &format!("{{\"password\": \"{PASSWORD}\"}}"));
    assert_eq!(answer.status, 204, "{answer:?}");
    format!("Cookie: {}\r\n", answer.cookie())
}

/// The word for programs in an error.
pub(crate) fn code(answer: &Answer) -> String {
    let error = answer.json();
    assert!(
        error["error"]["message"].as_str().is_some_and(|message| message.ends_with(['.', '>'])),
        "{answer:?}"
    );
    error["error"]["code"].as_str().unwrap().to_owned()
}
