//! What a connection holds.

use std::sync::Arc;

use allocation_counter::measure;
use antiphon_socket::proto::{Config, KeepAliveConfig};
use antiphon_socket::{Acceptor, WebSocket};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::accept::REQUEST;
use crate::harness::*;

/// Answers a message, and waits for more, as an idle connection does.
async fn echo_once<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocket<S>) {
    let message = socket.recv().await.unwrap().unwrap();
    socket.send(message).await.unwrap();
    assert!(poll_at_most(1, socket.recv()).await.is_none());
}

async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener.accept().await.unwrap().0, far)
}

/// After a message an idle socket holds little beyond its struct, whatever the size of the message was.
#[test]
fn an_idle_socket_holds_little() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asking = Config { keep_alive: Some(KeepAliveConfig::default()), ..Config::default() };
    for config in [Config::default(), asking] {
        let acceptor = Acceptor { config: Arc::new(config), ..Acceptor::default() };
        for size in [10, 1000, 500_000] {
            // The first time, what the thread and the runtime keep is allocated.
            for warm in [true, false] {
                let (near, mut far) = runtime.block_on(connected());
                let mut open = None;
                let held = measure(|| {
                    runtime.block_on(soon(async {
                        let client = async {
                            let question = masked(BINARY, &vec![7; size]);
                            let mut answer = plain(BINARY, &vec![7; size]);
                            far.write_all(format!("{REQUEST}\r\n").as_bytes()).await.unwrap();
                            while far.read_u8().await.unwrap() != b'\n'
                                || far.read_u8().await.unwrap() != b'\r'
                            {}
                            far.read_u8().await.unwrap();
                            far.write_all(&question).await.unwrap();
                            far.read_exact(&mut answer).await.unwrap();
                        };
                        let serving = async {
                            let (mut socket, _) = acceptor.accept(near, |_| Ok(())).await.unwrap();
                            echo_once(&mut socket).await;
                            open = Some(socket);
                        };
                        tokio::join!(client, serving)
                    }));
                });
                let held = held.bytes_current;
                assert!(warm || held <= 1024, "{held} bytes are held after a message of {size}");
            }
        }
    }
}

/// What waits for a peer that has come to a halt is held once, and given back.
#[test]
fn what_was_blocked_is_given_back() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let slow = Script::new([]).writes([Write::Wait(seconds(1)), Write::Take(100), Write::Wait(seconds(1))]);
    let mut socket = runtime.block_on(async {
        let mut socket = server(slow, &defaults());
        // The buffer of the thread is there before.
        assert!(poll_at_most(1, socket.recv()).await.is_none());
        socket
    });
    let held = measure(|| {
        runtime.block_on(async {
            for _ in 0..100 {
                socket.feed("x".repeat(1000)).await.unwrap();
            }
            socket.flush().await.unwrap();
            assert!(poll_at_most(1, socket.recv()).await.is_none());
        });
    });
    // The log of the script is the most of it.
    let log = socket.get_ref().log();
    let written = log.lock().unwrap().written.capacity() as i64;
    let held = held.bytes_current - written;
    assert!(held <= 1024, "{held} bytes are held");
}
