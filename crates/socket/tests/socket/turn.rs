//! The turn interface: one write for what one read brings, pauses, prepared messages.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use antiphon_socket::proto::{Config, Connection, Delivery, Event, Kind, Limits, Prepared};
use antiphon_socket::{Flush, Message, Turn};
use bytes::Buf;
use tokio::time::{Instant, timeout};

use crate::harness::*;

fn echo(connection: &mut Connection, event: Event<'_>) -> ControlFlow<()> {
    match event {
        Event::Text(text) => connection.send_text(&text).unwrap(),
        Event::Binary(bytes) => connection.send_bytes(Kind::Binary, bytes.into_owned()).unwrap(),
        _ => {}
    }
    ControlFlow::Continue(())
}

fn texts(count: usize) -> Vec<Message> {
    (0..count).map(|number| Message::from(format!("message {number}"))).collect()
}

fn messages(seen: Vec<Seen>) -> Vec<Message> {
    let message = |seen| if let Seen::Message(message) = seen { Some(message) } else { None };
    seen.into_iter().filter_map(message).collect()
}

#[tokio::test(start_paused = true)]
async fn one_write_answers_one_read() {
    let wire = (0..1000).flat_map(|number| masked(TEXT, format!("message {number}").as_bytes())).collect();
    let script = Script::new([Read::Data(wire)]);
    let log = script.log();
    let mut socket = server(script, &defaults());
    assert!(timeout(seconds(1), poll_fn(|cx| socket.poll_turn(cx, &mut echo))).await.is_err());
    let log = log.lock().unwrap();
    assert_eq!(messages(decode(&log.written, None)), texts(1000));
    assert_eq!(log.writes, 1);
}

/// A client's messages, compressed or not.
fn wire(messages: &[Message], compress: bool) -> Vec<u8> {
    let now = Instant::now().into_std();
    let limits = Limits { outbox: usize::MAX, ..Limits::default() };
    let config = Arc::new(Config { limits, ..Config::default() });
    let mut client = Connection::client(config, compress.then(deflate).flatten(), Box::new(Keys(5)), now);
    for message in messages {
        client.send_bytes(message.kind(), message.clone().into_bytes()).unwrap();
    }
    let outbox = client.outbox();
    outbox.copy_to_bytes(outbox.remaining()).to_vec()
}

/// A handler that breaks off after every event finds the next one, and nothing waits for more input.
#[tokio::test(start_paused = true)]
async fn pauses_after_every_event_and_goes_on() {
    let mut sent = texts(20);
    sent.extend([Message::from(vec![7; 70_000]), Message::from(""), Message::from("a".repeat(70_000))]);
    let mut keys = Keys(77);
    let noise: Vec<u8> = (0..60_000).map(|_| keys.next() as u8).collect();
    sent.push(noise.into());
    for compress in [false, true] {
        for delivery in [Delivery::Assembled, Delivery::Streamed] {
            let config = Arc::new(Config { delivery, ..Config::default() });
            let script = Script::new([Read::Data(wire(&sent, compress))]);
            let mut socket = server_with(script, &config, compress.then(deflate).flatten());
            let mut received: Vec<Message> = Vec::new();
            let mut open: Option<(Kind, Vec<u8>)> = None;
            while received.len() < sent.len() {
                let turn = poll_fn(|cx| {
                    socket.poll_turn(cx, &mut |_, event| {
                        match event {
                            Event::Text(text) => received.push(text.into_owned().into()),
                            Event::Binary(bytes) => received.push(bytes.into_owned().into()),
                            Event::Begin(kind) => open = Some((kind, Vec::new())),
                            Event::Chunk(chunk) => open.as_mut().unwrap().1.extend_from_slice(&chunk),
                            Event::End => match open.take().unwrap() {
                                (Kind::Text, text) => received.push(String::from_utf8(text).unwrap().into()),
                                (Kind::Binary, bytes) => received.push(bytes.into()),
                            },
                            event => panic!("{event:?}"),
                        }
                        ControlFlow::Break(())
                    })
                });
                assert_eq!(within(seconds(1), turn).await, Turn::Paused, "{compress} {delivery:?}");
            }
            assert_eq!(received, sent, "{compress} {delivery:?}");
        }
    }
}

/// Other tasks have their turn, though this peer always has something to say.
#[tokio::test]
async fn a_busy_peer_does_not_starve_others() {
    let script = Script::new((0..100_000).map(|_| Read::Data(masked(TEXT, b"x"))));
    let log = script.log();
    let mut socket = server(script, &defaults());
    let mut polls = 0;
    while log.lock().unwrap().reads < 10_000 {
        let before = log.lock().unwrap().reads;
        assert!(poll_at_most(1, poll_fn(|cx| socket.poll_turn(cx, &mut echo))).await.is_none());
        let reads = log.lock().unwrap().reads - before;
        assert!((1..=64).contains(&reads), "{reads} reads in one poll");
        polls += 1;
    }
    assert!(polls > 100);
}

#[tokio::test(start_paused = true)]
async fn prepared_messages_go_out_in_somebody_elses_turn() {
    let prepared = [Prepared::text("small"), Prepared::binary(&[7; 10_000])];
    for deflate in [None, deflate()] {
        let script = Script::new([]);
        let log = script.log();
        let mut socket = server_with(script, &defaults(), deflate);
        for prepared in &prepared {
            socket.queue(prepared).unwrap();
        }
        assert_eq!(log.lock().unwrap().writes, 0);
        assert_eq!(socket.try_flush(), Flush::Complete);
        assert_eq!(log.lock().unwrap().writes, 1, "one vectored write");
        let seen = messages(decode(&log.lock().unwrap().written, deflate));
        assert_eq!(seen, [Message::from("small"), Message::from(vec![7; 10_000])]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_blocked_flush_is_finished_by_the_driver() {
    let script = Script::new([]).writes([Write::Take(3), Write::Wait(seconds(1)), Write::Take(3)]);
    let log = script.log();
    let mut socket = server(script, &defaults());
    socket.queue(&Prepared::text("a message")).unwrap();
    assert_eq!(socket.try_flush(), Flush::Blocked);
    // What a server does then: wakes the task that drives the socket.
    assert!(timeout(seconds(2), poll_fn(|cx| socket.poll_turn(cx, &mut echo))).await.is_err());
    assert_eq!(log.lock().unwrap().written, plain(TEXT, b"a message"));
}

/// A few bytes that inflate to much more than may wait: the handler is not called again before there is room, so no answer is
/// refused, and no more than the limit and one message waits.
#[tokio::test(start_paused = true)]
async fn answers_never_overflow_the_outbox() {
    let sent: Vec<Message> = (0..200).map(|n| Message::from(vec![n as u8; 50_000])).collect();
    let limits = Limits { outbox: 200_000, ..Limits::default() };
    let config = Arc::new(Config { limits, ..Config::default() });
    let script = Script::new([Read::Data(wire(&sent, true))])
        .writes([Write::Wait(seconds(1)), Write::Take(400_000)].into_iter().cycle().take(400));
    let log = script.log();
    let mut socket = server_with(script, &config, deflate());
    let mut most = 0;
    // Each answer goes out as it is, uncompressed.
    let mut handler = |connection: &mut Connection, event: Event<'_>| {
        if let Event::Binary(bytes) = event {
            connection.send_uncompressed(Kind::Binary, &bytes).unwrap();
            most = most.max(connection.outbox().len());
        }
        ControlFlow::Continue(())
    };
    assert!(timeout(seconds(300), poll_fn(|cx| socket.poll_turn(cx, &mut handler))).await.is_err());
    assert!(most <= 200_000 + 50_100, "{most} bytes waited");
    assert_eq!(messages(decode(&log.lock().unwrap().written, deflate())), sent);
}

/// A message beyond the limit of the outbox, and another right behind it.
#[tokio::test(start_paused = true)]
async fn an_answer_behind_a_large_one_is_not_refused() {
    let sent = [Message::from(vec![1; 200_000]), Message::from("small"), Message::from("smaller")];
    let script = Script::new([Read::Data(wire(&sent, false))]).writes([Write::Wait(seconds(1))]);
    let log = script.log();
    let mut socket = server(script, &narrow());
    assert!(timeout(seconds(5), poll_fn(|cx| socket.poll_turn(cx, &mut echo))).await.is_err());
    assert_eq!(messages(decode(&log.lock().unwrap().written, None)), sent);
}

/// A handler that breaks off at the last event is not asked again.
#[tokio::test(start_paused = true)]
async fn the_end_is_told_once() {
    let script = Script::new([Read::Data(masked(CLOSE, b"")), Read::Eof]);
    let mut socket = server(script, &defaults());
    let mut told = 0;
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..5 {
        let turn = socket.poll_turn(&mut context, &mut |_, event| {
            told += usize::from(matches!(event, Event::Closed(_)));
            ControlFlow::Break(())
        });
        assert!(matches!(turn, Poll::Ready(Turn::Paused | Turn::Done)));
    }
    assert_eq!(told, 1);
}

/// Who answers after the turn still can, though the peer's Close came with its messages.
#[tokio::test(start_paused = true)]
async fn a_turn_pauses_before_the_close_if_it_is_told_to() {
    let message = masked(TEXT, b"question");
    let close = masked(CLOSE, &1000_u16.to_be_bytes());
    let together = vec![Read::Data([message.clone(), close.clone()].concat())];
    let apart = vec![Read::Data(message), Read::Data(close)];
    for reads in [together, apart] {
        let script = Script::new(reads);
        let log = script.log();
        let mut socket = server(script, &defaults());
        socket.pause_before_close();
        let mut questions = 0;
        for expected in [Turn::Paused, Turn::Done] {
            let turn = poll_fn(|cx| {
                socket.poll_turn(cx, &mut |_, event| {
                    questions += usize::from(matches!(event, Event::Text(_)));
                    ControlFlow::Continue(())
                })
            });
            assert_eq!(turn.await, expected);
            if expected == Turn::Paused {
                socket.connection_mut().send_text("answer").unwrap();
            }
        }
        assert_eq!(questions, 1);
        let seen = decode(&log.lock().unwrap().written, None);
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert_eq!(messages(seen), [Message::from("answer")]);
    }
}
