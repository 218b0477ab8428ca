//! Spans of publications, as a collector gets them.

#![cfg(feature = "otlp")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use support::{Server, antiphon};

/// A collector that takes everything: its address, and the bodies that it was sent.
fn collector() -> (String, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (bodies, received) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, bodies) = (stream.unwrap(), bodies.clone());
            thread::spawn(move || take(stream, &bodies));
        }
    });
    (url, received)
}

/// Answers requests until the peer closes.
fn take(mut stream: TcpStream, bodies: &Sender<Vec<u8>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = head[start..].to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(head.to_ascii_lowercase().contains("content-type: application/x-protobuf\r\n"), "{head}");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        // The test may have what it wants.
        let _ = bodies.send(body);
    }
}

/// A field of a Protobuf message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message with their numbers.
fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    fn varint(message: &mut &[u8]) -> u64 {
        let end = message.iter().position(|byte| byte & 0x80 == 0).unwrap();
        let value = message[..=end].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
        *message = &message[end + 1..];
        value
    }
    let mut all = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut message)),
            kind => {
                let length = match kind {
                    1 => 8,
                    5 => 4,
                    2 => usize::try_from(varint(&mut message)).unwrap(),
                    other => panic!("there is no kind {other}"),
                };
                let (bytes, rest) = message.split_at(length);
                message = rest;
                Field::Bytes(bytes)
            }
        };
        all.push((key >> 3, field));
    }
    all
}

/// The bytes of every field with this number.
fn every(message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).into_iter().filter_map(move |(at, field)| match field {
        Field::Bytes(bytes) if at == number => Some(bytes),
        _ => None,
    })
}

#[derive(Debug)]
struct Span {
    name: String,
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    attributes: BTreeMap<String, String>,
}

impl Span {
    /// Reads `opentelemetry.proto.trace.v1.Span`.
    fn parse(message: &[u8]) -> Self {
        let one = |number| every(message, number).next().unwrap_or_default().to_vec();
        Self {
            name: String::from_utf8(one(5)).unwrap(),
            trace: one(1),
            id: one(2),
            parent: one(4),
            attributes: every(message, 9).map(attribute).collect(),
        }
    }
}

/// Reads `opentelemetry.proto.common.v1.KeyValue`.
fn attribute(message: &[u8]) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let key = text(every(message, 1).next().unwrap());
    let value = fields(every(message, 2).next().unwrap()).pop().map(|(_, value)| match value {
        Field::Number(number) => number.to_string(),
        Field::Bytes(bytes) => text(bytes),
    });
    (key, value.unwrap())
}

#[test]
fn a_publication_is_one_trace_from_the_wish_to_the_sockets() {
    let (url, bodies) = collector();
    let mut server = Server::spawn(
        antiphon()
            .args(["serve", "--listen", "127.0.0.1:0", "--workers", "2"])
            .env("ANTIPHON_OPENTELEMETRY__ENABLED", "true")
            .env("ANTIPHON_OPENTELEMETRY__ENDPOINT", url),
    );
    // Enough of them that each worker has some, all but always.
    let mut subscribers: Vec<_> = (0..8).map(|_| server.open("/connection/websocket")).collect();
    let mut client = String::new();
    for socket in &mut subscribers {
        socket.say(r#"{"id":1,"connect":{}}"#);
        client = socket.hear().split('"').nth(7).unwrap().to_owned();
        socket.say(r#"{"id":2,"subscribe":{"channel":"chat"}}"#);
        while !socket.hear().contains(r#""subscribe""#) {}
    }
    let publisher = subscribers.last_mut().unwrap();
    publisher.say(r#"{"id":3,"publish":{"channel":"chat","data":{"text":"hi"}}}"#);
    for socket in &mut subscribers {
        while !socket.hear().contains(r#""pub""#) {}
    }
    // What waits is sent before the server ends.
    server.terminate();
    drop(subscribers);
    assert!(server.ended().success());

    let mut spans: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    let mut resources = String::new();
    for body in bodies.try_iter() {
        for resource_spans in every(&body, 1) {
            resources.extend(every(resource_spans, 1).map(String::from_utf8_lossy));
            for message in every(resource_spans, 2).flat_map(|scope| every(scope, 2).collect::<Vec<_>>()) {
                let span = Span::parse(message);
                spans.entry(span.name.clone()).or_default().push(span);
            }
        }
    }
    assert!(resources.contains("service.name") && resources.contains("antiphon"), "{resources:?}");
    let names: Vec<&str> = spans.keys().map(String::as_str).collect();
    assert_eq!(names, ["engine", "fan_out", "publish", "write"]);

    let [publish] = &spans["publish"][..] else { panic!("{spans:?}") };
    let attributes = publish.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let expected = [("bytes", "13"), ("channel", "chat"), ("client", &client), ("offset", "1")];
    assert_eq!(attributes.collect::<Vec<_>>(), expected);
    assert!(publish.parent.is_empty() && publish.trace.len() == 16);
    let [engine] = &spans["engine"][..] else { panic!("{spans:?}") };
    assert_eq!((&engine.trace, &engine.parent), (&publish.trace, &publish.id));
    let mut members = 0;
    for fan_out in &spans["fan_out"] {
        assert_eq!((&fan_out.trace, &fan_out.parent), (&publish.trace, &engine.id));
        assert_eq!((&*fan_out.attributes["channel"], &*fan_out.attributes["offset"]), ("chat", "1"));
        members += fan_out.attributes["members"].parse::<u32>().unwrap();
        let writes: Vec<_> = spans["write"].iter().filter(|write| write.parent == fan_out.id).collect();
        assert_eq!(writes.len(), 1, "{spans:?}");
        assert_eq!(
            (&writes[0].trace, &writes[0].attributes["worker"]),
            (&publish.trace, &fan_out.attributes["worker"])
        );
    }
    assert_eq!(members, 8);
}
