//! What streams of HTTP/2 mean to a WebSocket: rules 78, 79 and 81.

use antiphon_socket::connect::{Http2, Http2Stream};
use antiphon_socket::proto::{Cause, CloseCode, Eof};
use antiphon_socket::{Error, Message, WebSocket};

use super::peer::{
    DATA, END_HEADERS, END_STREAM, Frame, HEADERS, PADDED, RST_STREAM, RawPeer, encode, served,
};
use crate::support::connector;

async fn opened() -> (RawPeer, Http2, WebSocket<Http2Stream>) {
    let (mut peer, client) = RawPeer::connected(&connector()).await;
    let socket = peer.open(&client).await;
    (peer, client, socket)
}

fn ended(error: &Error) -> Cause {
    error.end().expect("the connection has ended").cause
}

#[tokio::test]
async fn f78_frames_are_masked() {
    let (mut peer, _client, mut socket) = opened().await;
    let (sent, frame) = tokio::join!(socket.send("hello"), peer.until(DATA));
    sent.unwrap();
    assert_eq!((frame.stream, frame.flags), (1, 0));
    let (head, masked) = frame.payload.split_at(6);
    assert_eq!(head[..2], [0x81, 0x85]);
    let key = head[2..].iter().cycle();
    let unmasked: Vec<u8> = masked.iter().zip(key).map(|(byte, key)| byte ^ key).collect();
    assert_eq!(unmasked, b"hello");
}

#[tokio::test]
async fn f79_a_clean_close_is_end_stream_on_both_sides() {
    let (mut peer, _client, mut socket) = opened().await;
    let (end, last) = tokio::join!(socket.close(CloseCode::NORMAL, ""), async {
        peer.until(DATA).await;
        peer.send(DATA, END_STREAM, 1, b"\x88\x02\x03\xe8").await;
        peer.until(DATA).await
    });
    assert!(end.unwrap().is_clean());
    assert_eq!(last, Frame { kind: DATA, flags: END_STREAM, stream: 1, payload: Vec::new() });
    drop(socket);
    let after = peer.settle().await;
    assert!(!after.iter().any(|frame| frame.kind == RST_STREAM), "{after:?}");
}

#[tokio::test]
async fn f79_end_stream_before_a_close_is_1006() {
    let (mut peer, _client, mut socket) = opened().await;
    peer.send(DATA, END_STREAM, 1, b"").await;
    let error = socket.recv().await.unwrap_err();
    assert!(matches!(ended(&error), Cause::Eof(Eof::Clean)), "{error}");
    assert_eq!(error.end().unwrap().received, None);
}

#[tokio::test]
async fn f79_a_reset_is_one_and_comes_after_what_was_sent_before() {
    let (mut peer, _client, mut socket) = opened().await;
    peer.send(DATA, 0, 1, b"\x82\x01!").await;
    peer.send(RST_STREAM, 0, 1, &8u32.to_be_bytes()).await;
    assert_eq!(socket.recv().await.unwrap(), Some(vec![b'!'].into()));
    let error = socket.recv().await.unwrap_err();
    let Error::Ended { io: Some(io), .. } = &error else { panic!("{error}") };
    assert_eq!(io.kind(), std::io::ErrorKind::ConnectionReset, "{io}");
}

#[tokio::test]
async fn f79_dropping_a_socket_resets_its_stream_with_cancel() {
    let (mut peer, client, socket) = opened().await;
    drop(socket);
    let reset = peer.until(RST_STREAM).await;
    assert_eq!((reset.stream, reset.number()), (1, 8));
    // The connection goes on.
    let mut other = peer.open(&client).await;
    peer.send(DATA, 0, 3, b"\x82\x01!").await;
    assert_eq!(other.recv().await.unwrap(), Some(vec![b'!'].into()));
}

/// `h2` drops what it holds of a stream that is dropped.
#[tokio::test]
async fn what_was_sent_is_not_lost_when_the_socket_is_dropped_then() {
    let (mut peer, _client, mut socket) = opened().await;
    socket.send("bye").await.unwrap();
    drop(socket);
    let frames = peer.settle().await;
    let kinds: Vec<_> =
        frames.iter().map(|frame| frame.kind).filter(|kind| [DATA, RST_STREAM].contains(kind)).collect();
    assert_eq!(kinds, [DATA, RST_STREAM]);
}

#[tokio::test]
async fn f81_padding_and_empty_data_are_nothing_to_a_socket() {
    let (mut peer, _client, mut socket) = opened().await;
    peer.send(DATA, 0, 1, b"").await;
    peer.send(DATA, PADDED, 1, b"\x03\x81\x03abpad").await;
    peer.send(DATA, PADDED, 1, b"\x03pad").await;
    peer.send(DATA, 0, 1, b"").await;
    peer.send(DATA, PADDED, 1, b"\x00c").await;
    assert_eq!(socket.recv().await.unwrap(), Some("abc".into()));
}

#[tokio::test]
async fn f81_messages_come_through_data_split_at_every_byte() {
    // Two fragments, which cut a character, with a Ping between them; and another message.
    let whole = b"\x01\x08ein Gru\xc3\x89\x01p\x80\x03\xb6\xc3\x9f\x82\x02\xff\x00";
    let pairs = (0..=whole.len()).map(|at| vec![&whole[..at], &whole[at..]]);
    for parts in pairs.chain([whole.chunks(1).collect()]) {
        let (mut peer, _client, mut socket) = opened().await;
        for part in &parts {
            peer.send(DATA, 0, 1, part).await;
        }
        assert_eq!(socket.recv().await.unwrap(), Some("ein Gruöß".into()), "{parts:?}");
        assert_eq!(socket.recv().await.unwrap(), Some(vec![0xff, 0].into()), "{parts:?}");
    }
}

/// The bytes of the connection itself, one at a time.
#[tokio::test]
async fn f81_frames_of_http_2_come_through_byte_by_byte() {
    let (mut peer, _client, mut socket) = opened().await;
    let bytes =
        [encode(DATA, PADDED, 1, b"\x02\x82\x01!pp"), encode(DATA, END_STREAM, 1, b"\x88\x00")].concat();
    let (received, ()) = tokio::join!(async { (socket.recv().await, socket.recv().await) }, async {
        for byte in bytes {
            peer.raw(&[byte]).await;
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(received.0.unwrap(), Some(vec![b'!'].into()));
    assert_eq!(received.1.unwrap(), None);
}

#[tokio::test]
async fn f81_trailers_end_the_stream() {
    let (mut peer, _client, mut socket) = opened().await;
    peer.send(DATA, 0, 1, b"\x82\x01!").await;
    // A literal field `a: b`.
    peer.send(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00\x01a\x01b").await;
    assert_eq!(socket.recv().await.unwrap(), Some(vec![b'!'].into()));
    let error = socket.recv().await.unwrap_err();
    assert!(matches!(ended(&error), Cause::Eof(Eof::Clean)), "{error}");
}

#[tokio::test]
async fn messages_of_every_size_come_back_from_hyper() {
    let client = served(&connector()).await;
    let (mut one, _) = client.open("/one").await.unwrap();
    let (mut two, _) = client.open("/two").await.unwrap();
    for size in [0, 1, 125, 126, 16_384, 16_385, 65_535, 65_536, 1 << 20] {
        let message = Message::from((0..size).map(|at| at as u8).collect::<Vec<_>>());
        for socket in [&mut one, &mut two] {
            socket.send(message.clone()).await.unwrap();
            assert!(socket.recv().await.unwrap().as_ref() == Some(&message), "{size}");
        }
    }
    for mut socket in [one, two] {
        assert!(socket.close(CloseCode::NORMAL, "").await.unwrap().is_clean());
    }
}
