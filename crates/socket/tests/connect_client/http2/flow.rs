//! Flow control of a stream is the socket's back-pressure: rule 80.

use std::sync::atomic::Ordering;

use antiphon_socket::Message;
use antiphon_socket::connect::{Connector, Http2Config};

use super::peer::{DATA, GOAWAY, RawPeer, SENT, WINDOW_UPDATE, served, small};
use crate::support::{assert_echoes, connector};

/// A binary message, of 16,383 bytes with its head: four of them leave three bytes of a window.
fn quarter() -> Vec<u8> {
    [&[0x82, 126, 0x3f, 0xfb][..], &[7; 0x3ffb]].concat()
}

#[tokio::test]
async fn f80_window_is_given_back_only_for_what_is_read() {
    let (mut peer, client) = RawPeer::connected(&connector()).await;
    let mut socket = peer.open(&client).await;
    for _ in 0..4 {
        peer.send(DATA, 0, 1, &quarter()).await;
    }
    let mut given = 0;
    for read in 0..=4 {
        if read > 0 {
            assert_eq!(socket.recv().await.unwrap(), Some(Message::from(vec![7; 0x3ffb])));
        }
        let updates =
            peer.settle().await.into_iter().filter(|frame| frame.kind == WINDOW_UPDATE && frame.stream == 1);
        given += updates.map(|frame| frame.number()).sum::<u32>();
        assert!(given <= read * 16_383, "{given} after {read}");
    }
    assert!(given >= 32_768, "{given}: `h2` gives back half a window at the latest");
}

/// The windows of the stalled streams are many times the default of a connection's, 65,535 bytes.
#[tokio::test]
async fn f80_stalled_streams_do_not_stall_others() {
    let (mut peer, client) = RawPeer::connected(&connector()).await;
    let mut stalled = Vec::new();
    for at in 0..20 {
        stalled.push(peer.open(&client).await);
        for _ in 0..4 {
            peer.send(DATA, 0, 2 * at + 1, &quarter()).await;
        }
    }
    let mut socket = peer.open(&client).await;
    peer.send(DATA, 0, 41, b"\x82\x01!").await;
    assert_eq!(socket.recv().await.unwrap(), Some(vec![b'!'].into()));
    for mut socket in stalled {
        for _ in 0..4 {
            assert!(socket.recv().await.unwrap().is_some());
        }
    }
}

#[tokio::test]
async fn f80_the_connections_window_is_the_largest_at_once() {
    let (mut peer, near) = RawPeer::new();
    let connector = connector();
    let opening = connector.http2_on(near, "ws://a.test");
    tokio::pin!(opening);
    let update = tokio::select! {
        _ = &mut opening => panic!("the peer has said nothing"),
        update = async { peer.read_preface().await; peer.until(WINDOW_UPDATE).await } => update,
    };
    assert_eq!((update.stream, update.number()), (0, (1 << 31) - 1 - 65_535));
}

/// Each of the messages is a DATA frame of four bytes.
#[tokio::test]
async fn f80_small_messages_to_a_slow_reader_are_held_back() {
    let client = served(&connector()).await;
    let (mut slow, _) = client.open("/burst").await.unwrap();
    let (mut other, _) = client.open("/echo").await.unwrap();
    // The other one goes on all the while, until the server sends no more to this one.
    let (mut sent, mut still) = (0, 0);
    while still < 100 {
        assert_echoes(&mut other).await;
        let now = SENT.load(Ordering::Relaxed);
        still = if now == sent { still + 1 } else { 0 };
        sent = now;
    }
    assert!((10_000..40_000).contains(&sent), "{sent} is not what a window holds");
    for number in 0..100_000 {
        assert_eq!(slow.recv().await.unwrap(), Some(small(number)));
    }
    assert_echoes(&mut slow).await;
}

#[tokio::test]
async fn f80_a_server_that_does_not_read_holds_one_socket_back() {
    let (mut peer, client) = RawPeer::connected(&connector()).await;
    let (mut stalled, mut other) = (peer.open(&client).await, peer.open(&client).await);
    peer.send(WINDOW_UPDATE, 0, 0, &(1u32 << 20).to_be_bytes()).await;
    let mut sending = tokio::spawn(async move { stalled.send(vec![7; 200_000]).await.map(|()| stalled) });
    let mut received = 0;
    while received < 65_535 {
        let frame = peer.until(DATA).await;
        assert_eq!(frame.stream, 1);
        received += frame.payload.len();
    }
    let (sent, frame) = tokio::join!(other.send("hello"), peer.until(DATA));
    sent.unwrap();
    assert_eq!(frame.stream, 3);
    assert!(!sending.is_finished());
    peer.send(WINDOW_UPDATE, 0, 1, &(1u32 << 20).to_be_bytes()).await;
    while received < 200_000 + 14 {
        received += peer.until(DATA).await.payload.len();
    }
    (&mut sending).await.unwrap().unwrap();
    assert_eq!(received, 200_000 + 14);
}

/// What the client writes and the server does not take waits in the socket, not a second time below it.
#[tokio::test]
async fn f80_little_is_held_below_a_socket_that_cannot_write() {
    let (mut peer, client) = RawPeer::connected(&connector()).await;
    let mut socket = peer.open(&client).await;
    let message = vec![7; 500_000];
    tokio::select! {
        sent = socket.send(message) => panic!("{sent:?}, though the window has 65,535 bytes"),
        _ = peer.settle() => {}
    }
    let waiting = socket.connection_mut().outbox().len();
    assert!(waiting > 500_000 - 65_535 - 3 * 16_384, "{waiting}");
}

#[tokio::test]
async fn f80_more_small_frames_than_are_allowed_end_the_connection() {
    let http2 = Http2Config { small_frames: 10, ..Http2Config::default() };
    let (mut peer, client) = RawPeer::connected(&Connector { http2, ..connector() }).await;
    let mut socket = peer.open(&client).await;
    for round in 0..20 {
        // What is read does not count any more.
        for _ in 0..10 {
            peer.send(DATA, 0, 1, b"\x82\x01!").await;
        }
        peer.settle().await;
        for _ in 0..10 {
            assert_eq!(socket.recv().await.unwrap(), Some(vec![b'!'].into()), "{round}");
        }
    }
    for _ in 0..11 {
        peer.send(DATA, 0, 1, b"\x82\x01!").await;
    }
    assert_eq!(peer.until(GOAWAY).await.number(), 11, "ENHANCE_YOUR_CALM");
    assert!(!client.is_usable());
}
