//! What is known to bring HTTP/2 servers down, frame by frame, against the server: it answers each with GOAWAY or with
//! back-pressure, its memory stays bounded, and others are served.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use support::{Server, TEXT, antiphon, frame as message};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

/// By so much, in KiB, the memory of the server may grow under an attack.
const GROWTH: u64 = 8 * 1024;

/// The memory of the server, in KiB.
fn memory(server: &Server) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", server.pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header that no table has (RFC 7541 §6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0, name.len() as u8];
    bytes.extend(name.bytes());
    bytes.push(value.len() as u8);
    bytes.extend(value.bytes());
    bytes
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

fn get(path: &str) -> Vec<u8> {
    block(&[(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", path)])
}

fn post() -> Vec<u8> {
    block(&[(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", "/api/info")])
}

fn connect(path: &str) -> Vec<u8> {
    block(&[
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", path),
        ("sec-websocket-version", "13"),
    ])
}

/// What a frame from the server was.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

struct Attacker(TcpStream);

impl Attacker {
    fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut attacker = Self(stream);
        attacker.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        attacker.send(&frame(SETTINGS, 0, 0, &[]));
        attacker
    }

    /// False when the server has gone, or takes no more.
    fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// The next frame; nothing when the server has closed.
    fn receive(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        match self.0.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the server says nothing"),
            Err(_) => return None,
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.0.read_exact(&mut payload).unwrap();
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// The first frame that is wanted.
    fn find(&mut self, wanted: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.receive().expect("the server closed");
            assert!(frame.kind != GOAWAY || wanted(&frame), "{frame:?}");
            if wanted(&frame) {
                return frame;
            }
        }
    }

    /// The error that the server ended the connection with.
    fn ended(&mut self) -> u32 {
        loop {
            let frame = self.receive().expect("the server closed without GOAWAY");
            if frame.kind == GOAWAY {
                let code = u32::from_be_bytes(frame.payload[4..8].try_into().unwrap());
                if code != 0 {
                    return code;
                }
            }
        }
    }

    /// Whether the server has handled all that was sent, and goes on.
    fn is_served(&mut self) {
        assert!(self.send(&frame(PING, 0, 0, b"barrier!")));
        self.find(|frame| frame.kind == PING && frame.flags == ACK && frame.payload == b"barrier!");
    }
}

/// Others are served, and what the attack took is bounded.
fn is_well(server: &Server, before: u64) {
    let mut other = Attacker::connect(server);
    other.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &get("/health")));
    other.find(|frame| frame.kind == DATA && frame.payload == b"ok\n");
    let after = memory(server);
    assert!(after < before + GROWTH, "{before} KiB became {after}");
}

fn server() -> (Server, u64) {
    let server = Server::with(&["--workers", "1"]);
    // With all that the first connection brings.
    Attacker::connect(&server).is_served();
    let before = memory(&server);
    (server, before)
}

#[test]
fn rapid_reset() {
    let (server, before) = server();
    let mut attacker = Attacker::connect(&server);
    let mut bytes = Vec::new();
    for stream in (1..20_000).step_by(2) {
        bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &get("/")));
        bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    attacker.send(&bytes);
    assert_eq!(attacker.ended(), ENHANCE_YOUR_CALM);
    is_well(&server, before);
}

#[test]
fn made_you_reset() {
    let (server, before) = server();
    let mut attacker = Attacker::connect(&server);
    for stream in (1..2000).step_by(2) {
        let mut bytes = frame(HEADERS, END_HEADERS, stream, &post());
        // A window beyond 2^31 - 1 is the stream's error (RFC 9113 §6.9.1), and the server resets it.
        bytes.extend(frame(WINDOW_UPDATE, 0, stream, &0x7fff_ffff_u32.to_be_bytes()));
        if !attacker.send(&bytes) {
            break;
        }
    }
    assert_eq!(attacker.ended(), ENHANCE_YOUR_CALM);
    is_well(&server, before);
}

#[test]
fn continuation_flood() {
    let (server, before) = server();
    for piece in [literal("a", &"b".repeat(100)).repeat(100), Vec::new()] {
        let mut attacker = Attacker::connect(&server);
        attacker.send(&frame(HEADERS, 0, 1, &get("/")));
        for _ in 0..10_000 {
            if !attacker.send(&frame(CONTINUATION, 0, 1, &piece)) {
                break;
            }
        }
        assert_eq!(attacker.ended(), ENHANCE_YOUR_CALM);
    }
    is_well(&server, before);
}

#[test]
fn floods_of_frames_that_want_an_answer_are_held_back() {
    let (server, before) = server();
    for flood in [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255])] {
        let mut attacker = Attacker::connect(&server);
        attacker.0.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let chunk = flood.repeat(1000);
        // It does not read the answers, so the server stops to read.
        let taken = (0..10_000).take_while(|_| attacker.send(&chunk)).count();
        assert!(taken < 10_000, "everything was taken");
        is_well(&server, before);
    }
}

#[test]
fn empty_data_flood() {
    let (server, before) = server();
    let mut attacker = Attacker::connect(&server);
    attacker.send(&frame(HEADERS, END_HEADERS, 1, &post()));
    attacker.send(&frame(DATA, 0, 1, &[]).repeat(100_000));
    assert_eq!(attacker.ended(), ENHANCE_YOUR_CALM);
    is_well(&server, before);
}

#[test]
fn a_stream_too_many_is_refused_alone() {
    let mut command = antiphon();
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("ANTIPHON_HTTP2__MAX_CONCURRENT_STREAMS", "10");
    let server = Server::spawn(&mut command);
    let mut attacker = Attacker::connect(&server);
    attacker.send(&frame(SETTINGS, ACK, 0, &[]));
    attacker.is_served();
    for stream in (1..=21).step_by(2) {
        attacker.send(&frame(HEADERS, END_HEADERS, stream, &connect("/echo")));
    }
    let refused = attacker.find(|frame| frame.kind == RST_STREAM);
    assert_eq!((refused.stream, &*refused.payload), (21, &REFUSED_STREAM.to_be_bytes()[..]));
    attacker.is_served();
}

#[test]
fn headers_beyond_the_limit_are_refused() {
    let (server, before) = server();
    let mut attacker = Attacker::connect(&server);
    let mut headers = get("/");
    headers.extend(literal("a", &"b".repeat(100)).repeat(130));
    attacker.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &headers));
    // 431, however it is compressed, and the connection goes on.
    let answer = attacker.find(|frame| frame.stream == 1);
    assert!(answer.kind == HEADERS && !answer.payload.starts_with(&[0x88]), "{answer:?}");
    attacker.is_served();
    // A table makes more of it: 100 bytes, and a thousand times the same for one byte each (RFC 7541 §6.1).
    let mut bomb = get("/");
    bomb.push(0x40);
    bomb.extend(&literal("a", &"b".repeat(100))[1..]);
    bomb.extend([0x80 | 62; 1000]);
    attacker.send(&frame(HEADERS, END_HEADERS | END_STREAM, 3, &bomb));
    assert_eq!(attacker.ended(), ENHANCE_YOUR_CALM);
    is_well(&server, before);
}

/// The window of stream 1, whose reader does not read, is filled with messages of two bytes each.
#[test]
fn many_small_messages_to_a_paused_reader_wait() {
    // A backend that never answers: meanwhile nothing is read from the client.
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = antiphon();
    command.args(["serve", "--listen", "127.0.0.1:0", "--workers", "1"]);
    command.env("ANTIPHON_CLIENT__PROXY__CONNECT__ENABLED", "true");
    let endpoint = format!("http://{}/", backend.local_addr().unwrap());
    command.env("ANTIPHON_CLIENT__PROXY__CONNECT__ENDPOINT", endpoint);
    command.env("ANTIPHON_CLIENT__PROXY__CONNECT__TIMEOUT", "60s");
    let server = Server::spawn(&mut command);
    let mut attacker = Attacker::connect(&server);
    let window = attacker.find(|frame| frame.kind == SETTINGS && frame.flags == 0).payload;
    let window = window.chunks(6).find(|setting| setting[..2] == [0, 4]).unwrap();
    let mut window = u32::from_be_bytes(window[2..].try_into().unwrap()) as usize;
    attacker.send(&frame(SETTINGS, ACK, 0, &[]));
    attacker.is_served();
    let before = memory(&server);
    for stream in [1, 3] {
        attacker.send(&frame(HEADERS, END_HEADERS, stream, &connect("/connection/websocket")));
    }
    let connect = message(TEXT, br#"{"id":1,"connect":{}}"#);
    attacker.send(&frame(DATA, 0, 1, &connect));
    window -= connect.len();
    // The backend has been asked.
    let _asked = backend.accept().unwrap();
    let small = message(TEXT, b"{}");
    let mut sent = 0;
    while sent < 100_000 && small.len() <= window {
        assert!(attacker.send(&frame(DATA, 0, 1, &small)));
        window -= small.len();
        sent += 1;
    }
    assert!(sent < 100_000, "the window is bounded: {sent}");
    // Neither GOAWAY nor more room comes before the answer, and stream 3 is served.
    attacker.send(&frame(PING, 0, 0, b"barrier!"));
    loop {
        let frame = attacker.receive().expect("the server closed");
        assert!(frame.kind != GOAWAY && (frame.kind, frame.stream) != (WINDOW_UPDATE, 1), "{frame:?}");
        if frame.kind == PING && frame.payload == b"barrier!" {
            break;
        }
    }
    attacker.send(&frame(HEADERS, END_HEADERS | END_STREAM, 5, &get("/health")));
    attacker.find(|frame| frame.kind == DATA && frame.payload == b"ok\n");
    is_well(&server, before);
}
