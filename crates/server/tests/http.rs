//! Requests and their answers.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use support::{Server, handshake};

/// The status of the answer to a request, and all of the answer.
fn answer(server: &Server, request: &str) -> (u16, String) {
    let mut socket = server.request(request);
    socket.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = socket.rest();
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{request:?}: {answer:?}")), answer)
}

#[test]
fn every_route_has_its_answer() {
    let server = Server::start();
    for (line, status) in [
        ("GET /", 200),
        ("HEAD /", 200),
        ("GET /plain.html", 200),
        ("GET /health", 200),
        ("GET /ready", 200),
        ("GET /nope", 404),
        ("GET /../Cargo.toml", 404),
        ("GET /raw/a/b", 404),
        ("POST /health", 405),
        ("DELETE /echo", 405),
        ("GET /echo", 426),
        ("GET /raw/a", 426),
        ("GET /connection/websocket", 426),
    ] {
        let (got, text) = answer(&server, &format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_eq!(got, status, "{line}: {text}");
    }
}

#[test]
fn a_bad_head_is_told_what_is_wrong_with_it() {
    let server = Server::start();
    let long = "x".repeat(20_000);
    let many = "A: b\r\n".repeat(101);
    for (request, status, says) in [
        ("GET / HTTP/1.1\r\n\r\n".into(), 400, "Host"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".into(), 400, "Host"),
        ("GET / HTTP/1.1\nHost: localhost\n\n".into(), 400, ""),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nA : b\r\n\r\n".into(), 400, ""),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n folded: b\r\n\r\n".into(), 400, ""),
        ("\0GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), 400, ""),
        ("GET / HTTP/2.7\r\nHost: localhost\r\n\r\n".into(), 505, ""),
        (format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"), 414, ""),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\nA: {long}\r\n\r\n"), 431, "16384"),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"), 431, "100"),
        ("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".into(), 403, "example.com"),
    ] {
        let (got, text) = answer(&server, &request);
        let start: String = request.chars().take(80).collect();
        assert_eq!(got, status, "{start:?}: {text}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.to_ascii_lowercase().contains("connection: close"), "{head}");
        assert!(body.len() > 10 && body.contains(says), "{start:?}: {body:?}");
    }
}

#[test]
fn a_bad_handshake_is_refused_by_the_same_router() {
    let server = Server::start();
    let without = |line: &str| handshake("/echo", "").replace(line, "");
    for (request, status) in [
        (handshake("/nope", ""), 404),
        (handshake("/echo", "").replace("GET", "PUT"), 405),
        (handshake("/echo", "").replace(": 13", ": 8"), 426),
        (handshake("/echo", "").replace("jZQ==", "jZQ="), 400),
        (without("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400),
        (without("Upgrade: websocket\r\n"), 426),
        (handshake("/echo", "Content-Length: 1\r\n"), 400),
        (handshake("/echo", "Origin: http://localhost\r\n"), 101),
        (handshake("/echo", "Origin: https://localhost\r\n"), 101),
        (handshake("/echo", "Origin: http://localhost.evil.example\r\n"), 403),
        (handshake("/echo", "Origin: http://evil.example\r\n"), 403),
        (handshake("/echo", "Origin: null\r\n"), 403),
        (handshake("/echo", "").replace("localhost", "evil.example"), 403),
        (handshake("/raw/", ""), 400),
        (handshake("/raw/%ff", ""), 400),
        (handshake(&format!("/raw/{}", "x".repeat(256)), ""), 400),
        (handshake("/connection/websocket", "Sec-WebSocket-Protocol: centrifuge-json\r\n"), 101),
        (handshake("/connection/websocket", "Sec-WebSocket-Protocol: centrifuge-protobuf\r\n"), 101),
        (handshake("/connection/websocket", "Sec-WebSocket-Protocol: mqtt\r\n"), 400),
    ] {
        let got: u16 = server.request(&request).head()[9..12].parse().unwrap();
        assert_eq!(got, status, "{request}");
    }
}

#[test]
fn requests_follow_each_other_and_then_an_upgrade() {
    let server = Server::start();
    let mut socket = server.request("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for _ in 0..2 {
        assert!(socket.head().starts_with("HTTP/1.1 200 "));
        assert_eq!(body(&mut socket, 3), "ok\n");
        std::io::Write::write_all(&mut socket.stream, handshake("/health", "").as_bytes()).unwrap();
    }
    assert!(socket.head().starts_with("HTTP/1.1 200 "), "/health knows no upgrade and goes on in HTTP");
    assert_eq!(body(&mut socket, 3), "ok\n");
    std::io::Write::write_all(&mut socket.stream, handshake("/echo", "").as_bytes()).unwrap();
    assert!(socket.head().starts_with("HTTP/1.1 101 "));
    socket.say("hi");
    assert_eq!(socket.hear(), "hi");
}

fn body(socket: &mut support::Socket, length: usize) -> String {
    let mut body = vec![0; length];
    std::io::Read::read_exact(&mut socket.stream, &mut body).unwrap();
    String::from_utf8(body).unwrap()
}
