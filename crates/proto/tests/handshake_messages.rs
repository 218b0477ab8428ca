//! What people are told: every message names the thing, the value, the limit and the way out.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use antiphon_proto::Entropy;
use antiphon_proto::deflate::{ClientWindow, Offer};
use antiphon_proto::handshake::{
    ClientHandshake, ClientRequest, HeadLimits, OriginPolicy, Progress, Refusal, Request, ServerHandshake,
    ServerPolicy, WsUri,
};

struct Zeros;

impl Entropy for Zeros {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

fn request() -> ClientRequest {
    ClientRequest::new("ws://a/".parse().unwrap())
}

fn client() -> ClientHandshake {
    ClientHandshake::new(request(), &mut Zeros)
}

#[test]
fn of_what_a_caller_cannot_ask_for() {
    let window = Offer { client_max_window_bits: ClientWindow::AtMost(16), ..Offer::default() };
    for (error, expected) in [
        (request().header("a b", "c"), "header name \"a b\" is not a token: use letters, digits and hyphens"),
        (
            request().header("A", "b\r\nC: d"),
            "the value of header A has the control byte 0x0d: remove or encode it",
        ),
        (request().header("Host", "b"), "header Host is set by the handshake and cannot be added"),
        (
            request().origin("a\n"),
            "\"a\\n\" is not an origin: write scheme, host and port, as in https://example.com:8443",
        ),
        (
            request().subprotocol("a,b"),
            "subprotocol \"a,b\" is not a token: use letters, digits, hyphens and dots",
        ),
        (request().subprotocol("a").unwrap().subprotocol("a"), "subprotocol \"a\" is offered twice"),
        (request().deflate(window), "16 window bits cannot be offered: 8 to 15 can"),
    ] {
        assert_eq!(error.unwrap_err().to_string(), expected);
    }
    for (uri, expected) in [
        ("http://a/", "a WebSocket URI starts with ws:// or wss://, found \"http\""),
        ("ws://a/#b", "a WebSocket URI has no fragment: write %23 where # is meant (RFC 6455 §3)"),
        ("ws://b@a/", "a WebSocket URI has no user name: send an Authorization header (RFC 6455 §3)"),
        (
            "ws://a b/",
            "\"a b\" is not a host: write a name (non-ASCII ones in punycode), an IPv4 address, or an IPv6 address \
             in brackets",
        ),
        ("ws://a:b/", "\"b\" is not a port: write a number from 1 to 65535"),
        ("ws://a/b c", "the path or query has the byte 0x20: percent-encode it as %20"),
    ] {
        assert_eq!(uri.parse::<WsUri>().unwrap_err().to_string(), expected);
    }
    assert_eq!(
        OriginPolicy::listed(["null"]).unwrap_err().to_string(),
        "\"null\" is not an origin: write scheme, host and port, as in https://example.com:8443"
    );
}

#[test]
fn of_what_a_server_did() {
    let long = format!("HTTP/1.1 403 x\r\nContent-Length: 100\r\n\r\n{}", "y".repeat(100));
    for (response, expected) in [
        (
            "HTTP/1.1 302 x\r\nLocation: /else\r\nContent-Length: 3\r\n\r\nnot",
            "the server answered 302 instead of 101; it points to \"/else\"; it says \"not\"".to_owned(),
        ),
        (&long, format!("the server answered 403 instead of 101; it says \"{}\"...", "y".repeat(64))),
        (
            "HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n",
            "the server broke the handshake: A 101 has one Upgrade header, and it says `websocket`; found \"h2c\" \
             (RFC 6455 §4.1)"
                .to_owned(),
        ),
    ] {
        assert_eq!(client().receive(response.as_bytes()).unwrap_err().to_string(), expected);
    }
    assert_eq!(client().handle_eof().to_string(), "the server closed the connection without a response");
    assert_eq!(client().handle_timeout().to_string(), "the server's response did not come in time");
    let mut over = client();
    over.handle_eof();
    assert_eq!(over.handle_eof().to_string(), "this handshake has ended: start another");
}

fn refusal(head: &str) -> Refusal {
    let limits = HeadLimits { bytes: 1024, headers: 7, request_line: 32 };
    let policy = ServerPolicy { limits, ..ServerPolicy::default() };
    ServerHandshake::new(&policy).receive(head.as_bytes()).unwrap_err()
}

#[test]
fn of_what_a_client_did() {
    for (head, expected) in [
        (
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            "400 Bad Request: A request has a Host header (RFC 9112 §3.2).",
        ),
        (
            "GET /\x01".to_owned(),
            "400 Bad Request: A head has no control bytes other than CR LF and tabs in values; found byte 0x01 at \
             offset 5 (RFC 9110 §5.5).",
        ),
        (
            format!("GET /{} HTTP/1.1\r\n", "a".repeat(32)),
            "414 URI Too Long: The request line is longer than this server reads; the limit is 32 \
             (RFC 9110 §15.5.15).",
        ),
        (
            format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(8)),
            "431 Request Header Fields Too Large: The head has more header lines than this end reads: send fewer; \
             the limit is 7 (RFC 6585 §5).",
        ),
        (
            "GET / HTTP/3.0\r\n".to_owned(),
            "505 HTTP Version Not Supported: The version in an HTTP/1 head is HTTP/1.0 or HTTP/1.1; found \
             \"HTTP/3.0\" (RFC 9110 §15.6.6).",
        ),
    ] {
        assert_eq!(refusal(&head).to_string(), expected);
    }
}

#[test]
fn of_an_application() {
    let client = client();
    let policy = ServerPolicy::default();
    let mut server = ServerHandshake::new(&policy);
    let Ok(Progress::Complete { value: request, .. }) = server.receive(client.request_bytes()) else {
        panic!("the request is valid");
    };
    let refuse = |request: &Request, status| request.refuse(status, "Not on Sundays.").to_string();
    for (status, phrase) in [
        (301, "Moved Permanently"),
        (302, "Found"),
        (303, "See Other"),
        (307, "Temporary Redirect"),
        (308, "Permanent Redirect"),
        (401, "Unauthorized"),
        (404, "Not Found"),
        (409, "Conflict"),
        (410, "Gone"),
        (429, "Too Many Requests"),
        (500, "Internal Server Error"),
        (501, "Not Implemented"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (504, "Gateway Timeout"),
    ] {
        assert_eq!(refuse(&request, status), format!("{status} {phrase}: Not on Sundays."));
        assert_eq!(
            request.opening().refuse(status, "Not on Sundays."),
            request.refuse(status, "Not on Sundays.")
        );
    }
}
