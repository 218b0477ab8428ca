//! `wss` (RFC 6455 §4.1, item 5): who the server is, and that nobody else reads.

use std::sync::Arc;
use std::time::Duration;

use antiphon_socket::connect::{CallerFault, Connector, PeerFault};
use antiphon_socket::proto::{Cause, Eof};
use antiphon_socket::{ConnectError, TlsOptions, client};
use tokio::io::{AsyncWriteExt, duplex};

use crate::support::{
    Identity, assert_echoes, connector, listen, once, read_all, read_head, switching, through,
    tls_echo_server,
};

fn trusting(identity: &Identity) -> Connector {
    Connector { tls: identity.trusted(), ..connector() }
}

/// The first byte of a TLS handshake record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 0x16;
const ALERT: u8 = 0x15;

/// Every record has its head; no other byte stands between them.
fn assert_only_tls(bytes: &[u8]) {
    assert_eq!(bytes.first(), Some(&HANDSHAKE), "{:?}", bytes.escape_ascii().to_string());
    let mut rest = bytes;
    while let [kind, 3, _, high, low, after @ ..] = rest {
        assert!(matches!(*kind, HANDSHAKE | ALERT | 0x14 | 0x17), "record of type {kind}");
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        rest = after.get(length..).unwrap_or_default();
    }
    assert!(rest.is_empty(), "{:?}", rest.escape_ascii().to_string());
    assert!(!bytes.windows(4).any(|part| part == b"GET "));
}

#[tokio::test]
async fn wss_echoes() {
    let identity = Identity::new(&["a.test"]);
    let server = tls_echo_server(&identity).await;
    let url = format!("wss://a.test:{}/", server.port());
    let (mut socket, _) = trusting(&identity).connect(&url).await.unwrap();
    assert!(socket.get_ref().is_secure());
    assert_echoes(&mut socket).await;
}

#[tokio::test]
async fn advisory_wss_is_never_connected_in_clear() {
    // To a server that says nothing, one that speaks HTTP, and one that says 101 before it is asked.
    let upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    for answer in ["", "HTTP/1.1 400 Bad Request\r\n\r\n", upgrade] {
        let (address, seen) = once(move |mut stream| async move {
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            read_all(stream).await
        })
        .await;
        let url = format!("wss://a.test:{}/secret", address.port());
        let error = connector().connect(&url).await.unwrap_err();
        assert!(matches!(error, ConnectError::Peer(PeerFault::Tls { .. })), "{error}");
        assert_only_tls(&seen.await.unwrap());
    }
}

#[tokio::test]
async fn advisory_wss_is_never_in_clear_through_a_proxy() {
    let (address, seen) = once(|mut stream| async move {
        let head = read_head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        (head, read_all(stream).await)
    })
    .await;
    let error = through(&format!("http://{address}")).connect("wss://a.test/secret").await.unwrap_err();
    assert!(matches!(error, ConnectError::Peer(PeerFault::Tls { .. })), "{error}");
    let (head, rest) = seen.await.unwrap();
    assert_eq!(head, "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
    assert_only_tls(&rest);
}

#[tokio::test]
async fn advisory_wss_is_not_opened_on_a_plain_stream() {
    let (near, far) = duplex(1024);
    let error = client(near, "wss://a.test/").await.unwrap_err();
    assert!(matches!(error, ConnectError::Caller(CallerFault::NotSecured)), "{error}");
    assert!(read_all(far).await.is_empty());
}

#[tokio::test]
async fn advisory_hostname_and_certificate_are_verified_by_default() {
    let cases = [
        ("another name", Identity::new(&["b.test"]), "NotValidForName"),
        ("a name below", Identity::new(&["sub.a.test"]), "NotValidForName"),
        ("a wildcard above", Identity::new(&["*.test.a"]), "NotValidForName"),
        ("an address", Identity::new(&["127.0.0.1"]), "NotValidForName"),
        ("expired", Identity::expired(&["a.test"]), "expired"),
    ];
    for (what, identity, says) in cases {
        let server = tls_echo_server(&identity).await;
        let url = format!("wss://a.test:{}/", server.port());
        // The root is trusted: it is the certificate that is refused.
        let error = trusting(&identity).connect(&url).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ConnectError::Peer(PeerFault::Tls { .. })), "{what}: {text}");
        assert!(
            text.contains("a.test") && format!("{error:?}").to_lowercase().contains(&says.to_lowercase()),
            "{what}: {error:?}"
        );
        // And by whoever trusts the platform's roots alone.
        let error = connector().connect(&url).await.unwrap_err();
        assert!(matches!(error, ConnectError::Peer(PeerFault::Tls { .. })), "{what}: {error}");
    }
}

#[tokio::test]
async fn advisory_self_signed_and_unknown_issuers_fail_by_default() {
    let other = Identity::new(&["a.test"]);
    for identity in [Identity::self_signed(&["a.test"]), Identity::new(&["a.test"])] {
        let server = tls_echo_server(&identity).await;
        let url = format!("wss://a.test:{}/", server.port());
        for connector in [connector(), trusting(&other)] {
            let error = connector.connect(&url).await.unwrap_err();
            assert!(matches!(error, ConnectError::Peer(PeerFault::Tls { .. })), "{error}");
            assert!(error.to_string().contains("add its root certificate"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_added_root_is_trusted_beside_the_platforms() {
    let identity = Identity::new(&["a.test"]);
    let server = tls_echo_server(&identity).await;
    let tls = Arc::new(TlsOptions::default().add_root_pem(identity.root.as_bytes()).unwrap());
    let connector = Connector { tls, ..connector() };
    let url = format!("wss://a.test:{}/", server.port());
    assert_echoes(&mut connector.connect(&url).await.unwrap().0).await;
}

#[test]
fn a_root_that_is_none_is_refused_when_it_is_added() {
    for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"] {
        let error = TlsOptions::default().add_root_pem(pem.as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with("no root certificate can be read"), "{error}");
    }
}

#[tokio::test]
async fn the_dangerous_option_accepts_what_is_refused_otherwise() {
    let tls = Arc::new(TlsOptions::default().dangerously_accept_any_certificate());
    let connector = Connector { tls, ..connector() };
    for identity in [Identity::self_signed(&["b.test"]), Identity::expired(&["a.test"])] {
        let server = tls_echo_server(&identity).await;
        let url = format!("wss://a.test:{}/", server.port());
        assert_echoes(&mut connector.connect(&url).await.unwrap().0).await;
    }
}

#[tokio::test]
async fn req_34_sni_is_the_name_and_alpn_is_http_1_1() {
    let identity = Identity::new(&["a.test", "127.0.0.1", "::1"]);
    for (host, sni) in [
        ("a.test", Some("a.test")),
        ("A.Test", Some("a.test")),
        ("a.test.", Some("a.test")),
        ("127.0.0.1", None),
    ] {
        let acceptor = identity.acceptor();
        let (address, seen) = once(move |stream| async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let (_, tls) = stream.get_ref();
            let seen = (tls.server_name().map(str::to_owned), tls.alpn_protocol().map(<[u8]>::to_vec));
            stream.shutdown().await.unwrap();
            seen
        })
        .await;
        let url = format!("wss://{host}:{}/", address.port());
        let error = trusting(&identity).connect(&url).await.unwrap_err();
        assert!(matches!(error, ConnectError::Peer(PeerFault::Handshake(_))), "{error}");
        assert_eq!(seen.await.unwrap(), (sni.map(str::to_owned), Some(b"http/1.1".to_vec())), "{host}");
    }
}

#[tokio::test]
async fn an_address_is_verified_as_an_address() {
    let listed = Identity::new(&["127.0.0.1"]);
    let server = tls_echo_server(&listed).await;
    let url = format!("wss://127.0.0.1:{}/", server.port());
    assert_echoes(&mut trusting(&listed).connect(&url).await.unwrap().0).await;

    let other = Identity::new(&["localhost", "127.0.0.2"]);
    let server = tls_echo_server(&other).await;
    let url = format!("wss://127.0.0.1:{}/", server.port());
    let error = trusting(&other).connect(&url).await.unwrap_err();
    assert!(matches!(error, ConnectError::Peer(PeerFault::Tls { .. })), "{error}");
}

#[tokio::test]
async fn tls_on_a_stream_of_the_callers() {
    let identity = Identity::new(&["a.test"]);
    let (near, far) = duplex(1024);
    let acceptor = identity.acceptor();
    tokio::spawn(async move { crate::support::echo(acceptor.accept(far).await.unwrap()).await });
    let (mut socket, _) = trusting(&identity).open_tls(near, "wss://a.test/").await.unwrap();
    assert_echoes(&mut socket).await;
}

#[tokio::test]
async fn req_59_tls_truncation_is_told_apart_from_an_end_in_order() {
    let identity = Identity::new(&["a.test"]);
    for (in_order, expected) in [(true, Eof::Clean), (false, Eof::Truncated)] {
        let acceptor = identity.acceptor();
        let (address, _) = once(move |stream| async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let head = read_head(&mut stream).await.unwrap();
            stream.write_all(&switching(&head, b"")).await.unwrap();
            stream.flush().await.unwrap();
            if in_order {
                stream.shutdown().await.unwrap();
            } else {
                // The FIN of TCP alone, as somebody on the way could send it.
                let (tcp, _) = stream.get_mut();
                tcp.shutdown().await.unwrap();
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        })
        .await;
        let url = format!("wss://a.test:{}/", address.port());
        let (mut socket, _) = trusting(&identity).connect(&url).await.unwrap();
        let error = socket.recv().await.unwrap_err();
        assert_eq!(error.end().unwrap().cause, Cause::Eof(expected), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_stalls_in_tls_is_given_up() {
    let (listener, address) = listen().await;
    let mut connector = connector();
    connector.timeouts.reach = Duration::from_millis(100);
    let error = connector.connect(&format!("wss://a.test:{}/", address.port())).await.unwrap_err();
    assert_eq!(error.to_string(), "setting up TLS took longer than 100ms");
    drop(listener);
}
