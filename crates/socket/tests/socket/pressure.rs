//! Back-pressure: a side that does not read stops the other, and memory is bounded meanwhile.

use std::future::poll_fn;
use std::ops::ControlFlow;

use antiphon_socket::Message;
use antiphon_socket::proto::{CloseCode, Event};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::harness::*;

/// RUSTSEC-2020-0043: what waits for a slow reader was unbounded. A peer asks and asks, and reads nothing.
#[tokio::test(start_paused = true)]
async fn rustsec_2020_0043_a_peer_that_never_reads() {
    let config = narrow();
    let (here, mut there) = tokio::io::duplex(4096);
    let mut socket = server(here, &config);
    let echo = tokio::spawn(async move {
        let mut most = 0;
        let _ = timeout(
            seconds(60),
            poll_fn(|cx| {
                socket.poll_turn(cx, &mut |connection, event| {
                    if let Event::Binary(bytes) = event {
                        connection.send_binary(&bytes).unwrap();
                        most = most.max(connection.outbox().len());
                    }
                    ControlFlow::Continue(())
                })
            }),
        )
        .await;
        most
    });
    let frame = masked(BINARY, &[7; 1000]);
    let mut accepted = 0;
    while timeout(seconds(1), there.write_all(&frame)).await.is_ok() {
        accepted += frame.len();
        assert!(accepted < 10 << 20, "the server goes on reading");
    }
    let limit = config.limits.outbox;
    let most = echo.await.unwrap();
    assert!(most <= limit && most > limit / 2, "{most} bytes waited at most");
    assert!(accepted <= limit + (300 << 10), "{accepted} bytes were taken in");
}

/// A peer that pings without reading the Pongs.
#[tokio::test(start_paused = true)]
async fn unread_pongs_are_bounded() {
    let pings = (0..100_000).map(|_| Read::Data(masked(PING, &[7; 125]).repeat(10)));
    let mut socket = server(Script::new(pings).writes([Write::Stuck]), &defaults());
    assert!(timeout(seconds(1), socket.recv()).await.is_err());
    let waiting = socket.connection_mut().outbox().len();
    assert!(waiting < 70_000, "{waiting} bytes wait");
}

/// The application does not receive: the peer is stopped, and nothing is lost when both go on.
#[tokio::test(start_paused = true)]
async fn an_application_that_does_not_receive_stops_the_peer() {
    let (mut server, mut client) = pair(4096, &narrow());
    let sending = tokio::spawn(async move {
        for number in 0..1000u32 {
            client.send(vec![number as u8; 1000]).await.unwrap();
        }
        client.close(CloseCode::NORMAL, "").await.unwrap()
    });
    assert_eq!(server.recv().await.unwrap(), Some(vec![0; 1000].into()));
    sleep(seconds(60)).await;
    assert!(!sending.is_finished());
    for number in 1..1000u32 {
        assert_eq!(server.recv().await.unwrap(), Some(vec![number as u8; 1000].into()));
    }
    assert_eq!(server.recv().await.unwrap(), None);
    assert!(sending.await.unwrap().is_clean());
}

/// Each side feeds without flushing and then receives: neither waits for the other for ever.
#[tokio::test(start_paused = true)]
async fn both_sides_full_and_then_both_receive() {
    let (mut server, mut client) = pair(1000, &narrow());
    let talk = async |socket: &mut antiphon_socket::WebSocket<_>| {
        for _ in 0..30 {
            // Below half of the outbox's limit there is room without the peer.
            socket.feed(vec![1; 1000]).await.unwrap();
        }
        sleep(seconds(10)).await;
        for _ in 0..30 {
            assert_eq!(socket.recv().await.unwrap(), Some(Message::from(vec![1; 1000])));
        }
        socket.flush().await.unwrap();
    };
    within(seconds(60), async { tokio::join!(talk(&mut server), talk(&mut client)) }).await;
}

/// A flood of requests whose answers are read late, in full.
#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_late_gets_all_its_answers() {
    let (here, there) = tokio::io::duplex(4096);
    let mut socket = server(here, &narrow());
    tokio::spawn(async move {
        while let Ok(Some(message)) = socket.recv().await {
            socket.send(message).await.unwrap();
        }
    });
    let (mut read, mut write) = tokio::io::split(there);
    let frame = |n: u32| masked(BINARY, &vec![n as u8; 1000]);
    let writing = tokio::spawn(async move {
        for n in 0..500 {
            write.write_all(&frame(n)).await.unwrap();
        }
        write
    });
    sleep(seconds(30)).await;
    assert!(!writing.is_finished(), "it is held up by answers that nobody reads");
    for n in 0..500u32 {
        let mut echoed = vec![0; 1004];
        within(seconds(9), read.read_exact(&mut echoed)).await.unwrap();
        assert_eq!(echoed, plain(BINARY, &vec![n as u8; 1000]));
    }
    writing.await.unwrap();
}
