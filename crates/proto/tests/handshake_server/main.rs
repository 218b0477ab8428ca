//! The server's side: RFC 6455 §4.2, by the number of the rule.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod negotiation;
mod request;
mod response;

use antiphon_proto::handshake::{
    Acceptance, Accepted, FieldError, OriginPolicy, Progress, Refusal, Request, Rule, ServerHandshake,
    ServerPolicy,
};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
/// The headers of a handshake, each to be left out or replaced by its place.
const HEADERS: [&str; 5] =
    ["Host: example.com", "Upgrade: websocket", "Connection: Upgrade", KEY, "Sec-WebSocket-Version: 13"];

fn receive_with(policy: &ServerPolicy, head: &[u8]) -> Result<Request, Refusal> {
    match ServerHandshake::new(policy).receive(head)? {
        Progress::Complete { value, used } => {
            assert_eq!(used, head.len());
            Ok(value)
        }
        Progress::Incomplete => panic!("not whole: {}", head.escape_ascii()),
    }
}

fn receive(line: &str, headers: &[&str]) -> Result<Request, Refusal> {
    let head = format!("{line}\r\n{}\r\n\r\n", headers.join("\r\n"));
    receive_with(&ServerPolicy::default(), head.as_bytes())
}

/// A handshake with one of the five headers replaced by any number of others.
fn with(place: usize, lines: &[&str]) -> Result<Request, Refusal> {
    let mut headers = HEADERS.to_vec();
    headers.splice(place..=place, lines.iter().copied());
    receive("GET /chat HTTP/1.1", &headers)
}

/// A handshake with more headers.
fn and(lines: &[&str]) -> Result<Request, Refusal> {
    receive("GET /chat HTTP/1.1", &[&HEADERS, lines].concat())
}

fn rule(result: Result<Request, Refusal>) -> Option<Rule> {
    result.err().map(|refusal| refusal.rule())
}

fn refused(result: Result<Request, Refusal>) -> (Rule, u16) {
    let refusal = result.unwrap_err();
    (refusal.rule(), refusal.status())
}

fn response(request: &Request, acceptance: &Acceptance<'_>) -> String {
    String::from_utf8(request.accept(acceptance).unwrap().response).unwrap()
}
