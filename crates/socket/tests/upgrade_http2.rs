//! Sockets from hyper and axum servers over HTTP/2 (RFC 8441).
#![cfg(all(feature = "axum", feature = "http2"))]
#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::sync::Arc;

use antiphon_socket::connect::{Connector, Http2};
use antiphon_socket::proto::CloseCode;
use antiphon_socket::upgrade::axum::WebSocketUpgrade;
use antiphon_socket::upgrade::{UpgradeError, upgrade};
use antiphon_socket::{Acceptor, Message, WebSocket};
use axum::Router;
use axum::response::Response;
use axum::routing::any;
use h2::Reason;
use h2::client::SendRequest;
use h2::ext::Protocol;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode, Version, server::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::net::TcpStream;

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocket<S>) {
    while let Ok(Some(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

async fn answer(request: Request<Incoming>) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
    let acceptor = Acceptor { subprotocols: vec!["b".to_owned()], compression: true, ..Acceptor::default() };
    let (mut parts, _) = request.into_parts();
    Ok(match upgrade(&mut parts, &acceptor) {
        Ok((response, pending)) => {
            tokio::spawn(async move { echo(pending.socket().await.unwrap()).await });
            response.map(|()| Full::default())
        }
        Err(refusal) => refusal.to_http().map(Full::from),
    })
}

/// A connection to hyper, which serves each request by [`answer`].
fn hyper_server() -> DuplexStream {
    let (near, far) = duplex(1 << 16);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.enable_connect_protocol();
    tokio::spawn(builder.serve_connection(TokioIo::new(far), service_fn(answer)));
    near
}

/// A connection to a router of axum.
fn axum_server() -> DuplexStream {
    async fn handler(upgrade: WebSocketUpgrade) -> Response {
        upgrade.subprotocols(["b"]).compression(true).on_upgrade(echo)
    }
    let (near, far) = duplex(1 << 16);
    let app = TowerToHyperService::new(Router::new().route("/", any(handler)));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.enable_connect_protocol();
    tokio::spawn(async move { builder.serve_connection(TokioIo::new(far), app).await });
    near
}

async fn client(stream: DuplexStream) -> Http2 {
    let connector = Connector { compression: true, ..Connector::default() };
    connector.http2_on(stream, "ws://a.test").await.unwrap()
}

#[tokio::test]
async fn hyper_and_axum_give_sockets_over_http_2() {
    for server in [hyper_server(), axum_server()] {
        let client = client(server).await;
        let mut sockets = Vec::new();
        for _ in 0..10 {
            let request = client.request("/").unwrap().subprotocol("a").unwrap().subprotocol("b").unwrap();
            let (socket, response) = client.open_request(request).await.unwrap();
            assert_eq!(response.agreed().subprotocol.as_deref(), Some("b"));
            assert!(response.agreed().deflate.is_some());
            // RFC 9110 §9.3.6, and rule 76.
            for name in ["content-length", "connection", "upgrade", "sec-websocket-accept"] {
                assert_eq!(response.header(name), None, "{name}");
            }
            sockets.push(socket);
        }
        for mut socket in sockets {
            for size in [0, 1, 1000, 100_000] {
                let message = Message::Text("x".repeat(size));
                socket.send(message.clone()).await.unwrap();
                assert_eq!(socket.recv().await.unwrap(), Some(message));
            }
            assert!(socket.close(CloseCode::NORMAL, "").await.unwrap().is_clean());
        }
    }
}

/// A request of `h2` as it is, and its status, or the code of the reset.
async fn status(
    stream: DuplexStream,
    request: Request<()>,
) -> Result<hyper::Response<h2::RecvStream>, Reason> {
    let (requests, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut requests: SendRequest<Bytes> = requests.ready().await.unwrap();
    let (response, _sending) = requests.send_request(request, false).unwrap();
    response.await.map_err(|error| error.reason().unwrap())
}

fn request(method: Method, protocol: Option<&'static str>, fields: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = "http://a.test/".parse().unwrap();
    if let Some(protocol) = protocol {
        request.extensions_mut().insert(Protocol::from_static(protocol));
    }
    for (name, value) in fields {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

const VERSION: (&str, &str) = ("sec-websocket-version", "13");

#[tokio::test]
async fn f75_to_f77_what_opens_no_socket_is_refused_with_its_status() {
    let websocket = Some("websocket");
    let cases = [
        (Method::CONNECT, websocket, &[VERSION][..], 200),
        (Method::CONNECT, Some("connect-udp"), &[VERSION], 501),
        (Method::CONNECT, websocket, &[], 400),
        (Method::CONNECT, websocket, &[("sec-websocket-version", "8")], 400),
        (Method::CONNECT, websocket, &[VERSION, ("origin", "http://b.test")], 403),
        (Method::GET, None, &[VERSION], 405),
    ];
    for (method, protocol, fields, expected) in cases {
        for server in [hyper_server(), axum_server()] {
            let sent = request(method.clone(), protocol, fields);
            let response = status(server, sent).await.unwrap();
            assert_eq!(response.status(), StatusCode::from_u16(expected).unwrap(), "{protocol:?} {fields:?}");
            for name in ["connection", "upgrade"] {
                assert!(!response.headers().contains_key(name), "{name}");
            }
        }
    }
}

/// Without `enable_connect_protocol`, hyper does not let it in.
#[tokio::test]
async fn f75_a_protocol_without_the_setting_is_a_protocol_error() {
    let (near, far) = duplex(1 << 16);
    let builder = http2::Builder::new(TokioExecutor::new());
    tokio::spawn(builder.serve_connection(TokioIo::new(far), service_fn(answer)));
    let reset = status(near, request(Method::CONNECT, Some("websocket"), &[VERSION])).await.unwrap_err();
    assert_eq!(reset, Reason::PROTOCOL_ERROR);
}

#[tokio::test]
async fn there_is_no_bare_stream_to_have() {
    let (near, far) = duplex(1 << 16);
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = Arc::new(std::sync::Mutex::new(Some(tell)));
    let service = service_fn(move |request: Request<Incoming>| {
        let (response, pending) = upgrade(&mut request.into_parts().0, &Acceptor::default()).unwrap();
        let tell = tell.lock().unwrap().take().unwrap();
        tokio::spawn(async move { tell.send(pending.socket_on::<TcpStream>().await.map(drop)) });
        async { Ok::<_, hyper::Error>(response.map(|()| Full::<Bytes>::default())) }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.enable_connect_protocol();
    tokio::spawn(builder.serve_connection(TokioIo::new(far), service));
    let _socket = client(near).await.open("/").await.unwrap();
    assert!(matches!(told.await.unwrap(), Err(UpgradeError::OtherStream)));
}
