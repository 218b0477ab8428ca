//! The client's side of the opening handshake (rfc-checklist B), where it touches the stream.

use std::time::Duration;

use antiphon_socket::connect::{CallerFault, Connector, EnvironmentFault, PeerFault, Stage, Timeouts};
use antiphon_socket::proto::handshake::{ClientError, ClientRequest};
use antiphon_socket::{ConnectError, client, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use crate::support::{
    Nobody, assert_echoes, connector, dribble, echo, echo_server, listen, once, read_all, read_head,
    switching,
};

/// The request that a client writes for this URL.
async fn request_for(url: &str) -> String {
    let (near, mut far) = duplex(4096);
    let url = url.to_owned();
    let task = tokio::spawn(async move { client(near, &url).await.map(drop) });
    let head = read_head(&mut far).await.unwrap();
    task.abort();
    head
}

fn field<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(n, _)| *n == name)
        .map(|(_, v)| v)
        .collect()
}

#[tokio::test]
async fn ws_echoes() {
    let server = echo_server().await;
    let (mut socket, response) = connect(&format!("ws://{server}/")).await.unwrap();
    assert!(!socket.get_ref().is_secure());
    assert_eq!(response.header("upgrade"), Some(b"websocket".as_slice()));
    assert_echoes(&mut socket).await;
}

#[tokio::test]
async fn req_21_only_ws_and_wss_and_no_fragment_before_anything_is_sent() {
    let connector = Connector { resolver: std::sync::Arc::new(Nobody), ..connector() };
    for url in [
        "http://a.test/",
        "https://a.test/",
        "ftp://a.test/",
        "wsx://a.test/",
        "a.test",
        "ws:/a.test",
        "ws://a.test/#x",
        "wss://a.test#",
        "ws:///x",
        "ws://bücher.test/",
        "ws://a.test:0/",
        "ws://a.test:65536/",
        "ws://[fe80::1%25eth0]/",
        "ws://[::1/",
        "ws://user:secret@a.test/",
        "ws://a.test/\r\nX: y",
        "ws://a.test/a b",
    ] {
        let error = connector.connect(url).await.unwrap_err();
        assert!(matches!(error, ConnectError::Caller(CallerFault::Url(_))), "{url}: {error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    for url in ["ws://127.1/", "ws://2130706433/", "ws://0x7f000001/", "ws://a..test/"] {
        let error = connector.connect(url).await.unwrap_err();
        assert!(matches!(error, ConnectError::Caller(CallerFault::Host { .. })), "{url}: {error:?}");
    }
    let error = connector.connect("ws://bücher.test/").await.unwrap_err();
    assert!(error.to_string().contains("punycode"), "{error}");
}

#[tokio::test]
async fn req_21_the_resource_name_is_path_and_query() {
    for (url, line) in [
        ("ws://a.test", "GET / HTTP/1.1"),
        ("ws://a.test?q=1", "GET /?q=1 HTTP/1.1"),
        ("WS://a.test/x%20y?q=/z", "GET /x%20y?q=/z HTTP/1.1"),
    ] {
        assert_eq!(request_for(url).await.lines().next(), Some(line));
    }
}

#[tokio::test]
async fn req_22_the_host_field_has_the_port_only_if_it_is_not_the_default() {
    for (url, host) in [
        ("ws://a.test/", "a.test"),
        ("ws://a.test:80/", "a.test"),
        ("ws://a.test:443/", "a.test:443"),
        ("ws://[::1]/", "[::1]"),
        ("ws://[2001:db8::1]:8000/", "[2001:db8::1]:8000"),
        ("ws://192.0.2.1:81/", "192.0.2.1:81"),
    ] {
        assert_eq!(field(&request_for(url).await, "Host"), [host], "{url}");
    }
}

#[tokio::test]
async fn req_23_keys_are_fresh() {
    let mut keys = std::collections::HashSet::new();
    for _ in 0..50 {
        let head = request_for("ws://a.test/").await;
        assert!(keys.insert(field(&head, "Sec-WebSocket-Key")[0].to_owned()), "{head}");
    }
}

#[tokio::test]
async fn req_25_a_rejection_has_status_headers_and_a_bounded_body() {
    for status in [200, 301, 401, 403, 404, 407, 426, 503] {
        let (address, _) = once(move |mut stream| async move {
            read_head(&mut stream).await.unwrap();
            let body = "x".repeat(1 << 20);
            let head = format!(
                "HTTP/1.1 {status} X\r\nWWW-Authenticate: Basic realm=\"y\"\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            read_all(stream).await
        })
        .await;
        let request = ClientRequest::new(format!("ws://{address}/").parse().unwrap()).body_limit(1000);
        let error = connector().connect(request).await.unwrap_err();
        let rejection = error.rejection().expect("a rejection");
        assert_eq!(rejection.status(), status);
        assert_eq!(rejection.header("www-authenticate"), Some(b"Basic realm=\"y\"".as_slice()));
        assert_eq!((rejection.body().len(), rejection.is_truncated()), (1000, true));
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
}

#[tokio::test]
async fn advisory_no_redirect_carries_headers_to_another_origin() {
    let (other, other_address) = listen().await;
    for status in [301, 302, 303, 307, 308] {
        let (address, _) = once(move |mut stream| async move {
            let head = read_head(&mut stream).await.unwrap();
            assert_eq!(field(&head, "Authorization"), ["Bearer abc"]);
            let answer = format!(
                "HTTP/1.1 {status} Go\r\nLocation: ws://{other_address}/\r\nContent-Length: 0\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let request = ClientRequest::new(format!("ws://{address}/").parse().unwrap())
            .header("Authorization", "Bearer abc")
            .unwrap()
            .header("Cookie", "a=b")
            .unwrap();
        let error = connector().connect(request).await.unwrap_err();
        let location = format!("ws://{other_address}/");
        assert_eq!(error.rejection().unwrap().header("location"), Some(location.as_bytes()));
        assert!(error.to_string().contains(&location), "{error}");
    }
    let visited = tokio::time::timeout(Duration::from_millis(100), other.accept()).await;
    assert!(visited.is_err(), "a redirect was followed");
}

#[tokio::test]
async fn req_32_frames_in_the_segment_of_the_101_are_read() {
    let (address, _) = once(|mut stream| async move {
        let head = read_head(&mut stream).await.unwrap();
        let bytes = switching(&head, b"\x81\x02hi\x81\x05again\x82\x00");
        stream.write_all(&bytes).await.unwrap();
        read_all(stream).await
    })
    .await;
    let (mut socket, _) = connector().connect(&format!("ws://{address}/")).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("hi".into()));
    assert_eq!(socket.recv().await.unwrap(), Some("again".into()));
}

#[tokio::test]
async fn a_101_in_single_bytes_opens_as_well() {
    let (address, _) = once(|mut stream| async move {
        let head = read_head(&mut stream).await.unwrap();
        dribble(&mut stream, &switching(&head, b"\x81\x02hi")).await.unwrap();
        read_all(stream).await
    })
    .await;
    let (mut socket, _) = connector().connect(&format!("ws://{address}/")).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("hi".into()));
}

/// A client that waits for this server's answer, in virtual time; when it gave up, and why.
async fn timed(server: impl AsyncFnOnce(DuplexStream), timeouts: Timeouts) -> (Duration, ConnectError) {
    let begin = Instant::now();
    let (near, far) = duplex(1 << 16);
    let connector = Connector { timeouts, ..connector() };
    let asking = async {
        let error = connector.open(near, "ws://a.test/").await.unwrap_err();
        (begin.elapsed(), error)
    };
    tokio::select! {
        biased;
        answer = asking => answer,
        () = async { server(far).await; std::future::pending().await } => unreachable!("the server is done"),
    }
}

#[tokio::test(start_paused = true)]
async fn req_35_a_silent_or_slow_server_is_given_up_at_the_limit() {
    let seconds = Duration::from_secs;
    let silent = async |mut far: DuplexStream| {
        read_head(&mut far).await.unwrap();
        std::future::pending::<()>().await;
    };
    let slow = async |mut far: DuplexStream| {
        read_head(&mut far).await.unwrap();
        for byte in b"HTTP/1.1 101 ".iter().chain([b'x'; 1000].iter()) {
            far.write_all(&[*byte]).await.unwrap();
            tokio::time::sleep(seconds(1)).await;
        }
    };
    let (took, error) = timed(silent, Timeouts::default()).await;
    assert_eq!(took.as_secs(), 10);
    assert_eq!(error.to_string(), "waiting for the server's answer to the request took longer than 10s");
    let (took, error) = timed(slow, Timeouts { handshake: seconds(3), ..Timeouts::default() }).await;
    assert_eq!(took.as_secs(), 3);
    assert!(matches!(
        error,
        ConnectError::Environment(EnvironmentFault::TimedOut { stage: Stage::Handshake, limit }) if limit == seconds(3)
    ));
    // A server that does not even read the request.
    let deaf = async |far: DuplexStream| {
        std::future::pending::<()>().await;
        drop(far);
    };
    let (took, _) = timed(deaf, Timeouts { total: seconds(2), ..Timeouts::default() }).await;
    assert_eq!(took.as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn req_35_a_rejection_whose_body_never_ends_is_a_rejection() {
    let endless = async |mut far: DuplexStream| {
        read_head(&mut far).await.unwrap();
        far.write_all(b"HTTP/1.1 503 X\r\nContent-Length: 99\r\n\r\nbusy").await.unwrap();
        std::future::pending::<()>().await;
    };
    let (took, error) = timed(endless, Timeouts::default()).await;
    assert_eq!(took.as_secs(), 10);
    assert_eq!(error.rejection().unwrap().body(), b"busy");
}

#[tokio::test]
async fn req_36_nothing_but_the_request_is_sent_before_a_101_that_is_right() {
    for answer in [
        "",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n\x12\x34",
        "HTTP/1.1 200 OK\r\n\r\n\u{1}\u{2}hi",
        "garbage\r\n\r\n",
    ] {
        let (near, mut far) = duplex(1 << 16);
        let opened = tokio::spawn(async move { client(near, "ws://a.test/").await.map(drop) });
        let head = read_head(&mut far).await.unwrap();
        assert!(head.starts_with("GET / HTTP/1.1\r\n"));
        // Long enough for whoever would send something unasked.
        let early = tokio::time::timeout(Duration::from_millis(50), far.read_u8()).await;
        assert!(early.is_err(), "{early:?}");
        far.write_all(answer.as_bytes()).await.unwrap();
        far.shutdown().await.unwrap();
        let error = opened.await.unwrap().unwrap_err();
        assert!(matches!(error, ConnectError::Peer(PeerFault::Handshake(_))), "{answer:?}: {error}");
        assert!(read_all(far).await.is_empty(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_server_that_closes_says_so() {
    let (address, _) = once(|mut stream| async move { read_head(&mut stream).await.map(drop) }).await;
    let error = connector().connect(&format!("ws://{address}/")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Peer(PeerFault::Handshake(ClientError::NoResponse))), "{error:?}");
}

#[tokio::test]
async fn compression_is_offered_as_the_connection_is_configured() {
    let (near, far) = duplex(1 << 16);
    tokio::spawn(async move {
        let acceptor = antiphon_socket::Acceptor { compression: true, ..Default::default() };
        let (mut socket, _) = acceptor.accept(far, |_| Ok(())).await.unwrap();
        while let Ok(Some(message)) = socket.recv().await {
            socket.send(message).await.unwrap();
        }
    });
    let connector = Connector { compression: true, ..connector() };
    let (mut socket, response) = connector.open(near, "ws://a.test/").await.unwrap();
    assert!(response.agreed().deflate.is_some());
    let text = "again and again ".repeat(1000);
    socket.send(text.as_str()).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(text.as_str().into()));

    let (near, far) = duplex(1 << 16);
    tokio::spawn(echo(far));
    let (mut socket, response) = connector.open(near, "ws://a.test/").await.unwrap();
    assert!(response.agreed().deflate.is_none());
    assert_echoes(&mut socket).await;
}
