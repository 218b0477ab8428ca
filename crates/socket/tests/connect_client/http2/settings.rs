//! Rule 74: extended CONNECT only after `SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC 8441 §3).

use antiphon_socket::ConnectError;
use antiphon_socket::connect::{EnvironmentFault, Http2Fault, PeerFault, Stage};

use super::peer::{
    ENABLE_CONNECT_PROTOCOL, GOAWAY, HEADERS, MAX_CONCURRENT_STREAMS, PING, RawPeer, SETTINGS, WINDOW_UPDATE,
};
use crate::support::connector;

fn fault(error: ConnectError) -> Http2Fault {
    match error {
        ConnectError::Peer(PeerFault::Http2(fault)) => fault,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn f74_a_setting_that_comes_late_is_waited_for() {
    let (mut peer, near) = RawPeer::new();
    let connector = connector();
    let opened = async {
        let client = connector.http2_on(near, "ws://a.test").await.unwrap();
        client.open("/").await.unwrap()
    };
    let (_, ()) = tokio::join!(opened, async {
        peer.read_preface().await;
        // All that a client may say before it knows.
        let mut kinds = Vec::new();
        while kinds.last() != Some(&PING) {
            kinds.push(peer.read().await.unwrap().kind);
        }
        assert!(kinds.iter().all(|kind| [SETTINGS, WINDOW_UPDATE, PING].contains(kind)), "{kinds:?}");
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        peer.settings(&[(ENABLE_CONNECT_PROTOCOL, 1)]).await;
        let request = peer.until(HEADERS).await;
        peer.accept(request.stream).await;
    });
}

/// The first SETTINGS are others; the answer to the PING has yet to come.
#[tokio::test]
async fn f74_the_setting_may_come_in_the_second_frame() {
    let (mut peer, near) = RawPeer::new();
    let connector = connector();
    let (client, ()) = tokio::join!(connector.http2_on(near, "ws://a.test"), async {
        peer.read_preface().await;
        peer.settings(&[(MAX_CONCURRENT_STREAMS, 7)]).await;
        peer.settings(&[(ENABLE_CONNECT_PROTOCOL, 1)]).await;
        peer.until(SETTINGS).await;
    });
    assert!(client.unwrap().is_usable());
}

#[tokio::test]
async fn f74_no_request_without_the_setting() {
    for settings in [&[][..], &[(ENABLE_CONNECT_PROTOCOL, 0)]] {
        let (mut peer, near) = RawPeer::new();
        let connector = connector();
        let (client, frames) = tokio::join!(connector.http2_on(near, "ws://a.test"), async {
            peer.read_preface().await;
            peer.settings(settings).await;
            let mut frames = Vec::new();
            while let Some(frame) = peer.next().await {
                frames.push(frame.kind);
            }
            frames
        });
        let error = client.unwrap_err();
        assert!(error.to_string().contains("SETTINGS_ENABLE_CONNECT_PROTOCOL"), "{error}");
        assert!(matches!(fault(error), Http2Fault::NoWebSockets));
        assert!(!frames.contains(&HEADERS), "{frames:?}");
    }
}

#[tokio::test]
async fn f74_a_value_above_1_is_a_protocol_error() {
    let (mut peer, near) = RawPeer::new();
    let connector = connector();
    let (client, code) = tokio::join!(connector.http2_on(near, "ws://a.test"), async {
        peer.read_preface().await;
        peer.settings(&[(ENABLE_CONNECT_PROTOCOL, 2)]).await;
        peer.until(GOAWAY).await.number()
    });
    assert_eq!(code, 1, "PROTOCOL_ERROR");
    let fault = fault(client.unwrap_err());
    assert!(matches!(fault, Http2Fault::Broken(1)), "{fault}");
}

/// A server must not take it back. If it does, no more is asked of it, and what is open stays.
#[tokio::test]
async fn f74_a_setting_that_is_taken_back_ends_nothing() {
    let (mut peer, client) = RawPeer::connected(&connector()).await;
    let mut socket = peer.open(&client).await;
    peer.settings(&[(ENABLE_CONNECT_PROTOCOL, 0)]).await;
    peer.settle().await;
    assert!(matches!(fault(client.open("/").await.unwrap_err()), Http2Fault::NoWebSockets));
    peer.send(0, 0, 1, b"\x82\x01!").await;
    assert_eq!(socket.recv().await.unwrap(), Some(vec![b'!'].into()));
}

#[tokio::test(start_paused = true)]
async fn f74_a_server_that_says_nothing_is_not_waited_for_forever() {
    let (_peer, near) = RawPeer::new();
    let error = connector().http2_on(near, "ws://a.test").await.unwrap_err();
    assert!(error.is_timeout());
    assert!(
        matches!(error, ConnectError::Environment(EnvironmentFault::TimedOut { stage: Stage::Settings, .. })),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_of_http_1_is_a_fault_of_the_peers() {
    let (mut peer, near) = RawPeer::new();
    let connector = connector();
    let (client, ()) = tokio::join!(connector.http2_on(near, "ws://a.test"), async {
        peer.read_preface().await;
        peer.raw(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
    });
    let fault = fault(client.unwrap_err());
    assert!(matches!(fault, Http2Fault::Broken(_) | Http2Fault::Stream(_)), "{fault}");
}
