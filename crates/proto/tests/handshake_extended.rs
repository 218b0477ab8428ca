//! Extended CONNECT (RFC 8441, RFC 9220) at the client, and refusals of it: rules 75 to 77. What a server checks is in `handshake_http`.
#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use antiphon_proto::deflate::Offer;
use antiphon_proto::handshake::{
    ClientError, ClientRequest, ExtendedHandshake, HeadLimits, PROTOCOL, Response, Rule,
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

#[cfg(feature = "http")]
#[test]
fn f76_a_refusal_says_nothing_of_the_connection() {
    use antiphon_proto::handshake::{ServerPolicy, http::check_connect};

    let request = |version: &str| {
        let builder = http::Request::builder().method("CONNECT").version(http::Version::HTTP_2);
        let builder = builder.uri("https://a.test/chat").header("sec-websocket-version", version);
        builder.body(()).unwrap().into_parts().0
    };
    let policy = ServerPolicy::default();
    let version = check_connect(&request("8"), Some(PROTOCOL), &policy).unwrap_err();
    let protocol = check_connect(&request("13"), Some("x"), &policy).unwrap_err();
    let own = check_connect(&request("13"), Some(PROTOCOL), &policy).unwrap().refuse(426, "Not like this.");
    for (refusal, status) in [(&version, 400), (&protocol, 501), (&own, 400)] {
        let response = refusal.to_http();
        assert_eq!(response.status(), status, "a 426 is not sent without Upgrade");
        for name in ["connection", "upgrade"] {
            assert!(!response.headers().contains_key(name), "{name}");
        }
    }
    assert_eq!(version.to_http().headers()["sec-websocket-version"], "13");
}
