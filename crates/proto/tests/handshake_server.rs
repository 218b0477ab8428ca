//! The server's side: RFC 6455 §4.2, by the number of the rule.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic in its helpers too")]

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
fn a11_accept_is_the_rfcs() {
    let text = response(&and(&[]).unwrap(), &Acceptance::default());
    assert_eq!(
        text,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
    // The key is hashed as it is written: the unused bits of its last digit count.
    let other = with(3, &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="]).unwrap();
    assert!(!response(&other, &Acceptance::default()).contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(other.opening().key().as_str(), "dGhlIHNhbXBsZSBub25jZR==");
}

#[test]
fn a12_each_header_once_and_a16_no_body_on_101() {
    let acceptance =
        Acceptance { headers: &[("X-A", "b"), ("Set-Cookie", "c=\u{e9}")], ..Acceptance::default() };
    let text = response(&and(&[]).unwrap(), &acceptance);
    for name in ["upgrade:", "connection:", "sec-websocket-accept:", "x-a:", "set-cookie:"] {
        assert_eq!(text.to_lowercase().matches(&format!("\r\n{name}")).count(), 1, "{name}");
    }
    assert!(!text.to_lowercase().contains("content-length"));
    assert!(text.ends_with("\r\n\r\n"));
}

#[test]
fn a12_the_caller_cannot_add_what_is_the_handshakes() {
    let request = and(&[]).unwrap();
    fn accept(request: &Request, name: &str, value: &str) -> Result<Accepted, FieldError> {
        request.accept(&Acceptance { headers: &[(name, value)], ..Acceptance::default() })
    }
    for name in ["Upgrade", "connection", "SEC-WEBSOCKET-ACCEPT", "Sec-WebSocket-Foo", "Content-Length"] {
        assert_eq!(accept(&request, name, "x").unwrap_err(), FieldError::Reserved(name.into()));
    }
    for name in ["", "a b", "a:", "a\r\nb", "\u{e9}"] {
        assert_eq!(accept(&request, name, "x").unwrap_err(), FieldError::Name(name.into()));
    }
    for byte in (0..0x20).chain([0x7f]).filter(|b| *b != b'\t') {
        let value = format!("a{}b", char::from(byte));
        assert_eq!(accept(&request, "A", &value).unwrap_err(), FieldError::Value { name: "A".into(), byte });
        assert!(Refusal::application(401, "no").with_header("A", &value).is_err());
    }
}

#[test]
fn a13_subprotocol_is_one_of_both() {
    let request = and(&["Sec-WebSocket-Protocol: a, b,c"]).unwrap();
    for (spoken, expected) in [
        (&["b"][..], Some("b")),
        (&["x", "c", "a"], Some("c")),
        (&["A"], None),
        (&[], None),
        (&["a, b"], None),
    ] {
        let accepted = request.accept(&Acceptance { subprotocols: spoken, ..Acceptance::default() }).unwrap();
        assert_eq!(accepted.agreed.subprotocol.as_deref(), expected);
        let text = String::from_utf8(accepted.response).unwrap();
        match expected {
            Some(token) => assert!(text.contains(&format!("\r\nSec-WebSocket-Protocol: {token}\r\n"))),
            None => assert!(!text.contains("Protocol:")),
        }
    }
}

#[test]
fn a14_offered_subprotocols() {
    let offered = |lines: &[&str]| -> Result<Vec<String>, Rule> {
        let request = and(lines).map_err(|refusal| refusal.rule())?;
        Ok(request.opening().subprotocols().map(str::to_owned).collect())
    };
    let ok = |tokens: &[&str]| Ok(tokens.iter().map(|&t| t.to_owned()).collect());
    assert_eq!(offered(&[]), ok(&[]));
    assert_eq!(
        offered(&["Sec-WebSocket-Protocol: b", "sec-websocket-protocol: a , c"]),
        ok(&["b", "a", "c"])
    );
    assert_eq!(offered(&["Sec-WebSocket-Protocol: ,, a,"]), ok(&["a"]));
    assert_eq!(offered(&["Sec-WebSocket-Protocol: a, A"]), ok(&["a", "A"]));
    // Names that are special elsewhere are only names here.
    assert_eq!(
        offered(&["Sec-WebSocket-Protocol: constructor, __proto__"]),
        ok(&["constructor", "__proto__"])
    );
    for list in ["", ",", "a b", "a/b", "\"a\"", "a;b", "a, \u{e9}", "a=b", "a\tb"] {
        let line = format!("Sec-WebSocket-Protocol: {list}");
        assert_eq!(offered(&[&line]), Err(Rule::SubprotocolSyntax), "{list}");
    }
    assert_eq!(offered(&["Sec-WebSocket-Protocol: a, b, a"]), Err(Rule::SubprotocolRepeated));
    assert_eq!(
        offered(&["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"]),
        Err(Rule::SubprotocolRepeated)
    );
}

#[test]
fn a15_unknown_extensions_are_passed_over() {
    let request = and(&[
        "Sec-WebSocket-Extensions: x-webkit-deflate-frame, foo; a=\"b\\c\"; d",
        "Sec-WebSocket-Extensions: e",
    ])
    .unwrap();
    let extensions: Vec<_> = request.extensions().collect();
    assert_eq!(
        extensions.iter().map(|e| e.name()).collect::<Vec<_>>(),
        ["x-webkit-deflate-frame", "foo", "e"]
    );
    let params: Vec<_> = extensions[1].params().collect();
    assert_eq!(params, [("a", Some("bc".into())), ("d", None)]);
    assert!(!response(&request, &Acceptance::default()).contains("Extensions"));
}

#[test]
fn a15_malformed_extensions_are_refused() {
    for list in [
        "",
        ",",
        ";",
        "a;",
        "a; ",
        "a;;b",
        "a b",
        "a; b=",
        "a; b=\"",
        "a; b=\"c",
        "a; b=\"\"",
        "a; b=\"c d\"",
        "a; b=\"c\\",
        "a; b=\"\\\"\"",
        "a; b c",
        "a; =c",
        "\"a\"",
        "a=b",
        "a; b=c=d",
        "a; b=\u{e9}",
        "\u{e9}",
        "a; b=\"c\"d",
        "a, b;",
        "a/b",
    ] {
        let result = and(&[&format!("Sec-WebSocket-Extensions: {list}")]);
        assert_eq!(refused(result), (Rule::ExtensionSyntax, 400), "{list}");
    }
    for list in ["a;b", " a ;\tb = c ,, d", "a;b=\"c\",d;e=\"\\f\\g\"", ",a"] {
        assert_eq!(rule(and(&[&format!("Sec-WebSocket-Extensions: {list}")])), None, "{list}");
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

#[test]
fn a17_a_refusal_is_a_whole_response_and_closes() {
    let rules = Rule::ALL.iter().map(|rule| rule.status());
    let statuses: std::collections::BTreeSet<_> = rules.collect();
    assert!([400, 403, 405, 408, 414, 426, 431, 505].iter().all(|status| statuses.contains(status)));

    for refusal in [
        receive("POST / HTTP/1.1", &HEADERS).unwrap_err(),
        with(0, &["Host: \u{e9}\u{7f}".trim_end_matches('\u{7f}')]).unwrap_err(),
        with(1, &[]).unwrap_err(),
        Refusal::application(401, "who are you? \u{e9}").with_header("WWW-Authenticate", "Basic").unwrap(),
        Refusal::application(499, "rare"),
        Refusal::application(101, "no refusal"),
    ] {
        let text = String::from_utf8(refusal.to_bytes()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {} ", refusal.status())), "{text}");
        assert!(head.contains("\r\nConnection: close"), "{text}");
        assert!(head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{text}");
        assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{text}");
        assert_eq!(body, refusal.body());
        assert!(!body.trim().is_empty());
    }
    assert_eq!(Refusal::application(101, "").status(), 500);
    let allow = receive("POST / HTTP/1.1", &HEADERS).unwrap_err();
    assert!(allow.headers().any(|header| header == ("Allow", "GET")));
    assert_eq!(
        allow.body(),
        "The method of an opening handshake is GET; found \"POST\" (RFC 6455 §4.2.1).\n"
    );
}

#[test]
fn a17_values_in_a_body_are_escaped_and_cut_short() {
    let long = format!("Host: <\"\u{e9}{}", "x".repeat(1000));
    let refusal = with(0, &[&long]).unwrap_err();
    assert!(refusal.body().len() < 300);
    assert!(refusal.body().contains(r#"found "<\"\xc3\xa9xxx"#), "{}", refusal.body());
    assert!(refusal.body().contains("\"..."));
}

#[test]
fn a18_what_follows_the_head_is_kept() {
    let policy = ServerPolicy::default();
    let head = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", HEADERS.join("\r\n"));
    let frames = b"\x81\x82\x00\x00\x00\x00hi";
    let input = [head.as_bytes(), frames].concat();
    for split in 0..=input.len() {
        let mut handshake = ServerHandshake::new(&policy);
        let (first, second) = input.split_at(split);
        let kept = match handshake.receive(first).unwrap() {
            Progress::Complete { used, .. } => [&first[used..], second].concat(),
            Progress::Incomplete => match handshake.receive(second).unwrap() {
                Progress::Complete { used, .. } => second[used..].to_vec(),
                Progress::Incomplete => panic!("it is whole"),
            },
        };
        assert_eq!(kept, frames, "split at {split}");
    }
}

#[test]
fn a19_the_connection_ends_or_stalls_before_the_head_does() {
    let policy = ServerPolicy::default();
    let mut handshake = ServerHandshake::new(&policy);
    assert!(handshake.handle_eof().is_none());
    assert!(matches!(handshake.receive(b"GET /"), Ok(Progress::Incomplete)));
    assert_eq!(handshake.handle_eof().map(|r| (r.rule(), r.status())), Some((Rule::HeadCutShort, 400)));
    assert_eq!(handshake.handle_timeout().status(), 408);
}

#[test]
fn a_handshake_can_be_used_again_and_a_failed_one_fails_again() {
    let policy = ServerPolicy::default();
    let head = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", HEADERS.join("\r\n"));
    let mut handshake = ServerHandshake::new(&policy);
    for _ in 0..2 {
        let progress = handshake.receive(head.as_bytes()).unwrap();
        assert!(matches!(progress, Progress::Complete { used, .. } if used == head.len()));
    }
    let first = handshake.receive(b"GET /\x00").unwrap_err();
    assert_eq!(handshake.receive(head.as_bytes()).unwrap_err(), first);
}

#[test]
fn granian_and_cve_2026_14631_every_byte_in_every_header() {
    let names = [
        "Host",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Origin",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Content-Length",
        "X-Other",
    ];
    let policy = ServerPolicy::default();
    for (place, name) in names.iter().enumerate() {
        for byte in 0..=255 {
            for value in [vec![byte], vec![b'a', byte, b'b'], vec![b'h', b':', b'/', b'/', byte]] {
                let mut head = b"GET / HTTP/1.1\r\n".to_vec();
                for (at, header) in HEADERS.iter().enumerate() {
                    if at != place {
                        head.extend(format!("{header}\r\n").bytes());
                    }
                }
                head.extend(format!("{name}: ").bytes());
                head.extend(&value);
                head.extend(b"\r\n\r\n");
                // What is accepted can be looked at and answered; what is not has an answer, too.
                match ServerHandshake::new(&policy).receive(&head) {
                    Ok(Progress::Complete { value: request, .. }) => {
                        request.extensions().for_each(drop);
                        assert!(request.accept(&Acceptance::default()).is_ok());
                    }
                    Ok(Progress::Incomplete) => panic!("{}", head.escape_ascii()),
                    Err(refusal) => assert!(refusal.to_bytes().starts_with(b"HTTP/1.1 4")),
                }
            }
        }
    }
}

#[test]
fn cve_2021_32640_lists_of_separators_are_linear() {
    let limits = antiphon_proto::handshake::HeadLimits { bytes: 1 << 20, headers: 100, request_line: 8192 };
    let policy = ServerPolicy { limits, ..ServerPolicy::default() };
    let units = [
        ",",
        ";",
        "\"",
        "\\",
        " ",
        "\t",
        "a,",
        "a;",
        ";a",
        "a;b=\"\\",
        "a;b=\"\\c\",",
        "=",
        "a;b=",
        " ,",
        "a ",
    ];
    for name in
        ["Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol", "Upgrade", "Connection", "Origin", "X-Other"]
    {
        for unit in units {
            // At 64 KiB a quadratic parser takes minutes for all of these.
            let value = unit.repeat((64 << 10) / unit.len());
            let head = format!("GET / HTTP/1.1\r\n{}\r\n{name}: {value}x\r\n\r\n", HEADERS.join("\r\n"));
            match ServerHandshake::new(&policy).receive(head.as_bytes()) {
                Ok(progress) => assert!(matches!(progress, Progress::Complete { .. })),
                Err(refusal) => assert!(matches!(refusal.status(), 400 | 403)),
            }
        }
    }
}
