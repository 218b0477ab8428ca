//! Servers of HTTP/2.

use antiphon_socket::connect::{Connector, Http2, Http2Stream};
use antiphon_socket::upgrade::upgrade;
use antiphon_socket::{Acceptor, WebSocket};
use h2::server::{Builder, Connection, SendResponse};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, server::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};

use crate::support::connector;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(crate) const ENABLE_CONNECT_PROTOCOL: u16 = 8;

/// A frame (RFC 9113 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The number that a RST_STREAM, a WINDOW_UPDATE, or behind the stream's a GOAWAY has.
    pub(crate) fn number(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// A server that writes what it is told.
pub(crate) struct RawPeer {
    stream: DuplexStream,
}

impl RawPeer {
    /// A peer that has read the preface and written nothing, and the client's end of the stream.
    pub(crate) fn new() -> (Self, DuplexStream) {
        let (near, far) = duplex(1 << 22);
        (Self { stream: far }, near)
    }

    pub(crate) async fn read_preface(&mut self) {
        let mut preface = [0; 24];
        self.stream.read_exact(&mut preface).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    }

    /// A peer that takes WebSockets, and a client that knows it.
    pub(crate) async fn connected(connector: &Connector) -> (Self, Http2) {
        Self::connected_with(connector, &[(ENABLE_CONNECT_PROTOCOL, 1)]).await
    }

    pub(crate) async fn connected_with(connector: &Connector, settings: &[(u16, u32)]) -> (Self, Http2) {
        let (mut peer, near) = Self::new();
        let client = connector.http2_on(near, "ws://a.test");
        let (client, ()) = tokio::join!(client, async {
            peer.read_preface().await;
            peer.settings(settings).await;
        });
        (peer, client.unwrap())
    }

    /// A socket on the next stream, which is answered with a 200 and these bytes.
    pub(crate) async fn open(&mut self, client: &Http2) -> WebSocket<Http2Stream> {
        let (socket, _) = tokio::join!(client.open("/"), async {
            let request = self.until(HEADERS).await;
            self.accept(request.stream).await;
            request.stream
        });
        socket.unwrap().0
    }

    pub(crate) async fn accept(&mut self, stream: u32) {
        // `:status: 200` is entry 8 of HPACK's static table.
        self.send(HEADERS, END_HEADERS, stream, &[0x88]).await;
    }

    pub(crate) async fn settings(&mut self, settings: &[(u16, u32)]) {
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        self.send(SETTINGS, 0, 0, &payload).await;
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.raw(&encode(kind, flags, stream, payload)).await;
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next frame, `None` at the end. SETTINGS and PING are acknowledged.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let frame = self.read().await?;
        if matches!(frame.kind, SETTINGS | PING) && frame.flags & ACK == 0 {
            let payload = if frame.kind == PING { &frame.payload[..] } else { &[] };
            self.send(frame.kind, ACK, 0, payload).await;
        }
        Some(frame)
    }

    /// The next frame, which is left without an answer.
    pub(crate) async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        if self.stream.read_exact(&mut head).await.is_err() {
            return None;
        }
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload).await.unwrap();
        Some(Frame { kind, flags, stream: u32::from_be_bytes(id), payload })
    }

    /// The next frame of this kind; others are read past.
    pub(crate) async fn until(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.expect("the client has ended the connection");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Reads what the client has written by now.
    pub(crate) async fn settle(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        // A PING is answered when all that came before has been handled.
        self.send(PING, 0, 0, b"settled!").await;
        loop {
            let frame = self.next().await.expect("the client has ended the connection");
            if frame.kind == PING && frame.flags & ACK != 0 && frame.payload == b"settled!" {
                return frames;
            }
            frames.push(frame);
        }
    }
}

pub(crate) fn encode(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A connection to `h2`, which takes WebSockets.
pub(crate) async fn connected(builder: &mut Builder) -> (Http2, Connection<DuplexStream, Bytes>) {
    let (near, far) = duplex(1 << 20);
    let connector = connector();
    let client = connector.http2_on(near, "ws://a.test:81");
    let server = builder.enable_connect_protocol().handshake(far);
    let (client, server) = tokio::join!(client, async {
        let mut server = server.await.unwrap();
        // The client's PING wants an answer.
        let _ = tokio::time::timeout(std::time::Duration::from_millis(1), server.accept()).await;
        server
    });
    (client.unwrap(), server)
}

/// Answers each request by `answer`.
pub(crate) fn answer<F>(mut server: Connection<DuplexStream, Bytes>, mut answer: F)
where
    F: FnMut(Request<h2::RecvStream>, SendResponse<Bytes>) + Send + 'static,
{
    tokio::spawn(async move {
        while let Some(Ok((request, response))) = server.accept().await {
            answer(request, response);
        }
    });
}

/// Sends back what comes over a WebSocket, by hyper and this library's upgrade. With `/burst` it first sends 100,000 small messages.
pub(crate) async fn serve(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, takes: bool) {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    if takes {
        builder.enable_connect_protocol();
    }
    let _ = builder.serve_connection(TokioIo::new(stream), service_fn(hyper_answer)).await;
}

async fn hyper_answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (mut parts, _) = request.into_parts();
    let burst = parts.uri.path() == "/burst";
    Ok(match upgrade(&mut parts, &Acceptor::default()) {
        Ok((response, pending)) => {
            tokio::spawn(async move {
                let mut socket = pending.socket().await.unwrap();
                if burst {
                    for number in 0..100_000u32 {
                        if socket.send(small(number)).await.is_err() {
                            return;
                        }
                        SENT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                }
                while let Ok(Some(message)) = socket.recv().await {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
            });
            response.map(|()| Full::default())
        }
        Err(refusal) => refusal.to_http().map(Full::from),
    })
}

/// How many messages of the burst have been sent; one test has one.
pub(crate) static SENT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// A message of two bytes.
pub(crate) fn small(number: u32) -> antiphon_socket::Message {
    vec![number as u8, (number >> 8) as u8].into()
}

/// A client on [`serve`].
pub(crate) async fn served(connector: &Connector) -> Http2 {
    let (near, far) = duplex(1 << 16);
    tokio::spawn(serve(far, true));
    connector.http2_on(near, "ws://a.test").await.unwrap()
}
