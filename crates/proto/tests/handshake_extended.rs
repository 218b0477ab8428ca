//! Extended CONNECT (RFC 8441, RFC 9220), both roles: rules 75 to 77 of the handshake's own.
#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use antiphon_proto::deflate::{DeflateConfig, Offer};
use antiphon_proto::handshake::{
    Acceptance, ClientError, ClientRequest, ExtendedHandshake, ExtendedRequest, HeadLimits, Opening,
    OriginPolicy, PROTOCOL, Refusal, Response, Rule, ServerPolicy,
};

type Fields<'a> = &'a [(&'a str, &'a str)];

fn request() -> ClientRequest {
    ClientRequest::new("wss://a.test/chat?x=1".parse().unwrap())
}

fn bytes<'a>(fields: Fields<'a>) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    fields.iter().map(|(name, value)| (*name, value.as_bytes()))
}

fn answered(
    request: ClientRequest,
    status: u16,
    fields: Fields<'_>,
) -> Result<Option<Response>, ClientError> {
    ExtendedHandshake::new(request).receive_head(status, bytes(fields))
}

fn rule(answer: Result<Option<Response>, ClientError>) -> Rule {
    match answer {
        Err(ClientError::Violation(violation)) => violation.rule(),
        other => panic!("{other:?}"),
    }
}

const GOOD: ExtendedRequest<'static, ()> = ExtendedRequest {
    method: "CONNECT",
    protocol: PROTOCOL,
    scheme: Some("https"),
    authority: Some("a.test"),
    path: Some("/chat"),
    headers: (),
};

fn checked(request: ExtendedRequest<'static, ()>, fields: Fields<'_>) -> Result<Opening, Refusal> {
    let ExtendedRequest { method, protocol, scheme, authority, path, headers: () } = request;
    let headers = bytes(fields);
    let request = ExtendedRequest { method, protocol, scheme, authority, path, headers };
    Opening::check_extended(request, &ServerPolicy::default())
}

const VERSION: (&str, &str) = ("sec-websocket-version", "13");

#[test]
fn f75_a_client_fills_every_pseudo_header() {
    let handshake = ExtendedHandshake::new(request());
    assert_eq!((handshake.scheme(), handshake.path()), ("https", "/chat?x=1"));
    assert_eq!(handshake.authority(), "a.test");
    let clear = ClientRequest::new("ws://[::1]:81/".parse().unwrap());
    let handshake = ExtendedHandshake::new(clear);
    assert_eq!((handshake.scheme(), handshake.authority()), ("http", "[::1]:81".to_owned()));
}

#[test]
fn f76_a_client_sends_nothing_of_http_1() {
    let request = request().origin("https://b.test").unwrap().subprotocol("a").unwrap();
    let request = request.deflate(Offer::default()).unwrap();
    let request = request.header("X-A", "1").unwrap().header("Proxy-Connection", "close").unwrap();
    let fields = ExtendedHandshake::new(request).fields();
    let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
    let expected =
        ["sec-websocket-version", "origin", "sec-websocket-protocol", "sec-websocket-extensions", "x-a"];
    assert_eq!(names, expected);
    for name in ["Upgrade", "Connection", "Host", "TE", "Sec-WebSocket-Key", "Transfer-Encoding"] {
        assert!(self::request().header(name, "x").is_err(), "{name}");
    }
}

#[test]
fn f77_a_2xx_opens_and_other_statuses_refuse() {
    for status in 200..=599 {
        let mut handshake = ExtendedHandshake::new(request());
        let opened = handshake.receive_head(status, bytes(&[("x-a", "1")])).unwrap();
        assert_eq!(opened.is_some(), status < 300, "{status}");
        match opened {
            Some(response) => assert_eq!(response.header("X-A"), Some(&b"1"[..])),
            None => {
                handshake.receive_body(b"no").unwrap();
                let ClientError::Rejected(rejection) = handshake.handle_eof() else { panic!("{status}") };
                assert_eq!((rejection.status(), rejection.body()), (status, &b"no"[..]));
                assert!(!rejection.is_truncated());
                assert_eq!(rejection.headers().collect::<Vec<_>>(), [("x-a", &b"1"[..])]);
            }
        }
    }
}

#[test]
fn f77_a_body_is_kept_up_to_the_limit() {
    let mut handshake = ExtendedHandshake::new(request().body_limit(3));
    handshake.receive_head(404, bytes(&[("content-length", "9")])).unwrap();
    handshake.receive_body(b"no").unwrap();
    let Err(ClientError::Rejected(rejection)) = handshake.receive_body(b"thing") else { panic!() };
    assert_eq!((rejection.body(), rejection.is_truncated()), (&b"not"[..], true));
    assert!(matches!(handshake.receive_body(b""), Err(ClientError::Over)));
    assert!(matches!(handshake.handle_eof(), ClientError::Over));
}

#[test]
fn f77_a_client_checks_what_was_agreed() {
    let offering = || request().subprotocol("a").unwrap();
    let protocol = |value| [("sec-websocket-protocol", value)];
    assert_eq!(rule(answered(offering(), 200, &protocol("b"))), Rule::SubprotocolUnoffered);
    assert_eq!(rule(answered(offering(), 200, &protocol("a,a"))), Rule::SubprotocolSeveral);
    assert_eq!(rule(answered(offering().needs_subprotocol(true), 200, &[])), Rule::SubprotocolMissing);
    let extension = [("sec-websocket-extensions", "permessage-deflate")];
    assert_eq!(rule(answered(request(), 200, &extension)), Rule::ExtensionUnoffered);
    let agreed =
        answered(offering().deflate(Offer::default()).unwrap(), 200, &[extension[0], protocol("a")[0]]);
    let agreed = agreed.unwrap().unwrap().agreed().clone();
    assert!(agreed.deflate.is_some());
    assert_eq!(agreed.subprotocol.as_deref(), Some("a"));
}

/// A library that hands on what is no field, or too many, does not get past this.
#[test]
fn the_head_of_a_response_has_limits() {
    let limits = HeadLimits { bytes: 60, headers: 2, ..HeadLimits::default() };
    let long = "x".repeat(50);
    let cases: [(Fields<'_>, Rule); 4] = [
        (&[("a", "1"), ("b", "2"), ("c", "3")], Rule::TooManyHeaders),
        (&[("a", &long)], Rule::HeadTooLarge),
        (&[("a", "1\r\nb: 2")], Rule::ControlByte),
        (&[("a b", "1")], Rule::HeaderName),
    ];
    for (fields, expected) in cases {
        assert_eq!(rule(answered(request().limits(limits), 200, fields)), expected);
    }
}

#[test]
fn a_client_that_hears_nothing_says_so() {
    assert!(matches!(ExtendedHandshake::new(request()).handle_eof(), ClientError::NoResponse));
    assert!(matches!(ExtendedHandshake::new(request()).handle_timeout(), ClientError::Timeout));
}

#[test]
fn f75_a_server_wants_every_pseudo_header() {
    let cases = [
        (ExtendedRequest { method: "GET", ..GOOD }, Rule::ExtendedConnect, 400),
        (ExtendedRequest { protocol: "connect-udp", ..GOOD }, Rule::Protocol, 501),
        (ExtendedRequest { protocol: "WebSocket", ..GOOD }, Rule::Protocol, 501),
        (ExtendedRequest { scheme: None, ..GOOD }, Rule::PseudoHeaders, 400),
        (ExtendedRequest { scheme: Some("wss"), ..GOOD }, Rule::PseudoHeaders, 400),
        (ExtendedRequest { authority: None, ..GOOD }, Rule::PseudoHeaders, 400),
        (ExtendedRequest { authority: Some("a b"), ..GOOD }, Rule::HostInvalid, 400),
        (ExtendedRequest { path: None, ..GOOD }, Rule::PseudoHeaders, 400),
        (ExtendedRequest { path: Some("*"), ..GOOD }, Rule::PseudoHeaders, 400),
    ];
    checked(GOOD, &[VERSION]).unwrap();
    for (request, rule, status) in cases {
        let refusal = checked(request, &[VERSION]).unwrap_err();
        assert_eq!((refusal.rule(), refusal.status()), (rule, status), "{request:?}");
    }
}

#[test]
fn f77_a_server_checks_the_fields_as_over_http_1() {
    let cases: [(Fields<'_>, Rule, u16); 8] = [
        (&[], Rule::Version, 400),
        (&[("sec-websocket-version", "8")], Rule::Version, 400),
        (&[VERSION, VERSION], Rule::Version, 400),
        (&[VERSION, ("host", "b.test")], Rule::HostDiffers, 400),
        (&[VERSION, ("content-length", "1")], Rule::Body, 400),
        (&[VERSION, ("origin", "https://b.test")], Rule::OriginForeign, 403),
        (&[VERSION, ("sec-websocket-protocol", "a, a")], Rule::SubprotocolRepeated, 400),
        (&[VERSION, ("sec-websocket-extensions", "=")], Rule::ExtensionSyntax, 400),
    ];
    for (fields, rule, status) in cases {
        let refusal = checked(GOOD, fields).unwrap_err();
        assert_eq!((refusal.rule(), refusal.status()), (rule, status), "{fields:?}");
    }
    let same = [VERSION, ("host", "A.TEST"), ("origin", "https://a.test")];
    assert_eq!(checked(GOOD, &same).unwrap().origin(), Some("https://a.test"));
}

#[test]
fn f76_a_refusal_says_nothing_of_the_connection() {
    let version = checked(GOOD, &[]).unwrap_err();
    let own = checked(GOOD, &[VERSION]).unwrap().refuse(426, "Not like this.");
    for refusal in [&version, &own] {
        for (name, _) in refusal.headers() {
            assert!(!["connection", "upgrade"].contains(&&*name.to_ascii_lowercase()), "{name}");
        }
        assert_eq!(refusal.status(), 400, "a 426 is not sent without Upgrade");
    }
    assert!(version.headers().any(|header| header == ("Sec-WebSocket-Version", "13")));
}

#[cfg(feature = "http")]
#[test]
fn f76_and_f77_a_server_accepts_with_200_and_what_was_agreed() {
    let fields = [
        VERSION,
        ("sec-websocket-protocol", "a, b"),
        ("sec-websocket-extensions", "permessage-deflate"),
        // Not used, and no reason to refuse.
        ("sec-websocket-key", "x"),
    ];
    let opening = checked(GOOD, &fields).unwrap();
    assert!(opening.is_extended());
    assert_eq!((opening.host(), opening.key()), ("a.test", None));
    let deflate = DeflateConfig::default();
    let acceptance = Acceptance { subprotocols: &["b"], deflate: Some(&deflate), headers: &[("x-a", "1")] };
    let (response, agreed) = opening.accept_http(&acceptance).unwrap();
    assert_eq!(response.status(), 200);
    let mut names: Vec<_> = response.headers().keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["sec-websocket-extensions", "sec-websocket-protocol", "x-a"]);
    assert_eq!(agreed.subprotocol.as_deref(), Some("b"));
    assert!(agreed.deflate.is_some());
}

#[cfg(feature = "http")]
#[test]
fn the_types_of_http_are_checked_alike() {
    use antiphon_proto::handshake::http::{check, check_extended};

    let request = http::Request::builder()
        .method("CONNECT")
        .version(http::Version::HTTP_2)
        .uri("https://a.test/chat?x=1")
        .header("sec-websocket-version", " 13 ");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let policy = ServerPolicy { origin: OriginPolicy::default(), ..ServerPolicy::default() };
    assert_eq!(check_extended(&parts, PROTOCOL, &policy).unwrap().host(), "a.test");
    assert_eq!(check_extended(&parts, "x", &policy).unwrap_err().status(), 501);
    // A CONNECT without `:protocol` is for a proxy.
    let refusal = check(&parts, &policy).unwrap_err();
    assert_eq!((refusal.rule(), refusal.status()), (Rule::ExtendedConnect, 400));
    assert!(!refusal.to_http().headers().contains_key("connection"));
}
