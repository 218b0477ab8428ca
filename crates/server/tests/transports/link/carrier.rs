//! What a client listens on: each transport with its framing taken off.

use std::sync::LazyLock;

use antiphon_hub::protocol::Encoding;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Handle};

use super::way::{Transport, Way};
use super::wire;
use crate::h2_client::{self, opening, soon};
use crate::http::{Http, percent};
use crate::support::{self, CLOSE, handshake};

/// What a client listens on.
pub(crate) enum Carrier {
    Socket(support::Socket),
    /// With its connection.
    Socket2(h2_client::Socket, #[allow(dead_code, reason = "it lives for as long")] h2_client::Client),
    /// With what was read of the next message.
    Stream(Http, Vec<u8>),
    Sse(Http, Vec<u8>),
    Poll(Http),
}

/// What comes.
#[derive(Debug)]
pub(crate) enum Heard {
    Messages(Vec<Value>),
    /// It has ended, a WebSocket with a code and a reason.
    End(Option<(u64, String)>),
    /// A request was refused with this status.
    Refused(u16),
}

/// Drives the connections of HTTP/2.
static RUNTIME: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    handle
});

fn opcode_of(encoding: Encoding) -> u8 {
    match encoding {
        Encoding::Json => support::TEXT,
        Encoding::Protobuf => support::BINARY,
    }
}

impl Carrier {
    /// Opens one and says the first message on it.
    pub(crate) fn open(port: u16, way: Way, first: &[Value]) -> Self {
        let said = wire::encode(way.encoding, first);
        let mut http = Http::connect(port);
        match way.transport {
            Transport::WebSocket | Transport::WebSocket2 => {
                let mut socket = Self::open_socket(port, way);
                socket.send(way.encoding, &said);
                socket
            }
            Transport::HttpStream => {
                let content_type = content_type(way.encoding);
                http.send("POST", "/connection/http_stream", &[("content-type", content_type)], &said);
                Self::Stream(http, Vec::new())
            }
            Transport::SseGet => {
                let path =
                    format!("/connection/sse?cf_connect={}", percent(&String::from_utf8(said).unwrap()));
                http.send("GET", &path, &[], b"");
                Self::Sse(http, Vec::new())
            }
            Transport::SsePost => {
                http.send("POST", "/connection/sse", &[], &said);
                Self::Sse(http, Vec::new())
            }
            Transport::Poll | Transport::PollOnly => {
                let body = json!({ "commands": first }).to_string();
                http.send("POST", "/connection/poll", &[], body.as_bytes());
                Self::Poll(http)
            }
        }
        .begin()
    }

    fn open_socket(port: u16, way: Way) -> Self {
        let subprotocol = way.encoding.subprotocol();
        if way.transport == Transport::WebSocket {
            let header = format!("Sec-WebSocket-Protocol: {subprotocol}\r\n");
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(crate::http::PATIENCE)).unwrap();
            stream.set_nodelay(true).unwrap();
            let request = handshake("/connection/websocket", &header);
            std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
            let mut socket = support::Socket { stream };
            let head = socket.head();
            assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
            return Self::Socket(socket);
        }
        RUNTIME.block_on(async {
            let mut client = h2_client::Client::connect(port).await;
            client.get("/health").await;
            let headers = [("sec-websocket-protocol", subprotocol)];
            let asked = opening("/connection/websocket", "websocket", &headers);
            let (response, sending) = client.requests.send_request(asked, false).unwrap();
            let response = soon(response).await.unwrap();
            assert_eq!(response.status(), 200);
            Self::Socket2(h2_client::Socket::new(sending, response.into_body()), client)
        })
    }

    /// Reads the head of a response without end.
    fn begin(mut self) -> Self {
        if let Self::Stream(http, _) | Self::Sse(http, _) = &mut self {
            let head = http.head();
            assert_eq!(head.status, 200);
            assert_eq!(head.header("connection"), Some("close"));
            assert_eq!(head.header("x-accel-buffering"), Some("no"));
        }
        self
    }

    /// Says a message on a WebSocket; false where that is none.
    pub(crate) fn send(&mut self, encoding: Encoding, message: &[u8]) -> bool {
        match self {
            Self::Socket(socket) => socket.send(opcode_of(encoding), message),
            Self::Socket2(socket, _) => {
                RUNTIME.block_on(socket.sender.send(opcode_of(encoding), message));
            }
            _ => return false,
        }
        true
    }

    /// Closes a WebSocket with a code, without waiting for the answer.
    pub(crate) fn close(&mut self, code: u16) {
        let payload = code.to_be_bytes();
        match self {
            Self::Socket(socket) => socket.send(CLOSE, &payload),
            Self::Socket2(socket, _) => RUNTIME.block_on(socket.sender.send(CLOSE, &payload)),
            _ => panic!("only a WebSocket closes with a code"),
        }
    }

    /// What comes next; on a poll the answer to the request that was sent.
    pub(crate) fn receive(&mut self, encoding: Encoding) -> Heard {
        let (opcode, payload) = match self {
            Self::Socket(socket) => socket.receive(),
            Self::Socket2(socket, _) => match RUNTIME.block_on(socket.receiver.receive()) {
                Some(frame) => frame,
                None => return Heard::End(None),
            },
            Self::Stream(http, read) => return stream(http, read, encoding),
            Self::Sse(http, read) => return events(http, read),
            Self::Poll(http) => {
                let answer = http.answer(false);
                if answer.status != 200 {
                    return Heard::Refused(answer.status);
                }
                return Heard::Messages(vec![answer.json()]);
            }
        };
        if opcode == CLOSE {
            let (code, reason) = payload.split_at(2);
            let code = u16::from_be_bytes(code.try_into().unwrap());
            return Heard::End(Some((code.into(), String::from_utf8(reason.to_vec()).unwrap())));
        }
        assert_eq!(opcode, opcode_of(encoding));
        Heard::Messages(wire::decode(encoding, &payload))
    }
}

pub(crate) fn content_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json => "application/json",
        Encoding::Protobuf => "application/octet-stream",
    }
}

fn stream(http: &mut Http, read: &mut Vec<u8>, encoding: Encoding) -> Heard {
    loop {
        let messages: Vec<_> = std::iter::from_fn(|| wire::take(encoding, read)).collect();
        if !messages.is_empty() {
            return Heard::Messages(messages);
        }
        match http.piece() {
            Some(piece) => read.extend(piece),
            None => {
                assert!(read.is_empty(), "a message is cut short");
                return Heard::End(None);
            }
        }
    }
}

/// Reads events that have data; comments have none.
fn events(http: &mut Http, read: &mut Vec<u8>) -> Heard {
    let mut messages = Vec::new();
    loop {
        while let Some(end) = read.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = read.drain(..end + 2).collect();
            let event = String::from_utf8(event).unwrap();
            let data = event.lines().filter_map(|line| line.strip_prefix("data: "));
            messages.extend(data.map(|data| wire::parse(data.as_bytes())));
        }
        if !messages.is_empty() {
            return Heard::Messages(messages);
        }
        match http.piece() {
            Some(piece) => read.extend(piece),
            None => {
                assert!(read.is_empty(), "an event is cut short");
                return Heard::End(None);
            }
        }
    }
}
