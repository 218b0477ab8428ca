//! Tunnels through a SOCKS5 proxy (RFC 1928, RFC 1929).

use std::net::SocketAddr;
use std::time::Duration;

use antiphon_socket::ConnectError;
use antiphon_socket::connect::{Connector, EnvironmentFault, ProxyFault};
use tokio::io::{AsyncReadExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::support::{Identity, assert_echoes, dribble, echo_server, listen, once, through, tls_echo_server};

/// What the proxy reads (so many bytes) and then says, step by step.
type Script = Vec<(usize, Vec<u8>)>;

/// A proxy that follows a script, then opens its tunnel to `server`; and all that it read.
async fn proxy(script: Script, server: Option<SocketAddr>) -> (String, JoinHandle<Vec<u8>>) {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let (address, _) = once(move |mut stream| async move {
        let mut seen = Vec::new();
        for (length, answer) in script {
            let mut step = vec![0; length];
            if stream.read_exact(&mut step).await.is_err() {
                break;
            }
            seen.extend(step);
            if dribble(&mut stream, &answer).await.is_err() {
                break;
            }
        }
        sender.send(seen).unwrap();
        if let Some(server) = server {
            let mut onward = TcpStream::connect(server).await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut onward).await;
        }
    })
    .await;
    (address.to_string(), tokio::spawn(async { receiver.await.unwrap() }))
}

/// The head of an answer with an IPv4 address behind it.
fn reply(code: u8) -> Vec<u8> {
    vec![5, code, 0, 1, 127, 0, 0, 1, 0, 80]
}

async fn fault(url: &str, script: Script) -> ProxyFault {
    let (proxy, _) = proxy(script, None).await;
    let error = through(&format!("{url}{proxy}")).connect("ws://a.test/").await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    match error {
        ConnectError::Environment(EnvironmentFault::Proxy { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn names_are_looked_up_by_the_proxy_and_addresses_go_as_they_are() {
    let server = echo_server().await;
    let cases: [(&str, &[u8]); 3] = [
        ("ws://a.test:8080/", b"\x05\x01\x00\x03\x06a.test\x1f\x90"),
        ("ws://192.0.2.1/", b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"),
        ("ws://[2001:db8::1]/", b"\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50"),
    ];
    for scheme in ["socks5", "socks5h"] {
        for (url, request) in cases {
            let (proxy, seen) = proxy(vec![(3, vec![5, 0]), (request.len(), reply(0))], Some(server)).await;
            let (mut socket, _) = through(&format!("{scheme}://{proxy}")).connect(url).await.unwrap();
            assert_echoes(&mut socket).await;
            assert_eq!(seen.await.unwrap(), [b"\x05\x01\x00", request].concat(), "{url}");
        }
    }
}

#[tokio::test]
async fn wss_goes_through() {
    let identity = Identity::new(&["a.test"]);
    let server = tls_echo_server(&identity).await;
    let (proxy, _seen) = proxy(vec![(3, vec![5, 0]), (13, reply(0))], Some(server)).await;
    let connector = Connector { tls: identity.trusted(), ..through(&format!("socks5://{proxy}")) };
    assert_echoes(&mut connector.connect("wss://a.test/").await.unwrap().0).await;
}

#[tokio::test]
async fn every_form_of_the_bound_address_is_read_to_its_end() {
    let server = echo_server().await;
    let v6 = [vec![5, 0, 0, 4], vec![0; 16], vec![0, 80]].concat();
    let longest = [vec![5, 0, 0, 3, 255], vec![b'x'; 255], vec![0, 80]].concat();
    let empty = vec![5, 0, 0, 3, 0, 0, 80];
    for answer in [v6, longest, empty] {
        let (proxy, _seen) = proxy(vec![(3, vec![5, 0]), (13, answer)], Some(server)).await;
        let (mut socket, _) = through(&format!("socks5://{proxy}")).connect("ws://a.test/").await.unwrap();
        assert_echoes(&mut socket).await;
    }
}

#[tokio::test]
async fn user_and_password_are_sent_if_the_proxy_wants_them() {
    let server = echo_server().await;
    let script = vec![(4, vec![5, 2]), (14, vec![1, 0]), (13, reply(0))];
    let (proxy, seen) = proxy(script, Some(server)).await;
    let (mut socket, _) =
        through(&format!("socks5://user:sec%3Aret@{proxy}")).connect("ws://a.test/").await.unwrap();
    assert_echoes(&mut socket).await;
    assert_eq!(
        seen.await.unwrap(),
        b"\x05\x02\x00\x02\x01\x04user\x07sec:ret\x05\x01\x00\x03\x06a.test\x00\x50"
    );
}

#[tokio::test]
async fn refused_credentials_are_told_apart_from_missing_ones() {
    let refused = fault("socks5://user:secret@", vec![(4, vec![5, 2]), (13, vec![1, 1])]).await;
    assert!(matches!(refused, ProxyFault::Credentials { sent: true, .. }), "{refused:?}");
    let missing = fault("socks5://", vec![(3, vec![5, 0xff])]).await;
    assert!(matches!(missing, ProxyFault::Credentials { sent: false, .. }), "{missing:?}");
    // A proxy that chooses what was not offered gets no password.
    let unasked = fault("socks5://", vec![(3, vec![5, 2])]).await;
    assert!(matches!(unasked, ProxyFault::Protocol(_)), "{unasked:?}");
}

#[tokio::test]
async fn every_reply_code_is_a_sentence() {
    for code in 1..=255 {
        let found = fault("socks5://", vec![(3, vec![5, 0]), (13, reply(code))]).await;
        assert!(matches!(found, ProxyFault::Reply(found) if found == code), "{found:?}");
        if code == 5 {
            assert_eq!(found.to_string(), "answered with SOCKS5 code 5: the connection was refused");
        }
    }
}

#[tokio::test]
async fn what_is_no_socks5_is_no_proxy() {
    for script in [
        vec![(3, b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())],
        vec![(3, vec![4, 0])],
        vec![(3, vec![5, 1])],
        vec![(3, vec![5, 0]), (13, vec![4, 0, 0, 1, 0, 0, 0, 0, 0, 0])],
        vec![(3, vec![5, 0]), (13, vec![5, 0, 0, 9])],
        vec![(3, vec![5, 0]), (13, vec![5, 0, 7, 1])],
    ] {
        let found = fault("socks5://", script).await;
        assert!(matches!(found, ProxyFault::Protocol(_)), "{found:?}");
    }
    for script in [vec![], vec![(3, vec![5])], vec![(3, vec![5, 0]), (13, vec![5, 0, 0, 1, 127])]] {
        let found = fault("socks5://", script).await;
        assert!(matches!(found, ProxyFault::Stream(_)), "{found:?}");
    }
}

#[tokio::test]
async fn a_silent_proxy_is_given_up() {
    let (_listener, address) = listen().await;
    let mut connector = through(&format!("socks5://{address}"));
    connector.timeouts.reach = Duration::from_millis(100);
    let error = connector.connect("ws://a.test/").await.unwrap_err();
    assert_eq!(error.to_string(), "waiting for the proxy took longer than 100ms");
}
