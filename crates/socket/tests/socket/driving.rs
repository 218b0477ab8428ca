//! Whoever receives drives the connection: replies, timers, the end.

use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use antiphon_socket::proto::{Cause, CloseCode, End, Eof, Event, SendError, Side};
use antiphon_socket::{Error, Message, WebSocket};
use std::future::poll_fn;
use tokio::time::{Instant, sleep, timeout};

use crate::harness::*;

fn written(log: &Arc<Mutex<Log>>) -> Vec<Seen> {
    decode(&log.lock().unwrap().written, None)
}

fn ended(result: Result<Option<Message>, Error>) -> (End, Option<io::ErrorKind>) {
    match result {
        Err(Error::Ended { end, io }) => (*end, io.map(|io| io.kind())),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_pong_waits_for_nobody() {
    let script =
        Script::new([Read::Data(masked(PING, b"1")), Read::Wait(seconds(1)), Read::Data(masked(PING, b"2"))]);
    let log = script.log();
    let mut socket = server(script, &defaults());
    assert!(timeout(seconds(2), socket.recv()).await.is_err(), "there is no message");
    assert_eq!(written(&log), [Seen::Pong(b"1".to_vec()), Seen::Pong(b"2".to_vec())]);
}

#[tokio::test(start_paused = true)]
async fn a_close_reply_waits_for_nobody() {
    let script =
        Script::new([Read::Data(masked(CLOSE, &3001u16.to_be_bytes())), Read::Wait(seconds(1)), Read::Eof]);
    let log = script.log();
    let mut socket = server(script, &defaults());
    // The Close frame is out, and this side shut down, before the peer's end of stream.
    assert!(
        timeout(seconds(1) / 2, socket.recv()).await.is_err(),
        "it reads on, so that no reset eats the Close"
    );
    assert_eq!(close_code(&written(&log)), Some(3001));
    assert!(log.lock().unwrap().shut_down, "a server ends the stream first (§7.1.1)");
    assert!(socket.recv().await.unwrap().is_none());
    assert_eq!(socket.end().unwrap().first, Some(Side::Peer));
    assert!(socket.recv().await.unwrap().is_none(), "and again");
}

#[tokio::test(start_paused = true)]
async fn a_client_lets_the_server_end_the_stream() {
    let close = plain(CLOSE, &1000u16.to_be_bytes());
    let script = Script::new([Read::Data(close), Read::Wait(seconds(1)), Read::Eof]);
    let log = script.log();
    let mut socket = client_with(script, &defaults(), None);
    assert!(timeout(seconds(1) / 2, socket.recv()).await.is_err());
    assert!(!log.lock().unwrap().shut_down);
    assert!(socket.recv().await.unwrap().is_none());
    assert!(log.lock().unwrap().shut_down, "the server need not wait until the socket is dropped");
}

#[tokio::test(start_paused = true)]
async fn a_close_is_flushed_before_the_end() {
    let script = Script::new([Read::Data(masked(CLOSE, b"")), Read::Eof])
        .flushes([Write::Wait(seconds(1)), Write::Take(0)]);
    let log = script.log();
    let mut socket = server(script, &defaults());
    assert!(within(seconds(3), socket.recv()).await.unwrap().is_none());
    let log = log.lock().unwrap();
    assert_eq!((log.written.as_slice(), log.flushed), (&[0x88, 0][..], 2));
}

#[tokio::test(start_paused = true)]
async fn keep_alive_asks_and_gives_up() {
    let start = Instant::now();
    let script = Script::new([]);
    let log = script.log();
    let mut socket = server(script, &impatient());
    assert!(timeout(seconds(9), socket.recv()).await.is_err());
    assert!(written(&log).is_empty());
    let (end, _) = ended(within(seconds(60), socket.recv()).await);
    assert_eq!(end.cause, Cause::KeepAliveTimeout(seconds(4)));
    assert_eq!(start.elapsed().as_secs(), 10 + 4 + 2, "the Ping, its answer, the close");
    let seen = written(&log);
    assert!(matches!(seen[..], [Seen::Ping(_), Seen::Closed(_)]), "{seen:?}");
    assert_eq!(close_code(&seen), Some(1011));
}

#[tokio::test(start_paused = true)]
async fn keep_alive_lets_those_live_that_answer() {
    let (mut server, mut client) = pair(1 << 10, &impatient());
    let server = tokio::spawn(async move { timeout(seconds(200), server.recv()).await.is_err() });
    assert!(timeout(seconds(190), client.recv()).await.is_err());
    drop(client);
    assert!(!server.await.unwrap(), "it ended with the client, not before");
}

/// The application was busy while the answer came: it is looked at before the deadline is.
#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_has_read_yet_counts() {
    let pong = masked(PONG, &1u64.to_be_bytes());
    let script = Script::new([Read::Wait(seconds(11)), Read::Data(pong)]);
    let mut socket = server(script, &impatient());
    assert!(timeout(seconds(10) + seconds(1) / 2, socket.recv()).await.is_err(), "the Ping is out");
    sleep(seconds(8)).await;
    assert!(timeout(seconds(1), socket.recv()).await.is_err());
    assert!(socket.end().is_none(), "{:?}", socket.end());
}

/// The same in the other direction: who takes bytes, however slowly, is not dead.
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_long_message_slowly_is_alive() {
    let takes = [Write::Wait(seconds(1)), Write::Take(1000)].into_iter().cycle();
    let script =
        Script::new([Read::Wait(seconds(92)), Read::Data(masked(TEXT, b"thanks"))]).writes(takes.take(200));
    let mut socket = server(script, &impatient());
    within(seconds(120), socket.send(vec![1; 99_990])).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("thanks".into()));

    // While it receives, as well; it does so once half is written.
    let takes = [Write::Wait(seconds(1)), Write::Take(10_000)].into_iter().cycle();
    let script =
        Script::new([Read::Wait(seconds(54)), Read::Data(masked(TEXT, b"thanks"))]).writes(takes.take(200));
    let mut socket = server(script, &impatient());
    socket.feed(vec![1; 999_000]).await.unwrap();
    assert_eq!(within(seconds(120), socket.recv()).await.unwrap(), Some("thanks".into()));
}

#[tokio::test(start_paused = true)]
async fn a_pong_tells_the_round_trip_time() {
    let script = Script::new([Read::Wait(seconds(3)), Read::Data(masked(PONG, b"x"))]);
    let mut socket = server(script, &defaults());
    socket.ping(b"x").await.unwrap();
    let mut measured = None;
    let turn = poll_fn(|cx| {
        socket.poll_turn(cx, &mut |_, event| match event {
            Event::Pong { round_trip, .. } => {
                measured = round_trip;
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        })
    });
    within(seconds(5), turn).await;
    assert_eq!(measured.unwrap().as_secs(), 3);
    assert!(matches!(socket.ping(&[0; 126]).await, Err(Error::Send(SendError::ControlTooLong(126)))));
}

#[tokio::test(start_paused = true)]
async fn the_close_budget_covers_whatever_the_peer_does() {
    let trickle: Vec<_> =
        (0..1000).flat_map(|_| [Read::Wait(seconds(1) / 10), Read::Data(vec![b'x'])]).collect();
    let mut trickled = vec![Read::Data(masked(BINARY, &[0; 100_000])[..20].to_vec())];
    trickled.extend(trickle);
    let flood = (0..1_000_000).map(|_| Read::Data(masked(TEXT, b"more")));
    let cases: [(&str, Script); 5] = [
        ("silent", Script::new([])),
        ("does not read", Script::new([]).writes([Write::Stuck])),
        ("does not flush", Script::new([]).flushes([Write::Stuck])),
        ("trickles", Script::new(trickled)),
        (
            "sends on and never closes",
            Script::new(flood.flat_map(|data| [Read::Wait(seconds(1) / 1000), data]).take(20_000)),
        ),
    ];
    for (what, script) in cases {
        let start = Instant::now();
        let mut socket = server(script, &impatient());
        let end = within(seconds(9), socket.close(CloseCode::NORMAL, "")).await.unwrap();
        assert_eq!((end.cause, start.elapsed().as_secs()), (Cause::CloseTimeout, 2), "{what}");
        assert_eq!(end.sent.unwrap().code, CloseCode::NORMAL);
    }
}

/// Each message breaks the turn off: the deadline of the close is kept all the same.
#[tokio::test(start_paused = true)]
async fn the_close_budget_holds_while_messages_are_received() {
    let flood = (0..20_000).flat_map(|_| [Read::Wait(seconds(1) / 1000), Read::Data(masked(TEXT, b"more"))]);
    let mut socket = server(Script::new(flood), &impatient());
    let start = Instant::now();
    socket.start_close(CloseCode::NORMAL, "").unwrap();
    let end = loop {
        match within(seconds(9), socket.recv()).await {
            Ok(message) => assert_eq!(message, Some("more".into())),
            Err(error) => break error.end().unwrap().clone(),
        }
    };
    assert_eq!((end.cause, start.elapsed().as_secs()), (Cause::CloseTimeout, 2));
}

/// CVE-2024-23672: nobody is waited for without end, however the task waits.
#[tokio::test(start_paused = true)]
async fn cve_2024_23672_deadlines_fire_while_a_write_blocks() {
    let stuck = || server(Script::new([]).writes([Write::Take(10), Write::Stuck]), &impatient());
    let big = || vec![0; 900 << 10];

    let start = Instant::now();
    let mut socket = stuck();
    let error = within(seconds(60), socket.send(big())).await.unwrap_err();
    assert_eq!(error.end().unwrap().cause, Cause::KeepAliveTimeout(seconds(4)));
    assert_eq!(start.elapsed().as_secs(), 16, "a Ping is due after 10, missed after 4, the close takes 2");

    let start = Instant::now();
    let mut socket = stuck();
    socket.feed(big()).await.unwrap();
    let error = within(seconds(60), socket.feed("more")).await.unwrap_err();
    assert_eq!((error.end().is_some(), start.elapsed().as_secs()), (true, 16));

    let start = Instant::now();
    let mut socket = stuck();
    socket.feed(big()).await.unwrap();
    let (end, _) = ended(within(seconds(60), socket.recv()).await);
    assert_eq!((end.cause, start.elapsed().as_secs()), (Cause::KeepAliveTimeout(seconds(4)), 16));

    // The close's own deadline, while only its frame is being written.
    let start = Instant::now();
    let mut socket = stuck();
    socket.feed(big()).await.unwrap();
    socket.start_close(CloseCode::NORMAL, "").unwrap();
    let error = within(seconds(60), socket.flush()).await.unwrap_err();
    assert_eq!((error.end().unwrap().cause, start.elapsed().as_secs()), (Cause::CloseTimeout, 2));
}

/// Three messages in the kernel's buffer when the write fails.
fn three_and(then: impl IntoIterator<Item = Read>) -> WebSocket<Script> {
    let frames = [&b"one"[..], b"two", b"three"].map(|text| Read::Data(masked(TEXT, text)));
    server(
        Script::new(frames.into_iter().chain(then)).writes([Write::Fail(io::ErrorKind::BrokenPipe)]),
        &defaults(),
    )
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_failed_write_is_delivered() {
    for then in [vec![Read::Fail(io::ErrorKind::ConnectionReset)], vec![Read::Eof], vec![]] {
        let mut socket = three_and(then.clone());
        assert_eq!(socket.recv().await.unwrap(), Some("one".into()));
        assert!(socket.send("answer").await.is_err());
        assert_eq!(socket.recv().await.unwrap(), Some("two".into()));
        assert!(socket.send("answer").await.is_err());
        assert_eq!(socket.recv().await.unwrap(), Some("three".into()));
        let (end, io) = ended(within(seconds(6), socket.recv()).await);
        assert_eq!((end.cause, io), (Cause::Reset, Some(io::ErrorKind::BrokenPipe)), "{then:?}");
        assert!(matches!(socket.send("late").await, Err(Error::Ended { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_reset_or_the_end_is_delivered() {
    let cases = [
        (Read::Fail(io::ErrorKind::ConnectionReset), Cause::Reset, Some(io::ErrorKind::ConnectionReset)),
        (Read::Eof, Cause::Eof(Eof::Clean), None),
        (Read::Fail(io::ErrorKind::UnexpectedEof), Cause::Eof(Eof::Truncated), None),
    ];
    for (last, cause, kind) in cases {
        let wire =
            [masked(TEXT, b"one"), masked(TEXT, b"two"), masked(TEXT, b"cut off")[..9].to_vec()].concat();
        let mut socket = server(Script::new([Read::Data(wire), last]), &defaults());
        assert_eq!(socket.recv().await.unwrap(), Some("one".into()));
        assert_eq!(socket.recv().await.unwrap(), Some("two".into()));
        let (end, io) = ended(socket.recv().await);
        assert_eq!((end.cause, io), (cause, kind));
        assert!(socket.recv().await.is_err(), "it does not become a good end by asking again");
    }
}

/// sockudo 3.0: messages before a bad frame were dropped.
#[tokio::test(start_paused = true)]
async fn what_came_before_a_bad_frame_is_delivered() {
    let wire =
        [masked(TEXT, b"one"), masked(TEXT, b"two"), plain(TEXT, b"not masked"), masked(TEXT, b"three")];
    let script = Script::new([Read::Data(wire.concat()), Read::Eof]);
    let log = script.log();
    let mut socket = server(script, &defaults());
    assert_eq!(socket.recv().await.unwrap(), Some("one".into()));
    assert_eq!(socket.recv().await.unwrap(), Some("two".into()));
    let (end, _) = ended(socket.recv().await);
    assert!(matches!(end.cause, Cause::Violation(_)));
    assert_eq!(close_code(&written(&log)), Some(1002));
}

/// sockudo 3.1: two Close frames where both sides close at once.
#[tokio::test(start_paused = true)]
async fn one_close_frame_where_both_sides_close() {
    let script = Script::new([Read::Wait(seconds(1)), Read::Data(masked(CLOSE, b"\x03\xe8")), Read::Eof]);
    let log = script.log();
    let mut socket = server(script, &defaults());
    socket.start_close(CloseCode::GOING_AWAY, "").unwrap();
    socket.flush().await.unwrap();
    let end = socket.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(end.is_clean());
    assert_eq!(log.lock().unwrap().written, plain(CLOSE, &1001u16.to_be_bytes()));
    assert!(matches!(socket.send("late").await, Err(Error::Send(SendError::Closed))));
}

#[tokio::test(start_paused = true)]
async fn messages_still_come_after_start_close() {
    let frames = [masked(TEXT, b"one"), masked(TEXT, b"two"), masked(CLOSE, b"\x03\xe8")].concat();
    let mut socket = server(Script::new([Read::Data(frames), Read::Eof]), &defaults());
    socket.start_close(CloseCode::NORMAL, "").unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("one".into()));
    assert_eq!(socket.recv().await.unwrap(), Some("two".into()));
    assert_eq!(socket.recv().await.unwrap(), None);
    assert_eq!(socket.end().unwrap().first, Some(Side::Local));
}
