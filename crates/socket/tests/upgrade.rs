//! Sockets from real hyper and axum servers.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::sync::Arc;

use antiphon_socket::proto::handshake::{ClientRequest, OriginPolicy, ServerPolicy};
use antiphon_socket::proto::{CloseCode, Config, Limits};
use antiphon_socket::upgrade::axum::WebSocketUpgrade;
use antiphon_socket::upgrade::{UpgradeError, upgrade};
use antiphon_socket::{Acceptor, Connector, Message, WebSocket};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, server::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocket<S>) {
    while let Ok(Some(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

async fn axum_server() -> String {
    async fn plain(upgrade: WebSocketUpgrade) -> Response {
        let limits = Limits { message: 100_000, frame: 100_000, ..Limits::default() };
        let config = Arc::new(Config { limits, ..Config::default() });
        upgrade.subprotocols(["b", "a"]).compression(true).config(config).on_upgrade(echo)
    }
    let listed = Acceptor {
        policy: ServerPolicy {
            origin: OriginPolicy::listed(["https://a.example"]).unwrap(),
            ..ServerPolicy::default()
        },
        ..Acceptor::default()
    };
    let app = Router::new().route("/echo", any(plain)).route("/listed", any(plain).layer(Extension(listed)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address.to_string()
}

/// Serves one connection by hyper, and takes the socket on the bare stream.
async fn hyper_server() -> String {
    async fn answer(request: Request<Incoming>) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
        let (mut parts, _) = request.into_parts();
        Ok(match upgrade(&mut parts, &Acceptor::default()) {
            Ok((response, pending)) => {
                tokio::spawn(async move { echo(pending.socket_on::<TcpStream>().await.unwrap()).await });
                response.map(|()| Full::default())
            }
            Err(refusal) => refusal.to_http().map(Full::from),
        })
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer))
                    .with_upgrades(),
            );
        }
    });
    address.to_string()
}

#[tokio::test]
async fn an_axum_handler_echoes() {
    let server = axum_server().await;
    let request = ClientRequest::new(format!("ws://{server}/echo").parse().unwrap());
    let request = request.subprotocol("a").unwrap().subprotocol("b").unwrap();
    let connector = Connector { compression: true, ..Connector::default() };
    let (mut socket, response) = connector.connect(request).await.unwrap();
    assert_eq!(response.agreed().subprotocol.as_deref(), Some("b"), "the server's preference decides");
    assert!(response.agreed().deflate.is_some());
    for size in [0, 1, 1000, 100_000] {
        let message = Message::Text("x".repeat(size));
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(message));
    }
    // The limit of `config` holds.
    socket.send("x".repeat(100_001)).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), None);
    assert_eq!(socket.end().unwrap().received.unwrap().code, CloseCode::MESSAGE_TOO_BIG);
}

#[tokio::test]
async fn a_hyper_service_gives_the_bare_stream() {
    let server = hyper_server().await;
    let (mut socket, _) = antiphon_socket::connect(&format!("ws://{server}/")).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("hello".into()));
    assert!(socket.close(CloseCode::NORMAL, "").await.unwrap().is_clean());
}

/// The stream that hyper serves is not the one asked for.
#[tokio::test]
async fn another_stream_than_the_one_asked_for_is_an_error() {
    let (here, there) = tokio::io::duplex(4096);
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = std::sync::Mutex::new(Some(tell));
    let service = service_fn(move |request: Request<Incoming>| {
        let (response, pending) = upgrade(&mut request.into_parts().0, &Acceptor::default()).unwrap();
        let tell = tell.lock().unwrap().take().unwrap();
        tokio::spawn(async move { tell.send(pending.socket_on::<TcpStream>().await.map(drop)) });
        async { Ok::<_, hyper::Error>(response.map(|()| Full::<Bytes>::default())) }
    });
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(here), service).with_upgrades());
    let _socket = antiphon_socket::client(there, "ws://a.example/").await.unwrap();
    assert!(matches!(told.await.unwrap(), Err(UpgradeError::OtherStream)));
}

#[test]
fn a_server_without_upgrades_says_so() {
    let request = Request::get("/")
        .header("host", "a.example")
        .header("upgrade", "websocket")
        .header("connection", "upgrade")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-version", "13");
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let refusal = upgrade(&mut parts, &Acceptor::default()).unwrap_err();
    assert_eq!(refusal.status(), 500);
    assert!(refusal.body().contains("cannot be upgraded"), "{}", refusal.body());
}

#[tokio::test]
async fn frames_behind_the_request_are_not_lost() {
    for server in [axum_server().await, hyper_server().await] {
        let mut stream = TcpStream::connect(&server).await.unwrap();
        let request = format!(
            "GET /echo HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        let mut sent = request.into_bytes();
        sent.extend([0x82, 0x81, 0, 0, 0, 0, b'!']);
        stream.write_all(&sent).await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(&[0x82, 1, b'!']) {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "{}", String::from_utf8_lossy(&read));
        }
    }
}

#[tokio::test]
async fn what_opens_no_websocket_is_refused_with_its_status() {
    for server in [axum_server().await, hyper_server().await] {
        let mut stream = TcpStream::connect(&server).await.unwrap();
        let request = format!("GET /echo HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut read = String::new();
        stream.read_to_string(&mut read).await.unwrap();
        assert!(read.starts_with("HTTP/1.1 426 "), "{read}");
        assert!(read.to_ascii_lowercase().contains("\r\nsec-websocket-version: 13\r\n"), "{read}");
    }
}

#[tokio::test]
async fn an_acceptor_in_the_extensions_decides_who_may_connect() {
    let server = axum_server().await;
    for (path, origin, allowed) in [
        ("listed", "https://a.example", true),
        ("listed", "https://b.example", false),
        ("echo", "https://a.example", false),
    ] {
        let request = ClientRequest::new(format!("ws://{server}/{path}").parse().unwrap());
        match Connector::default().connect(request.origin(origin).unwrap()).await {
            Ok(_) => assert!(allowed, "{path} {origin}"),
            Err(error) => {
                assert_eq!(error.rejection().map(|rejection| rejection.status()), Some(403), "{error}");
                assert!(!allowed, "{path} {origin}");
            }
        }
    }
}
