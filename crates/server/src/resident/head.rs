//! The heads of responses that are written here and not by hyper.

use std::io::Write as _;

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::oneshot;

/// What of a request matters for its response.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// The connection may serve another request (RFC 9112 §9.3).
    pub(crate) keeps_alive: bool,
    /// What every response on this endpoint says: who may read it.
    pub(crate) headers: HeaderMap,
    /// Whoever writes the head, where it is not written with the body.
    pub(crate) head: Option<oneshot::Sender<Head>>,
}

/// A head that somebody else writes: one of HTTP/2.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) headers: HeaderMap,
}

/// The head of a response without end. A proxy is asked not to gather it, and not to change it.
pub(super) fn stream(out: &mut Vec<u8>, reply: &mut Reply, content_type: &'static str) {
    if reply.hand_over(StatusCode::OK, content_type) {
        return;
    }
    begin(out, StatusCode::OK, reply, content_type);
    out.extend_from_slice(b"connection: close\r\n\r\n");
}

/// A whole response. One without a body has no length (RFC 9110 §8.6).
pub(super) fn whole(
    status: StatusCode,
    reply: &mut Reply,
    content_type: &'static str,
    body: &[u8],
) -> Vec<u8> {
    if reply.hand_over(status, content_type) {
        return body.to_vec();
    }
    let mut out = Vec::with_capacity(256 + body.len());
    begin(&mut out, status, reply, content_type);
    let connection = if reply.keeps_alive { "keep-alive" } else { "close" };
    // A vector takes what is written to it.
    let _ = write!(out, "connection: {connection}\r\n");
    if status != StatusCode::NO_CONTENT {
        let _ = write!(out, "content-length: {}\r\n", body.len());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

impl Reply {
    /// Lets somebody else write the head, where that is so.
    fn hand_over(&mut self, status: StatusCode, content_type: &'static str) -> bool {
        let Some(head) = self.head.take() else { return false };
        let mut headers = std::mem::take(&mut self.headers);
        for (name, value) in SAID {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        // Whoever asked may have gone.
        let _ = head.send(Head { status, content_type, headers });
        true
    }
}

/// What all of these responses say. nginx gathers what it passes on, unless it is told not to.
const SAID: [(&str, &str); 3] = [
    ("cache-control", "no-store, no-transform"),
    ("x-content-type-options", "nosniff"),
    ("x-accel-buffering", "no"),
];

fn begin(out: &mut Vec<u8>, status: StatusCode, reply: &Reply, content_type: &str) {
    let reason = status.canonical_reason().unwrap_or_default();
    let date = httpdate::HttpDate::from(std::time::SystemTime::now());
    let status = status.as_u16();
    let _ = write!(out, "HTTP/1.1 {status} {reason}\r\ndate: {date}\r\ncontent-type: {content_type}\r\n");
    for (name, value) in SAID {
        let _ = write!(out, "{name}: {value}\r\n");
    }
    for (name, value) in &reply.headers {
        let _ = write!(out, "{name}: ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::ACCESS_CONTROL_ALLOW_ORIGIN;

    use super::*;

    #[test]
    fn a_whole_response_says_its_length() {
        let mut reply = Reply { keeps_alive: true, ..Reply::default() };
        reply.headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://a.b"));
        let text = String::from_utf8(whole(StatusCode::CONFLICT, &mut reply, "text/plain", b"{}")).unwrap();
        assert!(text.starts_with("HTTP/1.1 409 Conflict\r\ndate: "), "{text}");
        for line in
            ["connection: keep-alive", "content-length: 2", "access-control-allow-origin: https://a.b"]
        {
            assert!(text.contains(&format!("\r\n{line}\r\n")), "{line} in {text}");
        }
        assert!(text.ends_with("\r\n\r\n{}"), "{text}");
        let text = String::from_utf8(whole(StatusCode::NO_CONTENT, &mut Reply::default(), "text/plain", b""))
            .unwrap();
        assert!(text.contains("connection: close") && !text.contains("content-length"), "{text}");
    }
}
