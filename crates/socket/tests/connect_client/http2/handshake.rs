//! The request and the answer: rules 75 to 77.

use std::sync::{Arc, Mutex};

use antiphon_socket::ConnectError;
use antiphon_socket::connect::{CallerFault, Connector, Http2, Http2Fault, PeerFault};
use antiphon_socket::proto::deflate::Offer;
use antiphon_socket::proto::handshake::{ClientError, Rule, UriError};
use h2::ext::Protocol;
use h2::server::Builder;
use hyper::body::Bytes;
use hyper::http::request;
use hyper::{Method, Response};

use super::peer::{HEADERS, RST_STREAM, RawPeer, answer, connected};
use crate::support::connector;

/// A client of a server that answers everything so, and what the server was asked.
async fn answering(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> (Http2, Arc<Mutex<Vec<request::Parts>>>) {
    let (client, server) = connected(&mut Builder::new()).await;
    let asked = Arc::<Mutex<Vec<_>>>::default();
    let keep = Arc::clone(&asked);
    answer(server, move |request, mut respond| {
        keep.lock().unwrap().push(request.into_parts().0);
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let mut stream = respond.send_response(response.body(()).unwrap(), false).unwrap();
        if !body.is_empty() {
            stream.send_data(Bytes::from_static(body.as_bytes()), true).unwrap();
        } else {
            // Kept open.
            tokio::spawn(async move { std::future::poll_fn(|cx| stream.poll_reset(cx)).await });
        }
    });
    (client, asked)
}

#[tokio::test]
async fn f75_all_pseudo_headers_and_f76_nothing_of_http_1() {
    let (client, asked) = answering(200, &[], "").await;
    let request = client.request("/chat?room=1").unwrap();
    let request = request.origin("https://a.example").unwrap();
    let request = request.subprotocol("a").unwrap().subprotocol("b").unwrap();
    let request = request.deflate(Offer::default()).unwrap();
    let request = request.header("Authorization", "Bearer abc").unwrap();
    // These are about a connection of HTTP/1.1.
    let request = request.header("Keep-Alive", "timeout=5").unwrap();
    client.open_request(request).await.unwrap();

    let asked = asked.lock().unwrap();
    let parts = &asked[0];
    assert_eq!(parts.method, Method::CONNECT);
    assert_eq!(parts.extensions.get::<Protocol>().map(Protocol::as_str), Some("websocket"));
    assert_eq!(parts.uri, "http://a.test:81/chat?room=1");
    let mut fields: Vec<_> =
        parts.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            ("authorization", "Bearer abc"),
            ("origin", "https://a.example"),
            ("sec-websocket-extensions", &*Offer::default().to_string()),
            ("sec-websocket-protocol", "a, b"),
            ("sec-websocket-version", "13"),
        ]
    );
}

#[tokio::test]
async fn f77_any_2xx_opens_a_socket_with_what_was_agreed() {
    for status in [200, 201, 299] {
        let headers = &[
            ("sec-websocket-protocol", "b"),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("x-a", "1"),
        ];
        let (client, _) = answering(status, headers, "").await;
        let request = client.request("/").unwrap().subprotocol("a").unwrap().subprotocol("b").unwrap();
        let request = request.deflate(Offer::default()).unwrap();
        let (_socket, response) = client.open_request(request).await.unwrap();
        assert_eq!(response.agreed().subprotocol.as_deref(), Some("b"));
        assert!(response.agreed().deflate.is_some());
        assert_eq!(response.header("X-A"), Some(&b"1"[..]));
    }
}

#[tokio::test]
async fn f77_the_answer_obeys_the_rules_of_rfc_6455() {
    let cases: [(&'static [(&str, &str)], Rule); 5] = [
        (&[("sec-websocket-protocol", "c")], Rule::SubprotocolUnoffered),
        (&[("sec-websocket-protocol", "a, b")], Rule::SubprotocolSeveral),
        (&[("sec-websocket-extensions", "permessage-deflate")], Rule::ExtensionUnoffered),
        (&[("sec-websocket-extensions", "x-other")], Rule::ExtensionUnoffered),
        (&[], Rule::SubprotocolMissing),
    ];
    for (headers, rule) in cases {
        let (client, _) = answering(200, headers, "").await;
        let request = client.request("/").unwrap().subprotocol("a").unwrap().subprotocol("b").unwrap();
        let error = client.open_request(request.needs_subprotocol(true)).await.unwrap_err();
        match error {
            ConnectError::Peer(PeerFault::Handshake(ClientError::Violation(violation))) => {
                assert_eq!(violation.rule(), rule);
            }
            other => panic!("{rule}: {other}"),
        }
    }
}

#[tokio::test]
async fn f77_another_status_is_an_error_with_headers_and_a_bounded_body() {
    for (status, limit, kept, truncated) in [(404, 100, "nothing is here", false), (302, 7, "nothing", true)]
    {
        let (client, _) = answering(status, &[("location", "/else")], "nothing is here").await;
        let request = client.request("/").unwrap().body_limit(limit);
        let error = client.open_request(request).await.unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("the server answered {status} instead of a 2xx")),
            "{error}"
        );
        let rejection = error.rejection().unwrap();
        assert_eq!(rejection.status(), status);
        assert_eq!(rejection.header("location"), Some(&b"/else"[..]));
        assert_eq!((rejection.body(), rejection.is_truncated()), (kept.as_bytes(), truncated));
    }
}

#[tokio::test(start_paused = true)]
async fn f77_a_refusal_whose_body_does_not_end_is_told_at_the_deadline() {
    let (client, _) = answering(503, &[], "").await;
    let error = client.open("/").await.unwrap_err();
    let rejection = error.rejection().unwrap();
    assert_eq!((rejection.status(), rejection.is_truncated()), (503, true));
}

#[tokio::test]
async fn a_refused_handshake_resets_the_stream() {
    let (mut peer, client) = RawPeer::connected(&connector()).await;
    let (error, code) = tokio::join!(client.open("/"), async {
        let request = peer.until(HEADERS).await;
        // `:status: 200`, and a literal without a name in the table.
        let mut block = vec![0x88, 0x00, 22];
        block.extend(b"sec-websocket-protocol");
        block.extend([1, b'x']);
        peer.send(HEADERS, 4, request.stream, &block).await;
        peer.until(RST_STREAM).await.number()
    });
    assert!(matches!(error.unwrap_err(), ConnectError::Peer(PeerFault::Handshake(_))));
    assert_eq!(code, 8, "CANCEL");
}

#[tokio::test]
async fn a_stream_that_is_reset_instead_of_answered_names_the_code() {
    let (mut peer, client) = RawPeer::connected(&connector()).await;
    let (error, ()) = tokio::join!(client.open("/"), async {
        let request = peer.until(HEADERS).await;
        peer.send(RST_STREAM, 0, request.stream, &7u32.to_be_bytes()).await;
    });
    let error = error.unwrap_err();
    assert!(matches!(error, ConnectError::Peer(PeerFault::Http2(Http2Fault::Reset(7)))), "{error}");
    assert!(error.to_string().contains("REFUSED_STREAM"), "{error}");
    assert!(client.is_usable(), "the connection goes on");
}

#[tokio::test]
async fn a_request_for_another_server_is_the_callers_fault() {
    let (client, asked) = answering(200, &[], "").await;
    for url in ["ws://b.test:81/", "ws://a.test/", "wss://a.test:81/"] {
        let error = client.open_request(url).await.unwrap_err();
        assert!(matches!(error, ConnectError::Caller(CallerFault::OtherServer { .. })), "{error}");
    }
    for (path, byte) in [("/a b", b' '), ("/a`b", b'`'), ("/<", b'<')] {
        let error = client.open(path).await.unwrap_err();
        assert!(
            matches!(error, ConnectError::Caller(CallerFault::Url(UriError::Resource(found))) if found == byte),
            "{path}: {error}"
        );
    }
    assert!(asked.lock().unwrap().is_empty());
    client.open_request("ws://A.test:81/same").await.unwrap();
}

#[tokio::test]
async fn a_stream_of_the_callers_does_not_carry_wss_in_the_clear() {
    let (near, _far) = tokio::io::duplex(1024);
    let error = Connector::default().http2_on(near, "wss://a.test").await.unwrap_err();
    assert!(matches!(error, ConnectError::Caller(CallerFault::NotSecured)), "{error}");
}
