//! A future that is dropped at any of its awaits loses nothing and repeats nothing.

use std::sync::Arc;

use antiphon_socket::proto::{CloseCode, Config, Connection, Delivery, Kind, Limits};
use antiphon_socket::{Message, WebSocket};
use bytes::Buf;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::harness::*;

/// Text and binary, whole, empty and in fragments, with a Ping in between, and a Close: as a client sends them.
fn conversation() -> (Vec<u8>, Vec<Message>) {
    let frames = [
        masked(TEXT, b"one"),
        masked(0x02, b"tw"),
        masked(PING, b"are you there?"),
        masked(0x80, b"o"),
        masked(TEXT, b""),
        masked(0x01, "dr\u{e9}".as_bytes().split_last().unwrap().1),
        masked(0x80, &["\u{e9}".as_bytes()[1], b'i']),
        masked(BINARY, &[7; 300]),
        masked(CLOSE, &1000u16.to_be_bytes()),
    ];
    let messages = ["one".into(), b"two".to_vec().into(), "".into(), "dr\u{e9}i".into(), vec![7; 300].into()];
    (frames.concat(), messages.to_vec())
}

/// What a client's engine makes of the messages, compressed.
fn compressed(messages: &[Message]) -> Vec<u8> {
    let now = Instant::now().into_std();
    let mut client = Connection::client(defaults(), deflate(), Box::new(Keys(5)), now);
    for message in messages {
        match message {
            Message::Text(text) => client.send_text(text).unwrap(),
            Message::Binary(bytes) => client.send_binary(bytes).unwrap(),
        }
    }
    client.close(now, CloseCode::NORMAL, "").unwrap();
    let outbox = client.outbox();
    outbox.copy_to_bytes(outbox.remaining()).to_vec()
}

/// Receives all there is, each call polled at most so many times before it is dropped.
async fn receive_all(socket: &mut WebSocket<Script>, patience: impl Fn(usize) -> usize) -> Vec<Message> {
    let mut messages = Vec::new();
    for call in 0..10_000 {
        match poll_at_most(patience(call), socket.recv()).await {
            None => {}
            Some(Ok(Some(message))) => messages.push(message),
            Some(Ok(None)) => return messages,
            Some(Err(error)) => panic!("{error}"),
        }
    }
    panic!("no end after {messages:?}");
}

#[tokio::test]
async fn recv_dropped_at_every_await() {
    let (wire, messages) = conversation();
    let deflated = compressed(&messages);
    for delivery in [Delivery::Assembled, Delivery::Streamed] {
        let config = Arc::new(Config { delivery, ..Config::default() });
        for (wire, deflate) in [(&wire, None), (&deflated, deflate())] {
            let script = || Script::new(dribble(wire).chain([Read::Eof]));
            // Dropped after every poll, and after every second, third, ...
            for patience in 1..6 {
                let mut socket = server_with(script(), &config, deflate);
                assert_eq!(receive_all(&mut socket, |_| patience).await, messages, "{delivery:?} {patience}");
            }
            // Dropped once, at the k-th poll.
            for k in 1..2 * wire.len() {
                let mut socket = server_with(script(), &config, deflate);
                let patience = |call| if call == 0 { k } else { usize::MAX };
                let mut received = Vec::new();
                if let Some(first) = poll_at_most(k, socket.recv()).await {
                    received.extend(first.unwrap());
                }
                received.extend(receive_all(&mut socket, |call| patience(call + 1)).await);
                assert_eq!(received, messages, "{delivery:?} {k}");
            }
        }
    }
}

#[tokio::test]
async fn recv_dropped_while_a_reply_is_blocked() {
    let (wire, messages) = conversation();
    for patience in 1..4 {
        let script = Script::new(dribble(&wire).chain([Read::Eof]))
            .writes([Write::Later, Write::Take(1)].into_iter().cycle().take(200));
        let log = script.log();
        let mut socket = server(script, &defaults());
        assert_eq!(receive_all(&mut socket, |_| patience).await, messages);
        let seen = decode(&log.lock().unwrap().written, None);
        assert_eq!(seen[0], Seen::Pong(b"are you there?".to_vec()), "the Pong, once");
        assert_eq!((seen.len(), close_code(&seen)), (2, Some(1000)));
    }
}

fn numbered(number: usize) -> Message {
    let text = format!("message {number}");
    if number.is_multiple_of(2) { text.into() } else { text.into_bytes().into() }
}

/// A writer that takes a byte at every other call.
fn slow() -> impl Iterator<Item = Write> {
    [Write::Later, Write::Take(1)].into_iter().cycle().take(4000)
}

/// The numbers of the messages that were written.
fn numbers(wire: &[u8]) -> Vec<usize> {
    let number = |seen| match seen {
        Seen::Message(message) => {
            str::from_utf8(message.as_bytes()).unwrap().strip_prefix("message ").unwrap().parse().unwrap()
        }
        seen => panic!("{seen:?}"),
    };
    decode(wire, None).into_iter().map(number).collect()
}

#[tokio::test]
async fn send_dropped_at_every_await() {
    let limits = Limits { outbox: 40, ..Limits::default() };
    let config = Arc::new(Config { limits, ..Config::default() });
    for patience in 1..60 {
        let script = Script::new([]).writes(slow());
        let log = script.log();
        let mut socket = server(script, &config);
        let mut sent = Vec::new();
        for number in 0..30 {
            let done = match number % 3 {
                0 => poll_at_most(patience, socket.send(numbered(number))).await,
                _ => poll_at_most(patience, socket.feed(numbered(number))).await,
            };
            if let Some(result) = done {
                result.unwrap();
                sent.push(number);
            }
            let _ = poll_at_most(patience, socket.flush()).await;
        }
        socket.flush().await.unwrap();
        let arrived = numbers(&log.lock().unwrap().written);
        assert!(arrived.is_sorted_by(|a, b| a < b), "in order, none twice: {arrived:?}");
        assert!(sent.iter().all(|number| arrived.contains(number)), "sent {sent:?}, arrived {arrived:?}");
        assert!(arrived.len() >= 5, "{arrived:?}");
    }
}

#[tokio::test]
async fn a_feed_that_waits_for_room_has_queued_nothing() {
    let limits = Limits { outbox: 40, ..Limits::default() };
    let config = Arc::new(Config { limits, ..Config::default() });
    let script = Script::new([]).writes([Write::Later; 3]);
    let log = script.log();
    let mut socket = server(script, &config);
    socket.feed(numbered(0)).await.unwrap();
    socket.feed(numbered(1)).await.unwrap();
    assert!(poll_at_most(1, socket.feed(numbered(2))).await.is_none());
    socket.flush().await.unwrap();
    assert_eq!(numbers(&log.lock().unwrap().written), [0, 1]);
}

#[tokio::test]
async fn halves_dropped_at_every_await() {
    let (wire, messages) = conversation();
    for patience in 1..8 {
        let script = Script::new(dribble(&wire).chain([Read::Eof])).writes(slow());
        let log = script.log();
        let (mut sender, mut receiver) = server(script, &defaults()).split();
        let mut received = Vec::new();
        let mut sent = 0;
        for _ in 0..10_000 {
            if sent < 3
                && let Some(result) = poll_at_most(patience, sender.feed(numbered(sent))).await
            {
                result.unwrap();
                sent += 1;
            }
            match poll_at_most(patience, receiver.recv()).await {
                None => {}
                Some(Ok(Some(message))) => received.push(message),
                Some(end) => {
                    assert!(end.unwrap().is_none());
                    break;
                }
            }
        }
        assert_eq!(received, messages);
        assert!(receiver.end().unwrap().is_clean());
        let mut seen = decode(&log.lock().unwrap().written, None);
        seen.retain(|seen| matches!(seen, Seen::Message(_)));
        assert_eq!(seen, [0, 1, 2].map(|number| Seen::Message(numbered(number))));
    }
}

#[tokio::test]
async fn reader_dropped_at_every_await() {
    let (wire, messages) = conversation();
    let deflated = compressed(&messages);
    for (wire, deflate) in [(wire, None), (deflated, deflate())] {
        for config in [streamed(), defaults()] {
            for patience in 1..5 {
                let script = Script::new(dribble(&wire).chain([Read::Eof]));
                let mut socket = server_with(script, &config, deflate);
                let mut received = Vec::new();
                while received.len() < messages.len() {
                    let Some(reader) = poll_at_most(patience, socket.reader()).await else { continue };
                    let mut reader = reader.unwrap().expect("a message");
                    let kind = reader.kind();
                    let mut bytes = Vec::new();
                    // Each read of it is dropped now and then as well.
                    loop {
                        match poll_at_most(patience, reader.read_buf(&mut bytes)).await {
                            Some(Ok(0)) => break,
                            Some(Ok(_)) | None => {}
                            Some(Err(error)) => panic!("{error}"),
                        }
                    }
                    received.push(match kind {
                        Kind::Text => String::from_utf8(bytes).unwrap().into(),
                        Kind::Binary => Message::from(bytes),
                    });
                }
                assert_eq!(received, messages);
                assert!(socket.reader().await.unwrap().is_none());
            }
        }
    }
}

/// What a dropped `recv` had put together goes to whoever asks next.
#[tokio::test]
async fn recv_dropped_then_reader() {
    let (wire, messages) = conversation();
    for k in 1..2 * wire.len() {
        let mut socket = server(Script::new(dribble(&wire).chain([Read::Eof])), &streamed());
        let mut received = Vec::new();
        if let Some(first) = poll_at_most(k, socket.recv()).await {
            received.push(first.unwrap().unwrap().into_bytes().to_vec());
            // Into the next message.
            let _ = poll_at_most(k % 7, socket.recv()).await.map(|next| {
                received.extend(next.unwrap().map(|message| message.into_bytes().to_vec()));
            });
        }
        while let Some(mut reader) = socket.reader().await.unwrap() {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).await.unwrap();
            received.push(bytes);
        }
        let expected: Vec<_> = messages.iter().map(|message| message.as_bytes().to_vec()).collect();
        assert_eq!(received, expected, "{k}");
    }
}

#[tokio::test]
async fn a_close_dropped_at_every_await_is_sent_once() {
    for k in 1..20 {
        let script = Script::new([Read::Later, Read::Later, Read::Later])
            .writes([Write::Later, Write::Take(1)].into_iter().cycle().take(10));
        let log = script.log();
        let mut socket = server(script, &impatient());
        assert!(poll_at_most(k, socket.close(CloseCode::NORMAL, "bye")).await.is_none());
        assert!(poll_at_most(30, socket.close(CloseCode::GOING_AWAY, "again")).await.is_none());
        assert!(poll_at_most(30, socket.recv()).await.is_none());
        assert_eq!(log.lock().unwrap().written, plain(CLOSE, b"\x03\xe8bye"), "{k}");
    }
}
