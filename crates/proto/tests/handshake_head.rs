//! The head of a request or response: RFC 9112, and what heads have done to other servers.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use antiphon_proto::handshake::{
    HeadLimits, HeadScanner, Progress, Refusal, Rule, Scan, ServerHandshake, ServerPolicy,
};

/// A scan of the whole and a scan of every prefix agree; the breached rule, or the length.
fn scan(scanner: &HeadScanner, head: &[u8]) -> Result<Option<usize>, Rule> {
    let outcome = |scan| match scan {
        Scan::Incomplete => Ok(None),
        Scan::Complete { len } => Ok(Some(len)),
        Scan::Refused(violation) => Err(violation.rule()),
    };
    let whole = scanner.clone().scan(head);
    let mut dribbled = scanner.clone();
    let mut last = Scan::Incomplete;
    for end in 0..=head.len() {
        last = dribbled.scan(&head[..end]);
    }
    assert_eq!(whole, last, "{}", head.escape_ascii());
    outcome(whole)
}

fn request(head: &[u8]) -> Result<Option<usize>, Rule> {
    scan(&HeadScanner::request(HeadLimits::default()), head)
}

fn response(head: &[u8]) -> Result<Option<usize>, Rule> {
    scan(&HeadScanner::response(HeadLimits::default()), head)
}

fn limits(bytes: usize, headers: usize, request_line: usize) -> HeadLimits {
    HeadLimits { bytes, headers, request_line }
}

#[test]
fn a02_request_lines() {
    for (line, expected) in [
        ("GET / HTTP/1.1", None),
        ("GET / HTTP/1.0", None),
        ("GET / HTTP/1.2", None),
        ("OPTIONS * HTTP/1.1", None),
        ("CONNECT a:443 HTTP/1.1", None),
        ("M-SEARCH http://a/b?c=|{} HTTP/1.1", None),
        ("GET / HTTP/2.0", Some(Rule::HttpMajor)),
        ("PRI * HTTP/2.0", Some(Rule::HttpMajor)),
        ("GET / HTTP/0.9", Some(Rule::HttpMajor)),
        ("GET / HTTP/3.1", Some(Rule::HttpMajor)),
        ("GET / HTTP/1.10", Some(Rule::RequestLine)),
        ("GET / HTTP/11", Some(Rule::RequestLine)),
        ("GET / http/1.1", Some(Rule::RequestLine)),
        ("GET / HTTP/1.x", Some(Rule::RequestLine)),
        ("GET / HTTP/-1.1", Some(Rule::RequestLine)),
        ("GET / HTTP/1.1 ", Some(Rule::RequestLine)),
        ("GET  / HTTP/1.1", Some(Rule::RequestLine)),
        (" GET / HTTP/1.1", Some(Rule::RequestLine)),
        ("GET /", Some(Rule::RequestLine)),
        ("GET", Some(Rule::RequestLine)),
        ("GET  HTTP/1.1", Some(Rule::RequestLine)),
        ("G(T / HTTP/1.1", Some(Rule::RequestLine)),
        ("GET\t/ HTTP/1.1", Some(Rule::RequestLine)),
        ("GET /\u{e9} HTTP/1.1", Some(Rule::RequestLine)),
        ("GET /#top HTTP/1.1", Some(Rule::Target)),
        ("GET # HTTP/1.1", Some(Rule::Target)),
    ] {
        let head = format!("{line}\r\n\r\n");
        assert_eq!(request(head.as_bytes()), expected.map_or(Ok(Some(head.len())), Err), "{line}");
    }
}

#[test]
fn b31_status_lines() {
    for (line, expected) in [
        ("HTTP/1.1 101 Switching Protocols", None),
        ("HTTP/1.1 101 ", None),
        ("HTTP/1.1 101", None),
        ("HTTP/1.0 200 OK", None),
        ("HTTP/1.1 400 \t\u{e9}", None),
        ("HTTP/2 101 ", Some(Rule::StatusLine)),
        ("HTTP/2.0 101 ", Some(Rule::HttpMajor)),
        ("HTTP/1.1  101 ", Some(Rule::StatusLine)),
        ("HTTP/1.1 1O1 ", Some(Rule::StatusLine)),
        ("HTTP/1.1 0101 ", Some(Rule::StatusLine)),
        ("HTTP/1.1 099 ", Some(Rule::StatusLine)),
        ("HTTP/1.1 1", Some(Rule::StatusLine)),
        ("HTTP/1.1", Some(Rule::StatusLine)),
        ("ICY 200 OK", Some(Rule::StatusLine)),
    ] {
        let head = format!("{line}\r\n\r\n");
        assert_eq!(response(head.as_bytes()), expected.map_or(Ok(Some(head.len())), Err), "{line}");
    }
    // A response has no empty lines before it.
    assert_eq!(response(b"\r\nHTTP/1.1 101 \r\n\r\n"), Err(Rule::LeadingEmptyLines));
}

#[test]
fn a20_framing_of_lines() {
    for (head, expected) in [
        ("\r\nGET / HTTP/1.1\r\n\r\n", Ok(Some(20))),
        ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", Err(Rule::LeadingEmptyLines)),
        ("\nGET / HTTP/1.1\r\n\r\n", Err(Rule::BareLf)),
        ("\rGET / HTTP/1.1\r\n\r\n", Err(Rule::BareCr)),
        ("GET / HTTP/1.1\n\n", Err(Rule::BareLf)),
        ("GET / HTTP/1.1\rA: b\r\n\r\n", Err(Rule::BareCr)),
        ("GET / HTTP/1.1\r\nA: b\n\r\n", Err(Rule::BareLf)),
        ("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", Err(Rule::BareCr)),
        ("GET / HTTP/1.1\r\nA: b\r\r\n\r\n", Err(Rule::BareCr)),
        ("GET / HTTP/1.1\r\nA: b\r\n\n", Err(Rule::BareLf)),
        ("GET / HTTP/1.1\r\nA: b\r\n\rX", Err(Rule::BareCr)),
        ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", Err(Rule::FoldedLine)),
        ("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", Err(Rule::FoldedLine)),
        ("GET / HTTP/1.1\r\n A: b\r\n\r\n", Err(Rule::FoldedLine)),
        ("GET / HTTP/1.1\r\nA : b\r\n\r\n", Err(Rule::SpaceBeforeColon)),
        ("GET / HTTP/1.1\r\nA\t: b\r\n\r\n", Err(Rule::SpaceBeforeColon)),
        ("GET / HTTP/1.1\r\nA B: b\r\n\r\n", Err(Rule::SpaceBeforeColon)),
        ("GET / HTTP/1.1\r\n: b\r\n\r\n", Err(Rule::HeaderName)),
        ("GET / HTTP/1.1\r\nA\r\n\r\n", Err(Rule::HeaderName)),
        ("GET / HTTP/1.1\r\nA(: b\r\n\r\n", Err(Rule::HeaderName)),
        ("GET / HTTP/1.1\r\n\u{e9}: b\r\n\r\n", Err(Rule::HeaderName)),
        ("GET / HTTP/1.1\r\n\u{0}A: b\r\n\r\n", Err(Rule::ControlByte)),
        ("GET / HTTP/1.1\r\nA:\r\n\r\n", Ok(Some(22))),
        ("GET / HTTP/1.1\r\nA:\t b \t\r\n\r\n", Ok(Some(27))),
        ("", Ok(None)),
        ("GET / HTTP/1.1\r\nA: b\r\n\r", Ok(None)),
    ] {
        assert_eq!(request(head.as_bytes()), expected, "{}", head.escape_debug());
    }
}

#[test]
fn a20_every_byte_in_a_value() {
    for byte in 0..=255 {
        let head = [&b"GET / HTTP/1.1\r\nA: b"[..], &[byte], b"c\r\n\r\n"].concat();
        let expected = match byte {
            b'\r' => Err(Rule::BareCr),
            b'\n' => Err(Rule::BareLf),
            b'\t' | b' '..=b'~' | 0x80.. => Ok(Some(head.len())),
            _ => Err(Rule::ControlByte),
        };
        assert_eq!(request(&head), expected, "0x{byte:02x}");
    }
}

#[test]
fn a20_every_byte_in_a_name() {
    for byte in 0..=255_u8 {
        let head = [&b"GET / HTTP/1.1\r\nA"[..], &[byte], b"c: b\r\n\r\n"].concat();
        let expected = match byte {
            b'\r' | b'\n' | b' ' | b'\t' => Err(()),
            b':' => Ok(()),
            _ if byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte) => Ok(()),
            _ => Err(()),
        };
        assert_eq!(request(&head).map(|_| ()).map_err(|_| ()), expected, "0x{byte:02x}");
    }
}

#[test]
fn rustsec_2021_0081_control_bytes_before_the_request_line() {
    for byte in (0..=0x20).chain([0x7f, 0x80, 0xff]).filter(|b| *b != b'\r') {
        let head = [&[byte][..], b"GET / HTTP/1.1\r\n\r\n"].concat();
        let rule = request(&head).unwrap_err();
        assert_eq!(rule.status(), 400, "0x{byte:02x}");
    }
    // A TLS hello on a port without TLS fails at its first byte.
    assert_eq!(request(&[0x16]), Err(Rule::ControlByte));
}

#[test]
fn a19_limits_are_exact() {
    let head = b"GET /23456 HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n";
    let with = |limits| scan(&HeadScanner::request(limits), head);
    assert_eq!(with(limits(head.len(), 2, 19)), Ok(Some(head.len())));
    assert_eq!(with(limits(head.len() - 1, 2, 19)), Err(Rule::HeadTooLarge));
    assert_eq!(with(limits(head.len(), 1, 19)), Err(Rule::TooManyHeaders));
    assert_eq!(with(limits(head.len(), 2, 18)), Err(Rule::RequestLineTooLong));
    assert_eq!(with(limits(10, 2, 19)), Err(Rule::RequestLineTooLong));
    assert_eq!(with(limits(0, 0, 0)), Err(Rule::RequestLineTooLong));
    assert_eq!(with(limits(head.len(), 0, 19)), Err(Rule::TooManyHeaders));
    let statuses = [Rule::HeadTooLarge, Rule::TooManyHeaders, Rule::RequestLineTooLong].map(Rule::status);
    assert_eq!(statuses, [431, 431, 414]);
    // The limit is reached by the last byte that fits, not by the one after it.
    let mut scanner = HeadScanner::request(limits(30, 2, 20));
    assert_eq!(scanner.scan(&head[..29]), Scan::Incomplete);
    assert!(matches!(scanner.scan(&head[..30]), Scan::Refused(_)));
}

#[test]
fn a19_the_defaults_are_bounded() {
    assert_eq!(HeadLimits::default(), limits(16 * 1024, 100, 8 * 1024));
}

#[test]
fn a19_the_body_names_the_limit() {
    let policy = ServerPolicy { limits: limits(64, 100, 64), ..ServerPolicy::default() };
    let refusal = ServerHandshake::new(&policy).receive(&[b'a'; 65]).unwrap_err();
    assert_eq!(refusal.status(), 414);
    assert!(refusal.body().contains("the limit is 64"), "{}", refusal.body());
}

#[test]
fn cve_2023_43669_dribbled_head_is_linear() {
    // Were each byte to cost a look at all before it, this would look at 10^13 bytes.
    let size = 4 << 20;
    let policy = ServerPolicy { limits: limits(size, 1 << 20, 8192), ..ServerPolicy::default() };
    let mut handshake = ServerHandshake::new(&policy);
    let mut received = 0;
    let refusal = loop {
        let byte: &[u8] = match received {
            0..14 => &b"GET / HTTP/1.1"[received..=received],
            _ => &b"\r\nA: bbbbbbbbbb"[(received - 14) % 15..=(received - 14) % 15],
        };
        match handshake.receive(byte) {
            Ok(Progress::Incomplete) => received += 1,
            Ok(Progress::Complete { .. }) => panic!("there is no empty line"),
            Err(refusal) => break refusal,
        }
        assert!(received < size, "the limit holds");
    };
    assert_eq!((refusal.status(), received + 1), (431, size));
}

#[test]
fn cve_2023_43669_memory_is_bounded_by_the_limit() {
    let policy = ServerPolicy::default();
    let input = vec![b'a'; 64 << 20];
    let info = allocation_counter::measure(|| {
        let mut handshake = ServerHandshake::new(&policy);
        assert!(handshake.receive(&input).is_err());
    });
    assert!(info.bytes_max <= 2 * 16 * 1024, "{info:?}");
}

#[test]
fn cve_2024_37890_the_required_header_comes_last() {
    for headers in 95..=105 {
        let mut head = String::from("GET / HTTP/1.1\r\n");
        // Five besides the last, which is needed.
        head += "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
        for n in 5..headers {
            head += &format!("X-{n}: y\r\n");
        }
        head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let policy = ServerPolicy::default();
        match ServerHandshake::new(&policy).receive(head.as_bytes()) {
            Ok(Progress::Complete { value, used }) => {
                assert!(headers <= 100);
                assert_eq!(used, head.len());
                assert_eq!(value.headers().count(), headers);
            }
            Ok(Progress::Incomplete) => panic!("it is whole"),
            Err(refusal) => {
                assert!(headers > 100, "{refusal}");
                assert_eq!((refusal.status(), refusal.rule()), (431, Rule::TooManyHeaders));
            }
        }
    }
}

#[test]
fn a_finished_scanner_says_the_same_again() {
    let mut scanner = HeadScanner::request(HeadLimits::default());
    assert!(scanner.is_untouched());
    let head = b"GET / HTTP/1.1\r\n\r\nGET";
    for _ in 0..2 {
        assert_eq!(scanner.scan(head), Scan::Complete { len: 18 });
    }
    assert!(!scanner.is_untouched());
    let mut scanner = HeadScanner::request(HeadLimits::default());
    assert_eq!(scanner.scan(b"\x00"), scanner.scan(b"\x00more"));
}

#[test]
fn every_rule_has_a_status_a_section_and_a_sentence_of_its_own() {
    let mut sentences: Vec<_> = Rule::ALL.iter().map(|rule| rule.sentence()).collect();
    sentences.sort_unstable();
    sentences.dedup();
    assert_eq!(sentences.len(), Rule::ALL.len());
    for rule in Rule::ALL {
        assert!((400..=505).contains(&rule.status()), "{rule}");
        assert!(rule.section().starts_with("RFC ") || rule.section().starts_with("WHATWG "), "{rule}");
        assert!(!rule.sentence().ends_with('.'), "{rule}");
    }
}

#[test]
fn a19_a_head_that_stays_away_is_a_408() {
    let refusal = Refusal::timeout();
    assert_eq!(refusal.status(), 408);
    assert!(refusal.to_bytes().starts_with(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"));
}
