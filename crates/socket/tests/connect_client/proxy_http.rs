//! Tunnels through an HTTP proxy (rule 86; RFC 9110 §9.3.6).

use std::net::SocketAddr;
use std::time::Duration;

use antiphon_socket::ConnectError;
use antiphon_socket::connect::{Connector, EnvironmentFault, ProxyFault, Stage};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::support::{
    Identity, assert_echoes, dribble, echo_server, listen, once, read_all, read_head, through,
    tls_echo_server,
};

/// A proxy that opens its tunnels to `server`, whatever the name; and the request that it gets.
async fn proxy(server: SocketAddr, answer: &'static str) -> (String, JoinHandle<String>) {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let (address, _) = once(move |mut stream| async move {
        sender.send(read_head(&mut stream).await.unwrap()).unwrap();
        dribble(&mut stream, answer.as_bytes()).await.unwrap();
        let mut onward = TcpStream::connect(server).await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut onward).await;
    })
    .await;
    (address.to_string(), tokio::spawn(async { receiver.await.unwrap() }))
}

/// A proxy that says this and closes.
async fn answering(answer: impl Into<Vec<u8>>) -> Connector {
    let answer = answer.into();
    let (address, _) = once(move |mut stream| async move {
        read_head(&mut stream).await.unwrap();
        // A client that has seen enough hangs up.
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
        read_all(stream).await
    })
    .await;
    through(&format!("http://user:secret@{address}"))
}

fn fault(error: ConnectError) -> ProxyFault {
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    match error {
        ConnectError::Environment(EnvironmentFault::Proxy { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn ws_goes_through_connect_as_well() {
    let (proxy, request) = proxy(echo_server().await, "HTTP/1.1 200 Connection established\r\n\r\n").await;
    let (mut socket, _) = through(&format!("http://{proxy}")).connect("ws://a.test/x").await.unwrap();
    assert_echoes(&mut socket).await;
    assert_eq!(request.await.unwrap(), "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n");
}

#[tokio::test]
async fn wss_goes_through_with_its_own_name_verified() {
    let identity = Identity::new(&["a.test"]);
    let server = tls_echo_server(&identity).await;
    for (url, opens) in [("wss://a.test/", true), ("wss://b.test/", false)] {
        let (proxy, _request) = proxy(server, "HTTP/1.0 200 OK\r\nVia: x\r\n\r\n").await;
        let connector = Connector { tls: identity.trusted(), ..through(&format!("http://{proxy}")) };
        match connector.connect(url).await {
            Ok((mut socket, _)) => {
                assert!(opens && socket.get_ref().is_secure());
                assert_echoes(&mut socket).await;
            }
            Err(error) => assert!(!opens, "{error}"),
        }
    }
}

#[tokio::test]
async fn the_proxys_credentials_go_to_the_proxy_and_addresses_in_brackets() {
    let (proxy, request) = proxy(echo_server().await, "HTTP/1.1 204 No Content\r\n\r\n").await;
    let connector = through(&format!("http://Aladdin:open%20sesame@{proxy}"));
    connector.connect("ws://[2001:db8::1]:8080/").await.unwrap();
    assert_eq!(
        request.await.unwrap(),
        "CONNECT [2001:db8::1]:8080 HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\
         Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
    );
}

#[tokio::test]
async fn a_proxy_can_be_spoken_to_over_tls() {
    let identity = Identity::new(&["127.0.0.1", "a.test"]);
    let server = tls_echo_server(&identity).await;
    let acceptor = identity.acceptor();
    let (address, _) = once(move |stream| async move {
        let mut stream = acceptor.accept(stream).await.unwrap();
        read_head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut onward = TcpStream::connect(server).await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut onward).await;
    })
    .await;
    let connector = Connector { tls: identity.trusted(), ..through(&format!("https://{address}")) };
    assert_echoes(&mut connector.connect("wss://a.test/").await.unwrap().0).await;
}

#[tokio::test]
async fn bytes_behind_the_head_belong_to_the_tunnel() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
                  HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!";
    let error = answering(answer).await.connect("ws://a.test/").await.unwrap_err();
    let rejection = error.rejection().expect("a rejection by the server");
    assert_eq!((rejection.status(), rejection.body()), (403, b"no!".as_slice()));
}

#[tokio::test]
async fn req_86_a_407_says_what_is_wanted() {
    let answer =
        "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-AUTHENTICATE:  Basic realm=\"x\"\r\n\r\n";
    let error = answering(answer).await.connect("wss://a.test/").await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("refuses the user and password (it asks for Basic realm=\"x\")"), "{text}");
    assert!(text.starts_with("the proxy http://***@127.0.0.1:"), "{text}");
    assert!(matches!(fault(error), ProxyFault::Credentials { sent: true, .. }));

    let (address, _) = once(move |mut stream| async move {
        read_head(&mut stream).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let error = through(&address.to_string()).connect("wss://a.test/").await.unwrap_err();
    assert!(error.to_string().contains("wants a user and a password"), "{error}");
}

#[tokio::test]
async fn req_86_another_status_is_no_tunnel() {
    for status in [100, 101, 199, 300, 302, 400, 403, 502, 999] {
        let answer = format!("HTTP/1.1 {status} X\r\nLocation: http://other.test/\r\n\r\nbody");
        let found = fault(answering(answer).await.connect("ws://a.test/").await.unwrap_err());
        assert!(matches!(found, ProxyFault::Status(found) if found == status), "{status}: {found:?}");
    }
}

#[tokio::test]
async fn req_86_the_head_is_bounded() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(16 * 1024));
    let endless = format!("HTTP/1.1 200 {}", "x".repeat(1 << 20));
    for answer in [many, long, endless] {
        let found = fault(answering(answer).await.connect("ws://a.test/").await.unwrap_err());
        assert!(matches!(&found, ProxyFault::Protocol(text) if text.contains("limit")), "{found:?}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_no_proxy() {
    for answer in [
        "",
        "\r\n",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nVia",
        "SSH-2.0-x\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20x OK\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "\0\x05",
    ] {
        let error = answering(answer).await.connect("ws://a.test/").await.unwrap_err();
        assert!(matches!(fault(error), ProxyFault::Protocol(_)), "{answer:?}");
    }
}

#[tokio::test]
async fn a_silent_proxy_is_given_up() {
    let (_listener, address) = listen().await;
    let mut connector = through(&format!("http://{address}"));
    connector.timeouts.total = Duration::from_millis(100);
    let error = connector.connect("ws://a.test/").await.unwrap_err();
    assert!(matches!(
        error,
        ConnectError::Environment(EnvironmentFault::TimedOut { stage: Stage::Proxy, .. })
    ));
}
