//! Which HTTP a connector takes: rules 34 and 74, and RFC 9113 §3.3 and §7.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use antiphon_socket::ConnectError;
use antiphon_socket::connect::{ClientStream, Connector, Http2Fault, HttpVersion, PeerFault};
use h2::Reason;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use super::peer::serve;
use crate::support::{Identity, assert_echoes, connector, echo, read_head, server, through};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over2 {
    TakesWebSockets,
    TakesNone,
    RequiresHttp1,
}

/// A server over TLS with these protocols, and how many connections it has had.
async fn tls_server(identity: &Identity, protocols: &[&str], over2: Over2) -> (SocketAddr, Arc<AtomicU32>) {
    let acceptor = identity.acceptor_of(protocols);
    let connections = Arc::<AtomicU32>::default();
    let counted = Arc::clone(&connections);
    let address = server(move |stream| {
        counted.fetch_add(1, Ordering::Relaxed);
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                return echo(stream).await;
            }
            if over2 != Over2::RequiresHttp1 {
                return serve(stream, over2 == Over2::TakesWebSockets).await;
            }
            let mut builder = h2::server::Builder::new();
            let mut connection =
                builder.enable_connect_protocol().handshake::<_, hyper::body::Bytes>(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                respond.send_reset(Reason::HTTP_1_1_REQUIRED);
            }
        }
    })
    .await;
    (address, connections)
}

#[tokio::test]
async fn wss_takes_the_http_that_both_have() {
    use HttpVersion::{Http1, Http2, Negotiated};
    use Over2::{RequiresHttp1, TakesNone, TakesWebSockets};
    let identity = Identity::new(&["a.test"]);
    let both = &["h2", "http/1.1"][..];
    // What is wanted, what the server has, whether the socket is over HTTP/2, and after how many connections.
    let cases = [
        (Http1, both, TakesWebSockets, false, 1),
        (Negotiated, both, TakesWebSockets, true, 1),
        (Negotiated, both, TakesNone, false, 2),
        (Negotiated, both, RequiresHttp1, false, 2),
        (Negotiated, &["http/1.1"], TakesWebSockets, false, 1),
        (Negotiated, &[], TakesWebSockets, false, 1),
        (Http2, both, TakesWebSockets, true, 1),
        (Http2, &["h2"], TakesWebSockets, true, 1),
    ];
    for case in cases {
        let (http, protocols, over2, over_http2, expected) = case;
        let (address, connections) = tls_server(&identity, protocols, over2).await;
        let connector = Connector { http, tls: identity.trusted(), ..connector() };
        let (mut socket, _) = connector.connect(&format!("wss://a.test:{}/", address.port())).await.unwrap();
        let stream: &ClientStream = socket.get_ref();
        assert!(stream.is_secure(), "{case:?}");
        assert_eq!(stream.is_http2(), over_http2, "{case:?}");
        assert_eq!(stream.peer_address(), address);
        assert_echoes(&mut socket).await;
        assert_eq!(connections.load(Ordering::Relaxed), expected, "{case:?}");
    }
}

#[tokio::test]
async fn http_2_alone_does_not_fall_back() {
    let identity = Identity::new(&["a.test"]);
    let both = &["h2", "http/1.1"][..];
    type Expected = fn(&PeerFault) -> bool;
    let cases: [(&[&str], Over2, Expected); 4] = [
        (both, Over2::TakesNone, |fault| matches!(fault, PeerFault::Http2(Http2Fault::NoWebSockets))),
        (both, Over2::RequiresHttp1, |fault| matches!(fault, PeerFault::Http2(Http2Fault::Reset(13)))),
        // A server that ignores ALPN, and one that refuses it (RFC 7301 §3.2).
        (&[], Over2::TakesNone, |fault| matches!(fault, PeerFault::Http2(Http2Fault::NotSpoken))),
        (&["http/1.1"], Over2::TakesNone, |fault| matches!(fault, PeerFault::Tls { .. })),
    ];
    for (protocols, over2, expected) in cases {
        let (address, connections) = tls_server(&identity, protocols, over2).await;
        let connector = Connector { http: HttpVersion::Http2, tls: identity.trusted(), ..connector() };
        let url = format!("wss://a.test:{}/", address.port());
        let error = connector.connect(&url).await.unwrap_err();
        assert!(
            matches!(&error, ConnectError::Peer(fault) if expected(fault)),
            "{protocols:?} {over2:?}: {error}"
        );
        assert_eq!(connections.load(Ordering::Relaxed), 1);
        if over2 == Over2::TakesNone {
            connector.http2(&url).await.unwrap_err();
        }
    }
}

#[tokio::test]
async fn ws_speaks_http_2_only_with_prior_knowledge() {
    let old = server(echo).await;
    let new = server(|stream| serve(stream, true)).await;
    for (http, address) in
        [(HttpVersion::Http1, old), (HttpVersion::Negotiated, old), (HttpVersion::Http2, new)]
    {
        let connector = Connector { http, ..connector() };
        let (mut socket, _) = connector.connect(&format!("ws://{address}/")).await.unwrap();
        assert_eq!(socket.get_ref().is_http2(), http == HttpVersion::Http2);
        assert!(!socket.get_ref().is_secure());
        assert_echoes(&mut socket).await;
    }
}

#[tokio::test]
async fn many_sockets_share_one_connection_over_tls() {
    let identity = Identity::new(&["a.test"]);
    let (address, connections) = tls_server(&identity, &["h2"], Over2::TakesWebSockets).await;
    let connector = Connector { tls: identity.trusted(), compression: true, ..connector() };
    let client = connector.http2(&format!("wss://a.test:{}", address.port())).await.unwrap();
    let mut sockets = Vec::new();
    for number in 0..100 {
        sockets.push(client.open(&format!("/{number}")).await.unwrap().0);
    }
    for socket in &mut sockets {
        assert_echoes(socket).await;
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_proxys_tunnel_carries_http_2() {
    let identity = Identity::new(&["a.test"]);
    let (address, connections) = tls_server(&identity, &["h2", "http/1.1"], Over2::TakesWebSockets).await;
    let proxy = server(move |mut stream| async move {
        let head = read_head(&mut stream).await.unwrap();
        assert!(head.starts_with("CONNECT a.test:443 HTTP/1.1\r\n"), "{head}");
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut onward = TcpStream::connect(address).await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut onward).await;
    })
    .await;
    let through = through(&format!("http://{proxy}"));
    let connector = Connector { http: HttpVersion::Negotiated, tls: identity.trusted(), ..through };
    let (mut socket, _) = connector.connect("wss://a.test/").await.unwrap();
    assert!(socket.get_ref().is_http2());
    assert_eq!(socket.get_ref().peer_address(), proxy);
    assert_echoes(&mut socket).await;
    let client = connector.http2("wss://a.test/").await.unwrap();
    assert_echoes(&mut client.open("/").await.unwrap().0).await;
    assert_eq!(connections.load(Ordering::Relaxed), 2);
}
