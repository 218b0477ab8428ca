//! The client's side: RFC 6455 §4.1, by the number of the rule.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use antiphon_proto::Entropy;
use antiphon_proto::deflate::{ClientWindow, Offer};
use antiphon_proto::handshake::{
    ClientError, ClientHandshake, ClientRequest, HeadLimits, Progress, RequestError, Response, Rule,
    UriError, WsUri,
};

/// The nonce of the RFC's example (§1.3), then ever another.
struct Nonces(u8);

impl Entropy for Nonces {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.copy_from_slice(b"the sample nonce");
        bytes[0] = bytes[0].wrapping_add(self.0);
        self.0 = self.0.wrapping_add(1);
    }
}

const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const HEADERS: [&str; 3] = ["Upgrade: websocket", "Connection: Upgrade", ACCEPT];

fn request() -> ClientRequest {
    ClientRequest::new("ws://example.com/chat".parse().unwrap())
}

fn handshake(request: ClientRequest) -> ClientHandshake {
    ClientHandshake::new(request, &mut Nonces(0))
}

fn sent(request: ClientRequest) -> String {
    String::from_utf8(handshake(request).request_bytes().to_vec()).unwrap()
}

fn receive(request: ClientRequest, line: &str, headers: &[&str]) -> Result<Response, ClientError> {
    let head = format!("{line}\r\n{}\r\n\r\n", headers.join("\r\n"));
    match handshake(request).receive(head.as_bytes())? {
        Progress::Complete { value, used } => {
            assert_eq!(used, head.len());
            Ok(value)
        }
        Progress::Incomplete => panic!("not whole: {head}"),
    }
}

/// A 101 with one of the three headers replaced by any number of others.
fn with(place: usize, lines: &[&str]) -> Result<Response, ClientError> {
    let mut headers = HEADERS.to_vec();
    headers.splice(place..=place, lines.iter().copied());
    receive(request(), "HTTP/1.1 101 Switching Protocols", &headers)
}

/// A 101 with more headers.
fn and(request: ClientRequest, lines: &[&str]) -> Result<Response, ClientError> {
    receive(request, "HTTP/1.1 101 Switching Protocols", &[&HEADERS, lines].concat())
}

fn rule(result: Result<Response, ClientError>) -> Option<Rule> {
    match result {
        Ok(_) => None,
        Err(ClientError::Violation(violation)) => Some(violation.rule()),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn b21_addresses() {
    for (text, tls, host, port, resource, authority) in [
        ("ws://a", false, "a", 80, "/", "a"),
        ("WSS://A.example/", true, "A.example", 443, "/", "A.example"),
        ("ws://a:80/b", false, "a", 80, "/b", "a"),
        ("ws://a:443/b", false, "a", 443, "/b", "a:443"),
        ("wss://a:80?c=d", true, "a", 80, "/?c=d", "a:80"),
        ("wss://a:/b?", true, "a", 443, "/b?", "a"),
        ("ws://[::1]:8000/", false, "::1", 8000, "/", "[::1]:8000"),
        ("wss://[2001:db8::1]", true, "2001:db8::1", 443, "/", "[2001:db8::1]"),
        ("ws://127.0.0.1:65535//x", false, "127.0.0.1", 65535, "//x", "127.0.0.1:65535"),
        ("ws://a/b@c:d", false, "a", 80, "/b@c:d", "a"),
    ] {
        let uri: WsUri = text.parse().unwrap();
        let parts = (uri.is_tls(), uri.host(), uri.port(), uri.resource());
        assert_eq!((parts, uri.authority().as_str()), ((tls, host, port, resource), authority), "{text}");
        assert_eq!(uri.to_string().parse::<WsUri>().unwrap(), uri);
        assert_eq!(WsUri::new(tls, host, port, resource).unwrap(), uri);
    }
    for (text, expected) in [
        ("", UriError::Scheme("\"\"".into())),
        ("http://a/", UriError::Scheme("\"http\"".into())),
        ("wsss://a/", UriError::Scheme("\"wsss\"".into())),
        ("a/b", UriError::Scheme("\"a/b\"".into())),
        ("ws:/a", UriError::Scheme("\"ws:/a\"".into())),
        ("ws://a/#b", UriError::Fragment),
        ("ws://a#", UriError::Fragment),
        ("ws://u:p@a/", UriError::UserInfo),
        ("ws://good\\@evil/", UriError::UserInfo),
        ("ws:///b", UriError::Host("\"\"".into())),
        ("ws://:80/b", UriError::Host("\"\"".into())),
        ("ws://a b/", UriError::Host("\"a b\"".into())),
        ("ws://a\r\nb/", UriError::Host("\"a\\r\\nb\"".into())),
        ("ws://\u{e9}/", UriError::Host("\"\\xc3\\xa9\"".into())),
        ("ws://[::1/", UriError::Host("\"[::1\"".into())),
        ("ws://[::1]x/", UriError::Host("\"[::1]x\"".into())),
        ("ws://[a]/", UriError::Host("\"a\"".into())),
        ("ws://a:0/", UriError::Port("\"0\"".into())),
        ("ws://a:65536/", UriError::Port("\"65536\"".into())),
        ("ws://a:+1/", UriError::Port("\"+1\"".into())),
        ("ws://a:b/", UriError::Port("\"b\"".into())),
        ("ws://a/b c", UriError::Resource(b' ')),
        ("ws://a/\r\nHost: b", UriError::Resource(b'\r')),
        ("ws://a/\u{e9}", UriError::Resource(0xc3)),
    ] {
        assert_eq!(text.parse::<WsUri>().unwrap_err(), expected, "{text:?}");
        assert!(!expected.to_string().contains(['\r', '\n']));
    }
    assert!(WsUri::new(false, "a:b", 80, "/").is_err());
    assert!(WsUri::new(false, "a", 0, "/").is_err());
}

#[test]
fn b22_the_request_as_it_is_written() {
    assert_eq!(
        sent(request()),
        "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    let full = ClientRequest::new("wss://[::1]:8443?x".parse().unwrap())
        .origin("https://a.example")
        .and_then(|r| r.subprotocol("b"))
        .and_then(|r| r.subprotocol("a"))
        .and_then(|r| r.deflate(Offer { server_max_window_bits: Some(10), ..Offer::default() }))
        .and_then(|r| {
            r.deflate(Offer { client_max_window_bits: ClientWindow::Limitable, ..Offer::default() })
        })
        .and_then(|r| r.header("Cookie", "a=\u{e9}"))
        .unwrap();
    assert_eq!(
        sent(full),
        "GET /?x HTTP/1.1\r\nHost: [::1]:8443\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: https://a.example\r\n\
         Sec-WebSocket-Protocol: b, a\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, \
         permessage-deflate; client_max_window_bits\r\nCookie: a=\u{e9}\r\n\r\n"
    );
}

#[test]
fn b23_each_handshake_has_a_key_of_its_own() {
    let mut nonces = Nonces(0);
    let mut keys: Vec<_> =
        (0..20).map(|_| ClientHandshake::new(request(), &mut nonces).request_bytes().to_vec()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 20);
}

#[test]
fn b33_cve_2026_1527_what_cannot_be_added() {
    for name in [
        "Host",
        "host",
        "Upgrade",
        "Connection",
        "Origin",
        "Sec-WebSocket-Key",
        "sec-websocket-version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Content-Length",
        "Transfer-Encoding",
        "Expect",
    ] {
        let error = request().header(name, "x").unwrap_err();
        assert!(error.to_string().contains("is set by the handshake"), "{name}");
    }
    for byte in (0..0x20).chain([0x7f_u8]) {
        let text = format!("a{}b", char::from(byte));
        assert!(request().header(&text, "x").is_err());
        assert_eq!(request().header("A", &text).is_err(), byte != b'\t');
        assert!(request().origin(&text).is_err());
        assert!(request().subprotocol(&text).is_err());
        assert!(WsUri::new(false, &text, 80, "/").is_err());
        assert!(WsUri::new(false, "a", 80, &text).is_err());
    }
    for token in ["", "a b", "a,b", "\u{e9}", "a/b"] {
        assert!(matches!(request().subprotocol(token), Err(RequestError::Subprotocol(_))), "{token}");
    }
    let twice = request().subprotocol("a").unwrap().subprotocol("a");
    assert!(matches!(twice, Err(RequestError::SubprotocolRepeated(_))));
    for bits in [0, 7, 16, 255] {
        let offer = Offer { server_max_window_bits: Some(bits), ..Offer::default() };
        assert_eq!(request().deflate(offer).unwrap_err(), RequestError::WindowBits(bits));
        let offer = Offer { client_max_window_bits: ClientWindow::AtMost(bits), ..Offer::default() };
        assert_eq!(request().deflate(offer).unwrap_err(), RequestError::WindowBits(bits));
    }
    assert!(request().origin("").is_err());
}

#[test]
fn b25_another_status() {
    for status in [100, 103, 200, 204, 301, 304, 401, 407, 426, 503, 999] {
        // Whatever the body's framing, the end of the stream ends it.
        let mut client = handshake(request());
        let head = format!("HTTP/1.1 {status} x\r\nLocation: /else\r\n\r\n");
        let error = match client.receive(head.as_bytes()) {
            Err(error) => error,
            Ok(Progress::Incomplete) => client.handle_eof(),
            Ok(Progress::Complete { .. }) => panic!("{status}"),
        };
        let ClientError::Rejected(rejection) = error else { panic!("{error:?}") };
        assert_eq!(rejection.status(), status);
        assert_eq!(rejection.header("location"), Some(&b"/else"[..]));
        assert!(rejection.to_string().contains(&status.to_string()));
        assert!(rejection.to_string().contains("/else"));
        assert!(!rejection.is_truncated());
    }
}

/// The body of a rejection and whether it was cut, or `None` if it goes on; the same under every split.
fn body(limit: usize, headers: &str, bytes: &[u8]) -> Option<(Vec<u8>, bool)> {
    let input = [format!("HTTP/1.1 403 x\r\n{headers}\r\n").as_bytes(), bytes].concat();
    let outcomes: Vec<_> = [input.len(), 1, 2, 7]
        .iter()
        .map(|&size| {
            let mut client = handshake(request().body_limit(limit));
            for chunk in input.chunks(size) {
                match client.receive(chunk) {
                    Ok(Progress::Incomplete) => {}
                    Err(ClientError::Rejected(rejection)) => {
                        return Some((rejection.body().to_vec(), rejection.is_truncated()));
                    }
                    other => panic!("{other:?}"),
                }
            }
            None
        })
        .collect();
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{headers}");
    outcomes[0].clone()
}

#[test]
fn b25_bodies() {
    let whole = |text: &[u8]| Some((text.to_vec(), false));
    let cut = |text: &[u8]| Some((text.to_vec(), true));
    assert_eq!(body(9, "Content-Length: 5\r\n", b"hello, more"), whole(b"hello"));
    assert_eq!(body(9, "Content-Length: 0\r\n", b""), whole(b""));
    assert_eq!(body(9, "Content-Length: 5\r\n", b"hell"), None);
    assert_eq!(body(3, "Content-Length: 5\r\n", b"hello"), cut(b"hel"));
    assert_eq!(body(5, "Content-Length: 5\r\n", b"hello"), whole(b"hello"));
    assert_eq!(body(3, "Content-Length: 18446744073709551615\r\n", b"hello"), cut(b"hel"));
    assert_eq!(body(9, "Content-Length: -1\r\n", b"hello"), None);
    assert_eq!(body(3, "", b"hello"), cut(b"hel"));
    assert_eq!(body(9, "", b"hello"), None);
    assert_eq!(body(0, "", b"hello"), cut(b""));
    let chunked = "Transfer-Encoding: gzip, chunked\r\nContent-Length: 1\r\n";
    assert_eq!(body(9, chunked, b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"), whole(b"hello"));
    assert_eq!(body(9, chunked, b"0A \r\n0123456789\r\n0\r\n"), cut(b"012345678"));
    assert_eq!(body(9, chunked, b"3\r\nhe"), None);
    assert_eq!(body(9, chunked, b"3\r\nhelX"), cut(b"hel"));
    assert_eq!(body(9, chunked, b"x\r\n"), cut(b""));
    assert_eq!(body(9, chunked, b"\r\n"), cut(b""));
    assert_eq!(body(3, chunked, b"ffffffffffffffff\r\nhello"), cut(b"hel"));
    assert_eq!(body(3, chunked, b"fffffffffffffffff\r\n"), cut(b""));
}

#[test]
fn b25_a_body_that_is_not_whole() {
    let start = |head: &str| {
        let mut client = handshake(request());
        assert!(matches!(client.receive(head.as_bytes()), Ok(Progress::Incomplete)));
        client
    };
    let rejection = |error| match error {
        ClientError::Rejected(rejection) => (rejection.body().to_vec(), rejection.is_truncated()),
        other => panic!("{other:?}"),
    };
    let length = "HTTP/1.1 403 x\r\nContent-Length: 9\r\n\r\nhello";
    assert_eq!(rejection(start(length).handle_eof()), (b"hello".to_vec(), true));
    let until_eof = "HTTP/1.1 403 x\r\n\r\nhello";
    assert_eq!(rejection(start(until_eof).handle_eof()), (b"hello".to_vec(), false));
    assert_eq!(rejection(start(until_eof).handle_timeout()), (b"hello".to_vec(), true));
}

#[test]
fn b25_b35_no_head_at_all() {
    assert!(matches!(handshake(request()).handle_eof(), ClientError::NoResponse));
    assert!(matches!(handshake(request()).handle_timeout(), ClientError::Timeout));
    let mut client = handshake(request());
    assert!(client.receive(b"HTTP/1.1 101").is_ok());
    assert_eq!(rule(Err(client.handle_eof())), Some(Rule::HeadCutShort));
    // Then it is over.
    assert!(matches!(client.handle_eof(), ClientError::Over));
    assert!(matches!(client.handle_timeout(), ClientError::Over));
    assert!(matches!(client.receive(b"HTTP/1.1 101 x\r\n\r\n"), Err(ClientError::Over)));
}

#[test]
fn b26_upgrade() {
    let wrong: [&[&str]; 6] = [
        &[],
        &["Upgrade:"],
        &["Upgrade: websocketx"],
        &["Upgrade: websocket, h2c"],
        &["Upgrade: websocket", "Upgrade: websocket"],
        &["Upgrade: websocket/13"],
    ];
    for lines in wrong {
        assert_eq!(rule(with(0, lines)), Some(Rule::ResponseUpgrade), "{lines:?}");
    }
    assert_eq!(rule(with(0, &["uPGRADE:\tWebSocket "])), None);
}

#[test]
fn b27_connection() {
    let wrong: [&[&str]; 4] =
        [&[], &["Connection: keep-alive"], &["Connection: upgraded"], &["Connection: close", "Connection:"]];
    for lines in wrong {
        assert_eq!(rule(with(1, lines)), Some(Rule::ResponseConnection), "{lines:?}");
    }
    let right: [&[&str]; 3] = [
        &["Connection: keep-alive, Upgrade"],
        &["connection: UPGRADE"],
        &["Connection: keep-alive", "Connection: upgrade"],
    ];
    for lines in right {
        assert_eq!(rule(with(1, lines)), None, "{lines:?}");
    }
}

#[test]
fn b28_paho_295_accept_is_checked() {
    assert_eq!(rule(with(2, &[])), Some(Rule::AcceptMissing));
    assert_eq!(rule(with(2, &[ACCEPT, ACCEPT])), Some(Rule::AcceptRepeated));
    for value in [
        "",
        "x",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "S3PPLMBITXAQ9KYGZZHZRBK+XOO=",
        "dGhlIHNhbXBsZSBub25jZQ==",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "\u{e9}",
    ] {
        assert_eq!(
            rule(with(2, &[&format!("Sec-WebSocket-Accept: {value}")])),
            Some(Rule::AcceptWrong),
            "{value}"
        );
    }
    // Space around the value is no part of it.
    assert_eq!(rule(with(2, &[&format!("{ACCEPT} \t ")])), None);
}

#[test]
fn b28_an_accept_of_any_length() {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".repeat(2);
    for length in 0..=digits.len() {
        for padding in ["", "=", "=="] {
            let line = format!("Sec-WebSocket-Accept: {}{padding}", &digits[..length]);
            assert_eq!(rule(with(2, &[&line])), Some(Rule::AcceptWrong), "{line}");
        }
    }
}

#[test]
fn b29_extensions() {
    let offering = || request().deflate(Offer::default()).unwrap();
    for (value, expected) in [
        ("permessage-deflate", None),
        ("x-unknown", Some(Rule::ExtensionUnoffered)),
        ("permessage-deflate, x-unknown", Some(Rule::ExtensionUnoffered)),
        ("PERMESSAGE-DEFLATE", Some(Rule::ExtensionUnoffered)),
        ("permessage-deflate, permessage-deflate", Some(Rule::ExtensionRepeated)),
        ("permessage-deflate; x", Some(Rule::ExtensionParams)),
        ("permessage-deflate;", Some(Rule::ResponseExtensionSyntax)),
        ("permessage-deflate foo", Some(Rule::ResponseExtensionSyntax)),
    ] {
        let line = format!("Sec-WebSocket-Extensions: {value}");
        assert_eq!(rule(and(offering(), &[&line])), expected, "{value}");
        if expected.is_none() {
            assert_eq!(rule(and(offering(), &[&line, &line])), Some(Rule::ExtensionRepeated));
            assert_eq!(rule(and(request(), &[&line])), Some(Rule::ExtensionUnoffered));
        }
    }
    assert_eq!(and(offering(), &[]).unwrap().agreed().deflate, None);
}

#[test]
fn b30_subprotocols() {
    let offering = || request().subprotocol("a").unwrap().subprotocol("b").unwrap();
    let chosen = and(offering(), &["Sec-WebSocket-Protocol: b "]).unwrap();
    assert_eq!(chosen.agreed().subprotocol.as_deref(), Some("b"));
    for (lines, expected) in [
        (&["Sec-WebSocket-Protocol: c"][..], Rule::SubprotocolUnoffered),
        (&["Sec-WebSocket-Protocol: A"], Rule::SubprotocolUnoffered),
        (&["Sec-WebSocket-Protocol:"], Rule::SubprotocolUnoffered),
        (&["Sec-WebSocket-Protocol: a, b"], Rule::SubprotocolSeveral),
        (&["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"], Rule::SubprotocolSeveral),
    ] {
        assert_eq!(rule(and(offering(), lines)), Some(expected), "{lines:?}");
    }
    assert_eq!(rule(and(request(), &["Sec-WebSocket-Protocol: a"])), Some(Rule::SubprotocolUnoffered));
    assert_eq!(and(offering(), &[]).unwrap().agreed().subprotocol, None);
    assert_eq!(rule(and(offering().needs_subprotocol(true), &[])), Some(Rule::SubprotocolMissing));
    assert_eq!(rule(and(request().needs_subprotocol(true), &[])), None);
}

#[test]
fn b31_version() {
    assert_eq!(rule(receive(request(), "HTTP/1.0 101 x", &HEADERS)), Some(Rule::ResponseVersion));
    assert_eq!(rule(receive(request(), "HTTP/2.0 101 x", &HEADERS)), Some(Rule::HttpMajor));
    // Of HTTP/1.0 there are still error pages, and their status says more than their version.
    let rejected = receive(request(), "HTTP/1.0 404 x", &["Content-Length: 0"]);
    assert!(matches!(rejected, Err(ClientError::Rejected(_))));
}

#[test]
fn b32_b36_data_after_the_101() {
    let head = format!("HTTP/1.1 101 x\r\n{}\r\n\r\n", HEADERS.join("\r\n"));
    let input = [head.as_bytes(), b"\x81\x02hi"].concat();
    for split in 0..=input.len() {
        let mut client = handshake(request());
        let (first, second) = input.split_at(split);
        let (response, kept) = match client.receive(first).unwrap() {
            Progress::Complete { value, used } => (value, [&first[used..], second].concat()),
            // Not a byte may be sent as yet, and nothing says that the handshake is done.
            Progress::Incomplete => match client.receive(second).unwrap() {
                Progress::Complete { value, used } => (value, second[used..].to_vec()),
                Progress::Incomplete => panic!("it is whole"),
            },
        };
        assert_eq!(kept, b"\x81\x02hi", "split at {split}");
        assert_eq!(response.header("UPGRADE"), Some(&b"websocket"[..]));
        assert_eq!(response.headers().count(), 3);
    }
}

#[test]
fn b28_every_byte_in_every_header() {
    for name in [
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
    ] {
        for byte in 0..=255 {
            let mut client =
                handshake(request().subprotocol("a").unwrap().deflate(Offer::default()).unwrap());
            let head = format!("HTTP/1.1 101 x\r\n{}\r\n{name}: a", HEADERS.join("\r\n"));
            let input = [head.as_bytes(), &[byte], b"\r\n\r\n"].concat();
            let result = client.receive(&input);
            let harmless = name == "Connection" && (byte >= b' ' && byte != 0x7f || byte == b'\t')
                || name == "Sec-WebSocket-Protocol" && matches!(byte, b' ' | b'\t');
            assert_eq!(result.is_ok(), harmless, "{name} 0x{byte:02x}");
        }
    }
}

#[test]
fn a_response_larger_than_the_limit() {
    let small = HeadLimits { bytes: 64, ..HeadLimits::default() };
    let mut client = handshake(request().limits(small));
    let error = client.receive(&[&b"HTTP/1.1 101 "[..], &[b'x'; 1000]].concat()).unwrap_err();
    assert!(error.to_string().contains("the limit is 64"), "{error}");
    assert_eq!(rule(Err(error)), Some(Rule::HeadTooLarge));
}
