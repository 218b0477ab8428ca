//! What a request must be: §4.2.1.

use super::*;

#[test]
fn a01_method() {
    for method in ["POST", "HEAD", "get", "CONNECT", "OPTIONS"] {
        let result = receive(&format!("{method} / HTTP/1.1"), &HEADERS);
        assert_eq!(refused(result), (Rule::Method, 405), "{method}");
    }
}

#[test]
fn a02_version() {
    assert_eq!(refused(receive("GET / HTTP/1.0", &HEADERS)), (Rule::HttpVersion, 505));
    assert_eq!(refused(receive("GET / HTTP/2.0", &HEADERS)), (Rule::HttpMajor, 505));
    assert!(receive("GET / HTTP/1.2", &HEADERS).is_ok());
}

#[test]
fn a03_target() {
    for (target, expected) in [
        ("/", Ok(("/", None, "example.com"))),
        ("/a/b?c=d?e", Ok(("/a/b", Some("c=d?e"), "example.com"))),
        ("/a://b?", Ok(("/a://b", Some(""), "example.com"))),
        ("//other/x", Ok(("//other/x", None, "example.com"))),
        // RFC 9112 §3.2.2: the host of an absolute URL counts, not that of `Host`.
        ("http://other:81/x?y", Ok(("/x", Some("y"), "other:81"))),
        ("WSS://other", Ok(("/", None, "other"))),
        ("ws://other?y", Ok(("/", Some("y"), "other"))),
        ("ftp://other/", Err(Rule::TargetForm)),
        ("*", Err(Rule::TargetForm)),
        ("example.com:80", Err(Rule::TargetForm)),
        ("chat", Err(Rule::TargetForm)),
        ("http:///x", Err(Rule::HostInvalid)),
        ("http://a@b/x", Err(Rule::HostInvalid)),
        ("/#", Err(Rule::Target)),
        ("http://other/#x", Err(Rule::Target)),
    ] {
        let result = receive(&format!("GET {target} HTTP/1.1"), &HEADERS);
        let found = result.as_ref().map(|r| (r.path(), r.query(), r.opening().host()));
        assert_eq!(found.map_err(Refusal::rule), expected, "{target}");
        assert!(result.is_ok_and(|r| r.target() == target) || expected.is_err());
    }
}

#[test]
fn a04_host() {
    assert_eq!(refused(with(0, &[])), (Rule::HostMissing, 400));
    assert_eq!(refused(with(0, &["Host: a", "host: a"])), (Rule::HostRepeated, 400));
    for host in ["a", "A.example", "a:1", "a:", "1.2.3.4:80", "[::1]", "[2001:db8::1]:8000", "my_host"] {
        assert_eq!(with(0, &[&format!("Host: {host}")]).unwrap().opening().host(), host);
    }
    for host in [
        "",
        ":80",
        "a b",
        "a,b",
        "a:x",
        "a:+1",
        "a:65536",
        "a:1:2",
        "::1",
        "[::1",
        "[::1]x",
        "[zz]",
        "[]",
        "u@a",
        "a/b",
        "a?b",
        "\u{e9}.example",
        "a:-1",
        "[::1%25eth0]",
        "%61",
    ] {
        assert_eq!(refused(with(0, &[&format!("Host: {host}")])), (Rule::HostInvalid, 400), "{host}");
    }
    assert_eq!(rule(with(0, &[&format!("Host: {}", "a".repeat(256))])), Some(Rule::HostInvalid));
}

#[test]
fn a05_upgrade() {
    let accepted: [&[&str]; 6] = [
        &["Upgrade: WebSocket"],
        &["UPGRADE:websocket\t "],
        &["Upgrade: h2c, websocket"],
        &["Upgrade: , ,websocket ,"],
        &["Upgrade: h2c", "Upgrade: websocket"],
        &["Upgrade: websocket", "Upgrade: TLS/1.3"],
    ];
    for lines in accepted {
        assert_eq!(rule(with(1, lines)), None, "{lines:?}");
    }
    let not: [&[&str]; 8] = [
        &[],
        &["Upgrade:"],
        &["Upgrade: websocketx"],
        &["Upgrade: websocket/13"],
        &["Upgrade: web socket"],
        &["Upgrade: \"websocket\""],
        &["Upgrade: h2c;websocket"],
        &["Upgrades: websocket"],
    ];
    for lines in not {
        assert_eq!(refused(with(1, lines)), (Rule::Upgrade, 426), "{lines:?}");
    }
}

#[test]
fn a06_connection() {
    let accepted: [&[&str]; 4] = [
        &["Connection: keep-alive, Upgrade"],
        &["connection: UPGRADE,close"],
        &["Connection: keep-alive", "Connection: upgrade"],
        &["Connection: upgrade", "Connection: keep-alive"],
    ];
    for lines in accepted {
        assert_eq!(rule(with(2, lines)), None, "{lines:?}");
    }
    let not: [&[&str]; 4] =
        [&[], &["Connection: keep-alive"], &["Connection: upgraded"], &["Connection: keep-alive upgrade"]];
    for lines in not {
        assert_eq!(refused(with(2, lines)), (Rule::Connection, 426), "{lines:?}");
    }
}

#[test]
fn a07_key() {
    assert_eq!(refused(with(3, &[])), (Rule::KeyMissing, 400));
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ-_",
        "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhlIHNhbXBsZSBub25jZ-==",
        "dGhl IHNhbXBsZSBub25jZ==",
        "dGhlIHNhbXBsZSBub25jZ\u{e9}=",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZWFhYWFhYWFhYWFhYQ==",
    ] {
        let result = with(3, &[&format!("Sec-WebSocket-Key: {key}")]);
        assert_eq!(refused(result), (Rule::KeyInvalid, 400), "{key}");
    }
    // The example of §4.1, whose last digit has bits that encode nothing.
    assert!(with(3, &["Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC=="]).is_ok());
}

#[test]
fn a07_two_keys() {
    assert_eq!(refused(with(3, &[KEY, KEY])), (Rule::KeyRepeated, 400));
    assert_eq!(refused(with(3, &[KEY, "sec-websocket-key: AAAA"])), (Rule::KeyRepeated, 400));
}

#[test]
fn a08_version_and_a09_the_426_says_which() {
    let versions: [&[&str]; 7] = [
        &[],
        &["Sec-WebSocket-Version: 8"],
        &["Sec-WebSocket-Version: 013"],
        &["Sec-WebSocket-Version: 13, 8"],
        &["Sec-WebSocket-Version: "],
        &["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"],
        &["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"],
    ];
    for lines in versions {
        let refusal = with(4, lines).unwrap_err();
        assert_eq!((refusal.rule(), refusal.status()), (Rule::Version, 426), "{lines:?}");
        let text = String::from_utf8(refusal.to_bytes()).unwrap();
        for header in [
            "\r\nSec-WebSocket-Version: 13\r\n",
            "\r\nUpgrade: websocket\r\n",
            "\r\nConnection: close, Upgrade\r\n",
        ] {
            assert!(text.contains(header), "{text}");
        }
    }
    assert!(with(4, &["Sec-WebSocket-Version: \t13 \t"]).is_ok());
}

/// Host, Origin, and whether pages of the one may connect to the other.
const ORIGINS: &[(&str, &str, Option<Rule>)] = &[
    ("example.com", "http://example.com", None),
    ("example.com", "https://example.com", None),
    ("EXAMPLE.com", "https://Example.COM", None),
    ("example.com:8000", "http://example.com:8000", None),
    ("example.com:443", "https://example.com", None),
    ("example.com", "https://example.com:443", None),
    ("[::1]:8000", "http://[0:0:0:0:0:0:0:1]:8000", None),
    ("xn--bcher-kva.example", "https://xn--bcher-kva.example", None),
    ("example.com", "https://example.com:444", Some(Rule::OriginForeign)),
    ("example.com:8000", "http://example.com", Some(Rule::OriginForeign)),
    ("example.com:8000", "http://example.com:8001", Some(Rule::OriginForeign)),
    ("example.com:80", "https://example.com", Some(Rule::OriginForeign)),
    ("example.com", "http://evil-example.com", Some(Rule::OriginForeign)),
    ("example.com", "http://example.com.evil.org", Some(Rule::OriginForeign)),
    ("example.com", "http://sub.example.com", Some(Rule::OriginForeign)),
    ("example.com", "http://example.co", Some(Rule::OriginForeign)),
    ("example.com", "http://example.com.", Some(Rule::OriginForeign)),
    ("[::1]:8000", "http://[::2]:8000", Some(Rule::OriginForeign)),
    ("example.com", "chrome-extension://example.com", Some(Rule::OriginForeign)),
    ("example.com", "null", Some(Rule::OriginInvalid)),
    ("example.com", "", Some(Rule::OriginInvalid)),
    ("example.com", "*", Some(Rule::OriginInvalid)),
    ("example.com", "example.com", Some(Rule::OriginInvalid)),
    ("example.com", "http://", Some(Rule::OriginInvalid)),
    ("example.com", "://example.com", Some(Rule::OriginInvalid)),
    ("example.com", "1http://example.com", Some(Rule::OriginInvalid)),
    ("example.com", "http://example.com/", Some(Rule::OriginInvalid)),
    ("example.com", "http://example.com/path", Some(Rule::OriginInvalid)),
    ("example.com", "http://a@example.com", Some(Rule::OriginInvalid)),
    ("example.com", "http://example.com http://evil.org", Some(Rule::OriginInvalid)),
    ("example.com", "http://example.com, http://evil.org", Some(Rule::OriginInvalid)),
    ("example.com", "http://example.com:99999", Some(Rule::OriginInvalid)),
    ("example.com", "http://[::1", Some(Rule::OriginInvalid)),
    ("example.com", "http://*.example.com", Some(Rule::OriginInvalid)),
    ("example.com", "http://ex\u{e9}mple.com", Some(Rule::OriginInvalid)),
];

#[test]
fn a10_origin_cve_2026_27148_same_host() {
    for &(host, origin, expected) in ORIGINS {
        let (host_line, origin_line) = (format!("Host: {host}"), format!("Origin: {origin}"));
        let headers = [&[host_line.as_str()], &HEADERS[1..], &[&origin_line]].concat();
        let result = receive("GET / HTTP/1.1", &headers);
        if let Err(refusal) = &result {
            assert_eq!(refusal.status(), 403, "{host} {origin}");
        }
        let seen = result.as_ref().ok().and_then(|request| request.opening().origin());
        assert_eq!(seen, expected.is_none().then_some(origin), "{host} {origin}");
        assert_eq!(rule(result), expected, "{host} {origin}");
    }
    assert_eq!(and(&[]).unwrap().opening().origin(), None);
    let twice = and(&["Origin: http://example.com", "Origin: http://example.com"]);
    assert_eq!(refused(twice), (Rule::OriginInvalid, 403));
}

#[test]
fn a10_origin_listed_and_any() {
    let receive = |origin: OriginPolicy, value: &str| {
        let policy = ServerPolicy { origin, ..ServerPolicy::default() };
        let head = format!("GET / HTTP/1.1\r\n{}\r\nOrigin: {value}\r\n\r\n", HEADERS.join("\r\n"));
        rule(receive_with(&policy, head.as_bytes()))
    };
    let listed =
        OriginPolicy::listed(["https://app.example:8443", "capacitor://localhost", "http://b.example"])
            .unwrap();
    for (value, expected) in [
        ("https://APP.example:8443", None),
        ("capacitor://localhost", None),
        ("http://b.example:80", None),
        ("http://example.com", None),
        ("http://app.example:8443", Some(Rule::OriginForeign)),
        ("https://app.example", Some(Rule::OriginForeign)),
        ("https://b.example", Some(Rule::OriginForeign)),
        ("https://evil-app.example:8443", Some(Rule::OriginForeign)),
        ("null", Some(Rule::OriginInvalid)),
    ] {
        assert_eq!(receive(listed.clone(), value), expected, "{value}");
    }
    assert_eq!(receive(OriginPolicy::any(), "null"), None);
    for wrong in ["null", "*", "https://*.example.com", "example.com", "https://a/", ""] {
        let error = OriginPolicy::listed([wrong]).unwrap_err();
        assert!(error.to_string().contains("is not an origin"));
    }
}

#[test]
fn a16_cve_2026_50020_a_request_has_no_body() {
    let lines: [&[&str]; 8] = [
        &["Content-Length: 5"],
        &["Content-Length: 00"],
        &["Content-Length: +0"],
        &["Content-Length:"],
        &["Content-Length: 0", "Content-Length: 5"],
        &["Content-Length: 0, 5"],
        &["Transfer-Encoding: chunked"],
        &["Content-Length: 0", "transfer-encoding: identity"],
    ];
    for lines in lines {
        assert_eq!(refused(and(lines)), (Rule::Body, 400), "{lines:?}");
    }
    assert!(and(&["Content-Length: 0"]).is_ok());
}
