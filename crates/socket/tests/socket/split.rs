//! The halves in two tasks, on several threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon_socket::proto::{CloseCode, SendError, Side};
use antiphon_socket::{Error, Message, WebSocket};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::harness::*;

fn numbered(number: usize, size: usize) -> Message {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.resize(8 + size, number as u8);
    bytes.into()
}

/// sockudo 3.0: a split lost the parser's state. Half a frame has been read when the socket is split.
#[tokio::test(start_paused = true)]
async fn a_split_amid_a_frame_loses_nothing() {
    let wire =
        [masked(0x01, b"be"), masked(PING, b"1"), masked(0x80, b"gun"), masked(TEXT, b"next")].concat();
    for cut in 1..wire.len() {
        let reads =
            [Read::Data(wire[..cut].to_vec()), Read::Wait(seconds(1)), Read::Data(wire[cut..].to_vec())];
        let mut socket = server(Script::new(reads), &defaults());
        let mut received = Vec::new();
        while let Ok(message) = tokio::time::timeout(seconds(1) / 2, socket.recv()).await {
            received.extend(message.unwrap());
        }
        let (_sender, mut receiver) = socket.split();
        while received.len() < 2 {
            received.extend(within(seconds(2), receiver.recv()).await.unwrap());
        }
        assert_eq!(received, [Message::from("begun"), "next".into()], "{cut}");
    }
}

/// Four tasks, two in each direction, through room for a few messages: no wake-up is lost, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn both_directions_at_once() {
    const COUNT: usize = 3000;
    for room in [64, 1000, 64 << 10] {
        let (server, client) = pair(room, &narrow());
        let run = |socket: WebSocket<_>, seed: u64| {
            let (mut sender, mut receiver) = socket.split();
            let sending = tokio::spawn(async move {
                let mut keys = Keys(seed);
                for number in 0..COUNT {
                    let message = numbered(number, keys.below(200));
                    match keys.below(4) {
                        0 => sender.feed(message).await.unwrap(),
                        _ => sender.send(message).await.unwrap(),
                    }
                    if keys.below(64) == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                sender.flush().await.unwrap();
                sender
            });
            let receiving = tokio::spawn(async move {
                for number in 0..COUNT {
                    let message = receiver.recv().await.unwrap().unwrap();
                    assert_eq!(message.as_bytes()[..8], number.to_be_bytes());
                }
                receiver
            });
            (sending, receiving)
        };
        let (send_here, receive_here) = run(server, 3);
        let (send_there, receive_there) = run(client, 11);
        let mut sender = soon(send_here).await.unwrap();
        let mut receiver = soon(receive_here).await.unwrap();
        let _far_sender = soon(send_there).await.unwrap();
        let mut far_receiver = soon(receive_there).await.unwrap();

        // The sender closes; both receivers see it through.
        sender.close(CloseCode::NORMAL, "done").unwrap();
        let (here, there) = soon(async { tokio::join!(receiver.recv(), far_receiver.recv()) }).await;
        assert!(here.unwrap().is_none() && there.unwrap().is_none(), "{room}");
        assert_eq!(receiver.end().unwrap().first, Some(Side::Local));
        assert_eq!(far_receiver.end().unwrap().received.unwrap().reason, "done");
        assert!(matches!(sender.send("late").await, Err(Error::Send(SendError::Closed))));
    }
}

/// A Close from the sender wakes a receiver that waits for nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_wakes_the_receiver() {
    for delay in 0..50 {
        let (server, mut client) = pair(1 << 10, &defaults());
        let (mut sender, mut receiver) = server.split();
        let receiving = tokio::spawn(async move { receiver.recv().await });
        let far = tokio::spawn(async move { client.recv().await });
        sleep(Duration::from_micros(delay * 20)).await;
        sender.close(CloseCode::GOING_AWAY, "").unwrap();
        assert!(soon(receiving).await.unwrap().unwrap().is_none());
        assert!(soon(far).await.unwrap().unwrap().is_none());
    }
}

/// A sender that is blocked is woken when the connection ends under it.
#[tokio::test(start_paused = true)]
async fn a_blocked_sender_hears_of_the_end() {
    let script = Script::new([Read::Wait(seconds(5)), Read::Fail(std::io::ErrorKind::ConnectionReset)]);
    let (mut sender, mut receiver) = server(script.writes([Write::Stuck]), &defaults()).split();
    let sending = tokio::spawn(async move { sender.send(vec![0; 600 << 10]).await });
    tokio::task::yield_now().await;
    let received = tokio::spawn(async move { receiver.recv().await });
    // More than half of the outbox waits, so nothing is read, and the reset is not seen; a deadline would do it.
    sleep(seconds(30)).await;
    assert!(!sending.is_finished() && !received.is_finished());

    let script = Script::new([Read::Wait(seconds(5)), Read::Fail(std::io::ErrorKind::ConnectionReset)]);
    let (mut sender, mut receiver) = server(script.writes([Write::Stuck]), &defaults()).split();
    let sending = tokio::spawn(async move { sender.send(vec![0; 100]).await });
    tokio::task::yield_now().await;
    assert!(within(seconds(6), receiver.recv()).await.is_err());
    assert!(within(seconds(1), sending).await.unwrap().is_err());
}

/// CVE-2022-25762: what is sent while another connection closes went to the wrong peer by way of a shared buffer. Here every
/// thread has buffers that its connections share: each peer gets bytes of its own connection only.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn cve_2022_25762_sending_while_others_close() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let checked = Arc::new(AtomicUsize::new(0));
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut sender, mut receiver) = server(stream, &defaults()).split();
                let Ok(Some(mark)) = receiver.recv().await else { return };
                let sending = tokio::spawn(async move {
                    for round in 0..20 {
                        if sender.send(Message::from(mark.as_bytes().repeat(50 + round))).await.is_err() {
                            return;
                        }
                    }
                    sender.close(CloseCode::NORMAL, "").unwrap();
                });
                while let Ok(Some(_)) = receiver.recv().await {}
                sending.await.unwrap();
            });
        }
    });
    let mut clients = Vec::new();
    for number in 0..120u8 {
        let checked = Arc::clone(&checked);
        clients.push(tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let mut socket = client_with(stream, &defaults(), None);
            socket.send(vec![number; 8]).await.unwrap();
            // Some go in the middle of it, with a Close or without.
            for round in 0..if number.is_multiple_of(3) { 20 } else { 7 } {
                let Some(message) = socket.recv().await.unwrap() else { panic!("closed in round {round}") };
                assert!(message.as_bytes().iter().all(|byte| *byte == number), "{number}");
                checked.fetch_add(1, Ordering::Relaxed);
                socket.send(vec![number; 100]).await.unwrap();
            }
            match number % 3 {
                0 => assert!(socket.recv().await.unwrap().is_none()),
                1 => drop(socket.close(CloseCode::GOING_AWAY, "").await.unwrap()),
                _ => drop(socket),
            }
        }));
    }
    for client in clients {
        soon(client).await.unwrap();
    }
    serving.abort();
    assert!(checked.load(Ordering::Relaxed) >= 120 * 7);
}

/// The client has data in flight that the server never reads when it fails the connection: the Close frame arrives all the same.
#[tokio::test]
async fn no_reset_eats_the_close_frame() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut wire = [masked(TEXT, b"hello"), plain(TEXT, b"not masked")].concat();
        wire.resize(3 << 20, 0);
        stream.write_all(&wire).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        let mut read = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut read).await.unwrap();
        read
    });
    let (stream, _) = listener.accept().await.unwrap();
    let mut socket = server(stream, &defaults());
    assert_eq!(soon(socket.recv()).await.unwrap(), Some("hello".into()));
    assert!(soon(socket.recv()).await.is_err());
    drop(socket);
    assert_eq!(close_code(&decode(&soon(client).await.unwrap(), None)), Some(1002));
}
