//! HTTP/2: the same answers as over HTTP/1.1, and WebSockets on its streams (RFC 8441).

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/h2.rs"]
mod h2_client;
mod support;

use bytes::Bytes;
use h2_client::{Client, Socket, opening, request, soon};
use http::{Method, Request};
use support::{BINARY, CLOSE, Server, TEXT};

#[tokio::test]
async fn every_route_has_the_same_answer() {
    let server = Server::start();
    let mut client = Client::connect(server.port).await;
    for (method, path, status) in [
        (Method::GET, "/", 200),
        (Method::HEAD, "/", 200),
        (Method::GET, "/health", 200),
        (Method::HEAD, "/health", 200),
        (Method::GET, "/nope", 404),
        (Method::POST, "/health", 405),
        (Method::CONNECT, "/health", 405),
        (Method::GET, "/echo", 405),
        (Method::GET, "/connection/websocket", 405),
        (Method::GET, "/raw/a/b", 404),
    ] {
        let mut asked = request(method.clone(), path);
        if method == Method::CONNECT {
            asked = asked.extension(h2::ext::Protocol::from_static("websocket"));
        }
        let answer = client.ask(asked.body(()).unwrap(), "").await;
        assert_eq!(answer.status(), status, "{method} {path}: {}", answer.body());
        assert!(!answer.headers().contains_key("connection"), "{path}");
        let allow = answer.headers().get("allow").map(|value| value.to_str().unwrap());
        if method == Method::GET && status == 405 {
            assert_eq!(allow, Some("CONNECT"));
        }
        if method == Method::HEAD {
            assert_eq!(answer.body(), "");
            assert_ne!(answer.headers()["content-length"], "0");
        }
    }
    for (url, host, status) in [
        ("http://example.com/health", None, 403),
        ("http://localhost:81/health", None, 200),
        ("http://localhost/health", Some("localhost"), 200),
        ("http://localhost/health", Some("a b"), 400),
    ] {
        let mut builder = Request::get(url);
        if let Some(host) = host {
            builder = builder.header("host", host);
        }
        let answer = client.ask(builder.body(()).unwrap(), "").await;
        assert_eq!(answer.status(), status, "{url} {host:?}");
    }
    let publish = request(Method::POST, "/api/publish").body(()).unwrap();
    let answer = client.ask(publish, r#"{"channel":"a","data":1}"#).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.body().contains("offset"), "{}", answer.body());
    for (origin, status) in [("https://localhost", 200), ("https://example.com", 403)] {
        let publish = request(Method::POST, "/api/publish").header("origin", origin).body(()).unwrap();
        let answer = client.ask(publish, r#"{"channel":"a","data":1}"#).await;
        assert_eq!(answer.status(), status, "{origin}");
    }
}

#[tokio::test]
async fn requests_go_beside_each_other() {
    let server = Server::start();
    let client = Client::connect(server.port).await;
    let answers = (0..300).map(|_| {
        let mut requests = client.requests.clone();
        async move {
            requests
                .send_request(request(Method::GET, "/health").body(()).unwrap(), true)
                .unwrap()
                .0
                .await
                .unwrap()
        }
    });
    for answer in soon(futures_util::future::join_all(answers)).await {
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test]
async fn f77_the_rules_of_the_opening_handshake_hold() {
    let server = Server::start();
    let mut client = Client::connect(server.port).await;
    client.get("/health").await;
    for (path, protocol, headers, status) in [
        ("/echo", "websocket", &[][..], 200),
        ("/echo", "connect-udp", &[], 501),
        ("/echo", "websocket", &[("sec-websocket-version", "8")], 400),
        ("/echo", "websocket", &[("origin", "https://localhost")], 200),
        ("/echo", "websocket", &[("origin", "https://evil.example")], 403),
        ("/echo", "websocket", &[("origin", "null")], 403),
        ("/raw/", "websocket", &[], 400),
        ("/nope", "websocket", &[], 405),
        ("/connection/websocket", "websocket", &[("sec-websocket-protocol", "centrifuge-json")], 200),
        ("/connection/websocket", "websocket", &[("sec-websocket-protocol", "mqtt")], 400),
    ] {
        let sent = client.requests.send_request(opening(path, protocol, headers), false).unwrap();
        let response = soon(sent.0).await.unwrap();
        assert_eq!(response.status(), status, "{path} {protocol} {headers:?}");
        for name in ["content-length", "sec-websocket-accept", "upgrade", "connection"] {
            assert!(status != 200 || !response.headers().contains_key(name), "{name}");
        }
    }
}

#[tokio::test]
async fn f78_messages_pass_and_the_close_ends_the_stream() {
    let server = Server::start();
    let mut client = Client::connect(server.port).await;
    let mut sockets = [client.open("/echo").await, client.open("/echo").await];
    for size in [0_usize, 5, 70_000, 1_000_000] {
        let data: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        for Socket { sender, receiver } in &mut sockets {
            let ((), received) = tokio::join!(sender.send(BINARY, &data), receiver.receive());
            assert!(received == Some((BINARY, data.clone())), "{size}");
        }
    }
    for Socket { mut sender, mut receiver } in sockets {
        sender.send(CLOSE, &1000_u16.to_be_bytes()).await;
        assert_eq!(receiver.receive().await, Some((CLOSE, 1000_u16.to_be_bytes().into())));
        assert_eq!(receiver.receive().await, None, "END_STREAM follows");
    }
    assert_eq!(client.get("/health").await.status(), 200);
}

/// Waits until /metrics has as many open connections of a transport.
async fn open_are(client: &mut Client, transport: &str, count: &str) {
    let line = format!("antiphon_connections{{transport=\"{transport}\"}}");
    soon(async {
        while client.metric(&line).await != count {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn f79_an_end_or_a_reset_before_the_close_ends_the_socket() {
    let server = Server::start();
    let mut client = Client::connect(server.port).await;
    let [mut ended, mut reset, mut dropped] = [
        client.open("/raw/a").await,
        client.open("/raw/a").await,
        Client::connect(server.port).await.open("/raw/a").await,
    ];
    open_are(&mut client, "raw", "3").await;
    ended.sender.0.send_data(Bytes::new(), true).unwrap();
    // Nothing but the end comes back.
    assert_eq!(ended.receiver.receive().await, None);
    open_are(&mut client, "raw", "2").await;
    reset.sender.0.send_reset(h2::Reason::CANCEL);
    open_are(&mut client, "raw", "1").await;
    dropped.sender.0.send_reset(h2::Reason::INTERNAL_ERROR);
    open_are(&mut client, "raw", "0").await;
}

#[tokio::test]
async fn f80_a_stream_that_is_not_read_does_not_stall_the_others() {
    let server = Server::start();
    let mut client = Client::connect(server.port).await;
    let _stalled = client.open("/raw/big").await;
    let mut other = client.open("/raw/small").await;
    let mut publisher = server.open("/raw/big");
    let message = vec![b'x'; 60_000];
    for _ in 0..10 {
        publisher.send(TEXT, &message);
        publisher.receive();
    }
    other.sender.send(TEXT, b"hi").await;
    assert_eq!(other.receiver.hear().await, "hi");
    assert_eq!(client.get("/health").await.status(), 200);
}

#[tokio::test]
async fn f81_data_may_be_empty_and_split_anywhere() {
    let server = Server::start();
    let mut client = Client::connect(server.port).await;
    let mut socket = client.open("/echo").await;
    for byte in support::frame(TEXT, b"split") {
        socket.sender.0.send_data(Bytes::new(), false).unwrap();
        socket.sender.write(vec![byte]).await;
    }
    assert_eq!(socket.receiver.hear().await, "split");
}

#[tokio::test]
async fn f82_a_drain_lets_sockets_finish() {
    let mut server = Server::start();
    let mut client = Client::connect(server.port).await;
    let mut echo = client.open("/echo").await;
    let mut session = client.open("/connection/websocket").await;
    session.sender.send(TEXT, br#"{"id":1,"connect":{}}"#).await;
    session.receiver.hear().await;
    server.terminate();
    for (Socket { sender, receiver }, code) in [(&mut echo, 1001_u16), (&mut session, 3001)] {
        let (opcode, payload) = receiver.receive().await.unwrap();
        assert_eq!((opcode, &payload[..2]), (CLOSE, &code.to_be_bytes()[..]));
        sender.send(CLOSE, &payload[..2]).await;
        assert_eq!(receiver.receive().await, None);
        sender.0.send_data(Bytes::new(), true).unwrap();
    }
    soon(client.connection).await.unwrap().unwrap();
    assert_eq!(server.ended().code(), Some(0));
}

#[tokio::test]
async fn clients_of_the_protocol_meet_across_versions() {
    let server = Server::start();
    let mut client = Client::connect(server.port).await;
    let mut session = client.open("/connection/websocket").await;
    session.sender.send(TEXT, br#"{"id":1,"connect":{}}"#).await;
    assert!(session.receiver.hear().await.contains("\"connect\""));
    session.sender.send(TEXT, br#"{"id":2,"subscribe":{"channel":"a"}}"#).await;
    assert!(session.receiver.hear().await.contains("\"subscribe\""));
    let mut old = server.open("/raw/a");
    old.say(r#"{"from":"1.1"}"#);
    loop {
        let heard = session.receiver.hear().await;
        if heard.contains(r#"{"from":"1.1"}"#) {
            break;
        }
    }
}

#[tokio::test]
async fn downlinks_without_a_socket_come_over_http_2_as_well() {
    let server = Server::start();
    let mut client = Client::connect(server.port).await;
    let connect = r#"{"id":1,"connect":{"subs":{}}}"#;
    for (method, path, content_type) in [
        (Method::POST, "/connection/http_stream", "application/x-ndjson"),
        (Method::POST, "/connection/sse", "text/event-stream"),
    ] {
        let asked = request(method, path).header("origin", "https://localhost").body(()).unwrap();
        let response = client.begin(asked, connect).await;
        assert_eq!(response.status(), 200, "{path}");
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with(content_type));
        assert_eq!(response.headers()["cache-control"], "no-store, no-transform");
        assert!(!response.headers().contains_key("transfer-encoding"));
        let mut stream = response.into_body();
        let mut text = String::new();
        while !text.contains("\"connect\"") {
            text += std::str::from_utf8(&soon(stream.data()).await.unwrap().unwrap()).unwrap();
        }
        let transport = if path.ends_with("sse") { "sse" } else { "http_stream" };
        open_are(&mut client, transport, "1").await;
        drop(stream);
        open_are(&mut client, transport, "0").await;
    }
    let poll = request(Method::POST, "/connection/poll").body(()).unwrap();
    let answer = client.ask(poll, r#"{"commands":[{"id":1,"connect":{"ext":{"session":1}}}]}"#).await;
    assert_eq!(answer.status(), 200, "{}", answer.body());
    assert!(answer.body().contains("\"connect\""), "{}", answer.body());
    let poll = request(Method::POST, "/connection/poll").body(()).unwrap();
    let answer = client.ask(poll, r#"{"session":"none","ack":0,"commands":[]}"#).await;
    assert_eq!(answer.status(), 410, "{}", answer.body());
}

#[tokio::test]
async fn http_2_can_be_switched_off() {
    let server = Server::spawn(
        support::antiphon()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("ANTIPHON_HTTP2__DISABLED", "true"),
    );
    let mut socket = server.request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(socket.head().starts_with("HTTP/1.1 505 "));
}
