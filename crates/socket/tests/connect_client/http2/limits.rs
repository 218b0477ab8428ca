//! The end of a connection, and how many streams it has: rules 82 and 83.

use std::io;

use antiphon_socket::connect::{EnvironmentFault, Http2Fault, PeerFault};
use antiphon_socket::proto::CloseCode;
use antiphon_socket::{ConnectError, Error};

use super::peer::{
    DATA, ENABLE_CONNECT_PROTOCOL, END_STREAM, GOAWAY, HEADERS, MAX_CONCURRENT_STREAMS, RST_STREAM, RawPeer,
};
use crate::support::connector;

const ONE_STREAM: [(u16, u32); 2] = [(ENABLE_CONNECT_PROTOCOL, 1), (MAX_CONCURRENT_STREAMS, 1)];

fn go_away(last: u32, code: u32) -> Vec<u8> {
    [last.to_be_bytes(), code.to_be_bytes()].concat()
}

#[tokio::test]
async fn f82_sockets_finish_after_goaway() {
    let (mut peer, client) = RawPeer::connected(&connector()).await;
    let (mut one, mut two) = (peer.open(&client).await, peer.open(&client).await);
    peer.send(GOAWAY, 0, 0, &go_away(3, 0)).await;
    peer.settle().await;
    assert!(!client.is_usable());
    let error = client.open("/").await.unwrap_err();
    assert!(matches!(error, ConnectError::Peer(PeerFault::Http2(Http2Fault::GoAway(0)))), "{error}");

    for (socket, stream) in [(&mut one, 1), (&mut two, 3)] {
        peer.send(DATA, 0, stream, b"\x82\x01!").await;
        assert_eq!(socket.recv().await.unwrap(), Some(vec![b'!'].into()));
        let (end, ()) = tokio::join!(socket.close(CloseCode::NORMAL, ""), async {
            assert_eq!(peer.until(DATA).await.stream, stream);
            peer.send(DATA, END_STREAM, stream, b"\x88\x02\x03\xe8").await;
            assert_eq!(peer.until(DATA).await.flags, END_STREAM);
        });
        assert!(end.unwrap().is_clean());
    }
    drop((one, two));
    while peer.next().await.is_some() {}
}

#[tokio::test]
async fn f82_a_stream_that_the_server_has_not_seen_ends() {
    let (mut peer, client) = RawPeer::connected(&connector()).await;
    let (mut one, mut two) = (peer.open(&client).await, peer.open(&client).await);
    peer.send(GOAWAY, 0, 0, &go_away(1, 0)).await;
    let error = two.recv().await.unwrap_err();
    assert!(
        matches!(&error, Error::Ended { io: Some(io), .. } if io.kind() == io::ErrorKind::ConnectionAborted),
        "{error}"
    );
    peer.send(DATA, 0, 1, b"\x82\x01!").await;
    assert_eq!(one.recv().await.unwrap(), Some(vec![b'!'].into()));
}

#[tokio::test]
async fn a_lost_connection_ends_every_socket() {
    let (mut peer, client) = RawPeer::connected(&connector()).await;
    let sockets = [peer.open(&client).await, peer.open(&client).await];
    drop(peer);
    for mut socket in sockets {
        socket.recv().await.unwrap_err();
        socket.send("late").await.unwrap_err();
    }
    assert!(!client.is_usable());
    assert!(matches!(client.open("/").await.unwrap_err(), ConnectError::Peer(PeerFault::Http2(_))));
}

#[tokio::test]
async fn a_connection_ends_with_its_last_user() {
    let (mut peer, client) = RawPeer::connected(&connector()).await;
    let mut socket = peer.open(&client).await;
    drop(client);
    peer.settle().await;
    peer.send(DATA, 0, 1, b"\x82\x01!").await;
    assert_eq!(socket.recv().await.unwrap(), Some(vec![b'!'].into()));
    drop(socket);
    assert_eq!(peer.until(GOAWAY).await.number(), 0, "NO_ERROR");
    assert_eq!(peer.next().await, None);
}

#[tokio::test]
async fn a_handle_that_is_closed_waits_for_the_end_of_the_connection() {
    let (mut peer, client) = RawPeer::connected(&connector()).await;
    let socket = peer.open(&client).await;
    let closing = tokio::spawn(client.close());
    peer.settle().await;
    assert!(!closing.is_finished(), "a socket is open");
    drop(socket);
    assert_eq!(peer.until(GOAWAY).await.number(), 0, "NO_ERROR");
    assert_eq!(peer.next().await, None);
    closing.await.unwrap();
}

#[tokio::test]
async fn f83_one_too_many_waits_until_another_has_gone() {
    let (mut peer, client) = RawPeer::connected_with(&connector(), &ONE_STREAM).await;
    let first = peer.open(&client).await;
    let second = tokio::spawn({
        let client = client.clone();
        async move { client.open("/second").await.map(|(socket, _)| socket) }
    });
    let before = peer.settle().await;
    assert!(!before.iter().any(|frame| frame.kind == HEADERS), "{before:?}");
    drop(first);
    assert_eq!(peer.until(RST_STREAM).await.stream, 1);
    assert_eq!(peer.until(HEADERS).await.stream, 3);
    peer.accept(3).await;
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn f83_a_socket_that_has_ended_makes_room_though_it_is_kept() {
    let (mut peer, client) = RawPeer::connected_with(&connector(), &ONE_STREAM).await;
    let mut first = peer.open(&client).await;
    let (end, ()) = tokio::join!(first.close(CloseCode::NORMAL, ""), async {
        peer.until(DATA).await;
        peer.send(DATA, END_STREAM, 1, b"\x88\x02\x03\xe8").await;
    });
    assert!(end.unwrap().is_clean());
    peer.open(&client).await;
}

#[tokio::test]
async fn f83_one_too_many_goes_on_when_more_are_allowed() {
    let (mut peer, client) = RawPeer::connected_with(&connector(), &ONE_STREAM).await;
    let _first = peer.open(&client).await;
    let second = tokio::spawn({
        let client = client.clone();
        async move { client.open("/second").await.map(|(socket, _)| socket) }
    });
    peer.settle().await;
    peer.settings(&[(MAX_CONCURRENT_STREAMS, 2)]).await;
    assert_eq!(peer.until(HEADERS).await.stream, 3);
    peer.accept(3).await;
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn f83_one_too_many_ends_with_the_connection() {
    let (mut peer, client) = RawPeer::connected_with(&connector(), &ONE_STREAM).await;
    let _first = peer.open(&client).await;
    let second = tokio::spawn(async move { client.open("/second").await.map(drop) });
    peer.settle().await;
    drop(peer);
    assert!(matches!(second.await.unwrap().unwrap_err(), ConnectError::Peer(PeerFault::Http2(_))));
}

#[tokio::test(start_paused = true)]
async fn f83_one_too_many_fails_in_time_and_says_why() {
    let (mut peer, client) = RawPeer::connected_with(&connector(), &ONE_STREAM).await;
    let _first = peer.open(&client).await;
    let error = client.open("/second").await.unwrap_err();
    assert!(error.is_timeout());
    assert!(
        matches!(error, ConnectError::Environment(EnvironmentFault::NoStream { allowed: 1, .. })),
        "{error}"
    );
}

/// A handshake that is given up frees its stream.
#[tokio::test(start_paused = true)]
async fn f83_a_handshake_that_times_out_is_reset_and_makes_room() {
    let (mut peer, client) = RawPeer::connected_with(&connector(), &ONE_STREAM).await;
    let error = client.open("/slow").await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let reset = peer.until(RST_STREAM).await;
    assert_eq!((reset.stream, reset.number()), (1, 8));
    peer.open(&client).await;
}
