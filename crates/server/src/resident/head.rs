//! The heads of responses that are written here and not by hyper.

use std::io::Write as _;

use hyper::StatusCode;
use hyper::header::HeaderMap;

/// What of a request matters for its response.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// The client reads chunks (RFC 9112 §7.1): it speaks HTTP/1.1.
    pub(crate) is_chunkable: bool,
    /// The connection may serve another request (RFC 9112 §9.3).
    pub(crate) keeps_alive: bool,
    /// What every response on this endpoint says: who may read it.
    pub(crate) headers: HeaderMap,
}

/// The head of a response without end. A proxy is asked not to gather it, and not to change it.
pub(super) fn stream(out: &mut Vec<u8>, reply: &Reply, content_type: &str) {
    begin(out, StatusCode::OK, reply, content_type);
    // nginx gathers what it passes on, unless it is told not to.
    out.extend_from_slice(b"x-accel-buffering: no\r\nconnection: close\r\n");
    if reply.is_chunkable {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// A whole response. One without a body has no length (RFC 9110 §8.6).
pub(super) fn whole(status: StatusCode, reply: &Reply, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + body.len());
    begin(&mut out, status, reply, "application/json");
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

fn begin(out: &mut Vec<u8>, status: StatusCode, reply: &Reply, content_type: &str) {
    let reason = status.canonical_reason().unwrap_or_default();
    let date = httpdate::HttpDate::from(std::time::SystemTime::now());
    let _ = write!(
        out,
        "HTTP/1.1 {} {reason}\r\ndate: {date}\r\ncontent-type: {content_type}\r\n\
         cache-control: no-store, no-transform\r\nx-content-type-options: nosniff\r\n",
        status.as_u16()
    );
    for (name, value) in &reply.headers {
        let _ = write!(out, "{name}: ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue};

    use super::*;

    #[test]
    fn a_whole_response_says_its_length() {
        let mut reply = Reply { keeps_alive: true, ..Reply::default() };
        reply.headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://a.b"));
        let text = String::from_utf8(whole(StatusCode::CONFLICT, &reply, b"{}")).unwrap();
        assert!(text.starts_with("HTTP/1.1 409 Conflict\r\ndate: "), "{text}");
        for line in
            ["connection: keep-alive", "content-length: 2", "access-control-allow-origin: https://a.b"]
        {
            assert!(text.contains(&format!("\r\n{line}\r\n")), "{line} in {text}");
        }
        assert!(text.ends_with("\r\n\r\n{}"), "{text}");
        let text = String::from_utf8(whole(StatusCode::NO_CONTENT, &Reply::default(), b"")).unwrap();
        assert!(text.contains("connection: close") && !text.contains("content-length"), "{text}");
    }
}
