//! A client of HTTP/2, on the crate `h2`.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Method, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::support::frame;

/// No answer of a server on this machine takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits, but not for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

/// One connection.
pub(crate) struct Client {
    pub(crate) requests: SendRequest<Bytes>,
    /// Ends with the connection.
    pub(crate) connection: JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    /// In clear text, by prior knowledge.
    pub(crate) async fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream).await
    }

    pub(crate) async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        // A stream that is not read has room on the connection beside it.
        let mut builder = h2::client::Builder::new();
        let builder = builder.initial_connection_window_size(16 * 1024 * 1024);
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        Self { requests: soon(requests.ready()).await.unwrap(), connection }
    }

    /// The answer to a request, with the whole of its body.
    pub(crate) async fn ask(&mut self, request: Request<()>, body: &str) -> Response<String> {
        let (parts, mut stream) = self.begin(request, body).await.into_parts();
        let mut bytes = BytesMut::new();
        while let Some(piece) = soon(stream.data()).await {
            bytes.extend_from_slice(&piece.unwrap());
        }
        Response::from_parts(parts, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// The head of the answer to a request.
    pub(crate) async fn begin(&mut self, request: Request<()>, body: &str) -> Response<RecvStream> {
        let (response, mut stream) = self.requests.send_request(request, body.is_empty()).unwrap();
        if !body.is_empty() {
            stream.send_data(Bytes::copy_from_slice(body.as_bytes()), true).unwrap();
        }
        soon(response).await.unwrap()
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response<String> {
        self.ask(request(Method::GET, path).body(()).unwrap(), "").await
    }

    /// The number that a line of /metrics ends with.
    pub(crate) async fn metric(&mut self, line: &str) -> String {
        let page = self.get("/metrics").await.into_body();
        let found = page.lines().find_map(|text| text.strip_prefix(line));
        found.unwrap_or_else(|| panic!("{line} in {page}")).trim().to_owned()
    }

    /// A WebSocket.
    pub(crate) async fn open(&mut self, path: &str) -> Socket {
        // The setting has come before any answer.
        self.get("/health").await;
        assert!(self.requests.is_extended_connect_protocol_enabled());
        let (response, sending) = self.requests.send_request(opening(path, "websocket", &[]), false).unwrap();
        let response = soon(response).await.unwrap();
        assert_eq!(response.status(), 200);
        Socket::new(sending, response.into_body())
    }
}

/// A request to this machine.
pub(crate) fn request(method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("https://localhost{path}"))
}

/// An extended CONNECT.
pub(crate) fn opening(path: &str, protocol: &'static str, headers: &[(&str, &str)]) -> Request<()> {
    let mut builder = request(Method::CONNECT, path).extension(Protocol::from_static(protocol));
    if !headers.iter().any(|(name, _)| *name == "sec-websocket-version") {
        builder = builder.header("sec-websocket-version", "13");
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap()
}

/// A WebSocket on a stream.
pub(crate) struct Socket {
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
}

impl Socket {
    /// On a stream that has been accepted.
    pub(crate) fn new(sending: SendStream<Bytes>, receiving: RecvStream) -> Self {
        let receiver = Receiver { stream: receiving, read: BytesMut::new() };
        Self { sender: Sender(sending), receiver }
    }
}

/// The half that sends.
pub(crate) struct Sender(pub(crate) SendStream<Bytes>);

/// The half that receives.
pub(crate) struct Receiver {
    pub(crate) stream: RecvStream,
    read: BytesMut,
}

impl Sender {
    /// Sends bytes, as far as the peer has room for them.
    pub(crate) async fn write(&mut self, bytes: Vec<u8>) {
        let mut bytes = Bytes::from(bytes);
        while !bytes.is_empty() {
            self.0.reserve_capacity(bytes.len());
            let room = soon(std::future::poll_fn(|cx| self.0.poll_capacity(cx))).await;
            let room = room.unwrap().unwrap().min(bytes.len());
            self.0.send_data(bytes.split_to(room), false).unwrap();
        }
    }

    pub(crate) async fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.write(frame(opcode, payload)).await;
    }
}

impl Receiver {
    /// Reads until so much is there; false at the end of the stream.
    async fn fill(&mut self, count: usize) -> bool {
        while self.read.len() < count {
            let Some(piece) = soon(self.stream.data()).await else { return false };
            let piece = piece.unwrap();
            self.stream.flow_control().release_capacity(piece.len()).unwrap();
            self.read.extend_from_slice(&piece);
        }
        true
    }

    /// The next frame, or nothing at the end of the stream.
    pub(crate) async fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        if !self.fill(2).await {
            assert!(self.read.is_empty(), "a frame is cut short");
            return None;
        }
        let (opcode, short) = (self.read[0] & 0x0f, self.read[1]);
        let more = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        assert!(self.fill(2 + more).await);
        let length = self.read[2..2 + more].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let length = if more == 0 { short.into() } else { length };
        assert!(self.fill(2 + more + length).await);
        self.read.advance(2 + more);
        Some((opcode, self.read.split_to(length).to_vec()))
    }

    /// The next text message.
    pub(crate) async fn hear(&mut self) -> String {
        let (opcode, payload) = self.receive().await.expect("the stream goes on");
        assert_eq!(opcode, crate::support::TEXT, "{:?}", String::from_utf8_lossy(&payload));
        String::from_utf8(payload).unwrap()
    }
}
