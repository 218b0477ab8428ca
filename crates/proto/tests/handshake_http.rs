//! The same rules over `http` types.

#![cfg(feature = "http")]
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use antiphon_proto::deflate::DeflateConfig;
use antiphon_proto::handshake::{
    Acceptance, Opening, OriginPolicy, Progress, Refusal, Rule, ServerHandshake, ServerPolicy,
    http::{check, check_connect},
};
use http::{Request, Version};

const HEADERS: [(&str, &str); 5] = [
    ("host", "example.com"),
    ("upgrade", "websocket"),
    ("connection", "keep-alive, Upgrade"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
];

fn checked(
    method: &str,
    target: &str,
    version: Version,
    headers: &[(&str, &str)],
) -> Result<Opening, Refusal> {
    let mut builder = Request::builder().method(method).uri(target).version(version);
    for (name, value) in headers {
        builder = builder.header(*name, value.as_bytes());
    }
    check(&builder.body(()).unwrap().into_parts().0, &ServerPolicy::default())
}

#[test]
fn a11_accepts() {
    let headers =
        [&HEADERS[..], &[("sec-websocket-protocol", "a, b"), ("sec-websocket-protocol", "c")]].concat();
    let headers = [&headers[..], &[("sec-websocket-extensions", "permessage-deflate")]].concat();
    let opening = checked("GET", "/chat?x", Version::HTTP_11, &headers).unwrap();
    assert_eq!((opening.host(), opening.origin()), ("example.com", None));
    assert_eq!(opening.subprotocols().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(opening.deflate_offers().len(), 1);
    let acceptance = Acceptance {
        subprotocols: &["c"],
        deflate: Some(&DeflateConfig::default()),
        headers: &[("Set-Cookie", "a"), ("Set-Cookie", "b")],
    };
    let (response, agreed) = opening.accept_http(&acceptance).unwrap();
    assert_eq!(response.status(), 101);
    let header =
        |name| response.headers().get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(header("sec-websocket-accept"), ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
    assert_eq!(header("upgrade"), ["websocket"]);
    assert_eq!(header("connection"), ["Upgrade"]);
    assert_eq!(header("sec-websocket-protocol"), ["c"]);
    assert_eq!(header("set-cookie"), ["a", "b"]);
    assert_eq!(header("sec-websocket-extensions").len(), 1);
    assert_eq!(header("content-length").len(), 0);
    assert_eq!(agreed.subprotocol.as_deref(), Some("c"));
    assert!(agreed.deflate.is_some());
    let wrong = Acceptance { headers: &[("A", "b\r\nC: d")], ..Acceptance::default() };
    assert!(opening.accept_http(&wrong).is_err());
}

#[test]
fn a17_refuses_as_over_bytes() {
    // Each row: method, version, and a header that is put in the place of another, or added.
    for (method, version, name, value) in [
        ("POST", Version::HTTP_11, "x", "y"),
        ("GET", Version::HTTP_10, "x", "y"),
        ("GET", Version::HTTP_11, "host", "a b"),
        ("GET", Version::HTTP_11, "upgrade", "h2c"),
        ("GET", Version::HTTP_11, "connection", "close"),
        ("GET", Version::HTTP_11, "sec-websocket-key", "short"),
        ("GET", Version::HTTP_11, "sec-websocket-version", "8"),
        ("GET", Version::HTTP_11, "origin", "http://evil-example.com"),
        ("GET", Version::HTTP_11, "origin", "null"),
        ("GET", Version::HTTP_11, "origin", "http://\u{e9}"),
        ("GET", Version::HTTP_11, "sec-websocket-protocol", "a, a"),
        ("GET", Version::HTTP_11, "sec-websocket-protocol", "\u{e9}"),
        ("GET", Version::HTTP_11, "sec-websocket-extensions", ";"),
        ("GET", Version::HTTP_11, "content-length", "5"),
        ("GET", Version::HTTP_11, "transfer-encoding", "chunked"),
    ] {
        let mut headers: Vec<_> = HEADERS.iter().copied().filter(|(known, _)| *known != name).collect();
        headers.push((name, value));
        let refusal = checked(method, "/", version, &headers).unwrap_err();

        let mut head = format!("{method} / {version:?}\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let policy = ServerPolicy::default();
        let over_bytes = ServerHandshake::new(&policy).receive((head + "\r\n").as_bytes()).unwrap_err();
        assert_eq!(refusal, over_bytes);

        let response = refusal.to_http();
        assert_eq!(response.status(), refusal.status());
        assert_eq!(response.body(), refusal.body());
        assert_eq!(response.headers()["content-length"], refusal.body().len().to_string());
        assert!(response.headers()["connection"].to_str().unwrap().starts_with("close"));
        if refusal.status() == 426 {
            assert_eq!(response.headers()["upgrade"], "websocket");
            assert_eq!(response.headers()["sec-websocket-version"], "13");
        }
    }
}

#[test]
fn a02_http_2_has_no_upgrade() {
    let refusal = checked("GET", "/", Version::HTTP_2, &HEADERS).unwrap_err();
    assert_eq!((refusal.rule(), refusal.status()), (Rule::HttpVersion, 505));
}

/// An extended CONNECT with these headers.
fn connect(
    method: &str,
    target: &str,
    protocol: Option<&str>,
    headers: &[(&str, &str)],
) -> Result<Opening, Refusal> {
    let mut builder = Request::builder().method(method).uri(target).version(Version::HTTP_2);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    check_connect(&builder.body(()).unwrap().into_parts().0, protocol, &ServerPolicy::default())
}

#[test]
fn f77_an_extended_connect_is_answered_200_without_a_key() {
    let headers = [
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "a, b"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("origin", "https://example.com"),
        // Not looked at (RFC 8441 §5).
        ("sec-websocket-key", "short"),
    ];
    let opening = connect("CONNECT", "https://example.com/chat?x", Some("websocket"), &headers).unwrap();
    assert_eq!((opening.host(), opening.origin()), ("example.com", Some("https://example.com")));
    assert!(opening.key().is_none());
    let acceptance = Acceptance {
        subprotocols: &["b"],
        deflate: Some(&DeflateConfig::default()),
        headers: &[("Set-Cookie", "a")],
    };
    let (response, agreed) = opening.accept_http(&acceptance).unwrap();
    assert_eq!(response.status(), 200);
    let mut names: Vec<_> = response.headers().keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["sec-websocket-extensions", "sec-websocket-protocol", "set-cookie"]);
    assert_eq!(agreed.subprotocol.as_deref(), Some("b"));
    assert!(agreed.deflate.is_some());
}

#[test]
fn f75_an_extended_connect_is_held_to_the_same_rules() {
    let url = "https://example.com/";
    let version = ("sec-websocket-version", "13");
    for (method, target, protocol, headers, rule) in [
        ("GET", url, None, &[version][..], Rule::ConnectMethod),
        ("CONNECT", url, None, &[version], Rule::ConnectMethod),
        ("CONNECT", url, Some("connect-udp"), &[version], Rule::ConnectProtocol),
        ("CONNECT", url, Some("WebSocket"), &[version], Rule::ConnectProtocol),
        ("CONNECT", "/", Some("websocket"), &[version], Rule::TargetForm),
        ("CONNECT", "ftp://example.com/", Some("websocket"), &[version], Rule::TargetForm),
        ("CONNECT", url, Some("websocket"), &[], Rule::Version),
        ("CONNECT", url, Some("websocket"), &[("sec-websocket-version", "8")], Rule::Version),
        ("CONNECT", url, Some("websocket"), &[version, version], Rule::Version),
        ("CONNECT", url, Some("websocket"), &[version, ("host", "other")], Rule::HostRepeated),
        ("CONNECT", url, Some("websocket"), &[version, ("content-length", "1")], Rule::Body),
        (
            "CONNECT",
            url,
            Some("websocket"),
            &[version, ("origin", "https://evil.example")],
            Rule::OriginForeign,
        ),
        ("CONNECT", url, Some("websocket"), &[version, ("origin", "null")], Rule::OriginInvalid),
        (
            "CONNECT",
            url,
            Some("websocket"),
            &[version, ("sec-websocket-protocol", "a,a")],
            Rule::SubprotocolRepeated,
        ),
        (
            "CONNECT",
            url,
            Some("websocket"),
            &[version, ("sec-websocket-extensions", ";")],
            Rule::ExtensionSyntax,
        ),
    ] {
        let refusal = connect(method, target, protocol, headers).unwrap_err();
        assert_eq!(refusal.rule(), rule, "{method} {target} {protocol:?} {headers:?}");
        let allow = refusal.to_http().headers().get("allow").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(allow.as_deref(), (rule == Rule::ConnectMethod).then_some("CONNECT"));
    }
    assert!(connect("CONNECT", url, Some("websocket"), &[version, ("host", "example.com")]).is_ok());
}

#[test]
fn a03_absolute_urls_name_the_host() {
    let opening = checked("GET", "http://other:81/x", Version::HTTP_11, &HEADERS).unwrap();
    assert_eq!(opening.host(), "other:81");
    assert_eq!(checked("GET", "*", Version::HTTP_11, &HEADERS).unwrap_err().rule(), Rule::TargetForm);
}

#[test]
fn a10_the_policy_is_asked() {
    let mut builder = Request::builder().uri("/").header("origin", "http://evil.example");
    for (name, value) in HEADERS {
        builder = builder.header(name, value);
    }
    let parts = builder.body(()).unwrap().into_parts().0;
    assert!(check(&parts, &ServerPolicy::default()).is_err());
    let any = ServerPolicy { origin: OriginPolicy::any(), ..ServerPolicy::default() };
    assert!(check(&parts, &any).is_ok());
}

#[test]
fn over_bytes_the_same_request_completes() {
    let mut head = String::from("GET / HTTP/1.1\r\n");
    for (name, value) in HEADERS {
        head += &format!("{name}: {value}\r\n");
    }
    let policy = ServerPolicy::default();
    let progress = ServerHandshake::new(&policy).receive((head + "\r\n").as_bytes()).unwrap();
    assert!(matches!(progress, Progress::Complete { .. }));
}
