//! The server's side of the opening handshake over a stream.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_socket::proto::handshake::{Refusal, Rule};
use antiphon_socket::{AcceptError, Acceptor, WebSocket, accept};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::harness::*;

pub const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

fn request(headers: &str) -> Vec<u8> {
    format!("{REQUEST}{headers}\r\n").into_bytes()
}

fn response(log: &Arc<Mutex<Log>>) -> String {
    String::from_utf8(log.lock().unwrap().written.clone()).unwrap()
}

fn refusal<T>(result: Result<T, AcceptError>) -> Refusal {
    match result {
        Err(AcceptError::Refused(refusal)) => refusal,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("accepted"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_head_may_come_byte_by_byte() {
    let mut wire = request("");
    wire.extend(masked(TEXT, b"hello"));
    let script =
        Script::new(dribble(&wire)).writes([Write::Later, Write::Take(1)].into_iter().cycle().take(300));
    let log = script.log();
    let mut socket = accept(script).await.unwrap();
    assert!(response(&log).starts_with("HTTP/1.1 101 "));
    assert!(response(&log).contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(socket.recv().await.unwrap(), Some("hello".into()));
}

#[tokio::test(start_paused = true)]
async fn frames_right_behind_the_head_are_kept() {
    let mut wire = request("");
    wire.extend([masked(TEXT, b"one"), masked(TEXT, b"two")].concat());
    let mut socket = accept(Script::new([Read::Data(wire)])).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("one".into()));
    assert_eq!(socket.recv().await.unwrap(), Some("two".into()));
}

#[tokio::test(start_paused = true)]
async fn subprotocol_and_compression_are_agreed_on() {
    let wire = request(
        "Sec-WebSocket-Protocol: v1, v2\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
    );
    let acceptor =
        Acceptor { subprotocols: vec!["v2".into(), "v1".into()], compression: true, ..Acceptor::default() };
    let script = Script::new([Read::Data(wire)]);
    let log = script.log();
    let (_, request) = acceptor.accept(script, |_| Ok(())).await.unwrap();
    assert_eq!(request.path(), "/chat");
    let response = response(&log);
    assert!(response.contains("Sec-WebSocket-Protocol: v2\r\n"), "{response}");
    assert!(response.contains("Sec-WebSocket-Extensions: permessage-deflate"), "{response}");
}

#[tokio::test(start_paused = true)]
async fn a_dribbled_head_gets_408_at_the_deadline() {
    let slow = request("").into_iter().flat_map(|byte| [Read::Wait(seconds(1)), Read::Data(vec![byte])]);
    let script = Script::new(slow);
    let log = script.log();
    let start = Instant::now();
    let refusal = refusal(accept(script).await);
    assert_eq!(refusal.status(), 408);
    assert_eq!(start.elapsed().as_secs(), 10 + 1, "the deadline, and the time to read the answer");
    assert!(response(&log).starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert!(log.lock().unwrap().shut_down);
}

#[tokio::test(start_paused = true)]
async fn the_answer_has_to_be_taken_before_the_deadline() {
    let start = Instant::now();
    let script = Script::new([Read::Data(request(""))]).writes([Write::Stuck]);
    match within(seconds(20), accept(script)).await {
        Err(AcceptError::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::TimedOut),
        other => panic!("{other:?}"),
    }
    assert_eq!(start.elapsed().as_secs(), 10);
    // A refused client that does not take its answer is not waited for.
    let script = Script::new([Read::Data(b"POST / HTTP/1.1\r\n\r\n".to_vec())]).writes([Write::Stuck]);
    assert_eq!(refusal(within(seconds(2), accept(script)).await).status(), 405);
}

/// CVE-2025-11677: a rejection at every stage, and the client is told each time.
#[tokio::test(start_paused = true)]
async fn cve_2025_11677_a_rejection_at_every_stage() {
    let acceptor = Acceptor::default();
    let script = |wire: Vec<u8>| {
        let script = Script::new([Read::Data(wire), Read::Eof]);
        let log = script.log();
        (script, log)
    };

    // The syntax of the head.
    let (stream, log) = script(b"\0GET / HTTP/1.1\r\n\r\n".to_vec());
    assert_eq!(refusal(accept(stream).await).status(), 400);
    assert!(response(&log).starts_with("HTTP/1.1 400 "));

    // The rules of the handshake.
    let (stream, log) = script(REQUEST.replace("13", "8").into_bytes().into_iter().chain(*b"\r\n").collect());
    assert_eq!(refusal(accept(stream).await).status(), 426);
    assert!(response(&log).starts_with("HTTP/1.1 426 "));

    // The application.
    let (stream, log) = script(request(""));
    let result = acceptor.accept(stream, |request| {
        assert_eq!(request.path(), "/chat");
        Err(request.refuse(403, "not you").with_header("Retry-After", "5").unwrap())
    });
    assert_eq!(refusal(result.await).rule(), Rule::Application);
    assert!(
        response(&log).contains("\r\nRetry-After: 5\r\n") && response(&log).ends_with("\r\n\r\nnot you\n")
    );

    // The end of the stream, within the head and before it.
    let (stream, log) = script(request("")[..40].to_vec());
    assert_eq!(refusal(accept(stream).await).status(), 400);
    assert!(response(&log).starts_with("HTTP/1.1 400 "));
    assert!(matches!(accept(Script::new([Read::Eof])).await, Err(AcceptError::Eof)));
    let reset = Read::Fail(io::ErrorKind::ConnectionReset);
    assert!(matches!(accept(Script::new([reset])).await, Err(AcceptError::Io(_))));
}

/// The client is still sending when it is refused: no reset eats the response.
#[tokio::test]
async fn a_refused_client_reads_its_response() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"POST /chat HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n").await.unwrap();
        stream.write_all(&[b'x'; 300_000]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    });
    let (stream, _) = listener.accept().await.unwrap();
    assert_eq!(refusal(soon(accept(stream)).await).status(), 405);
    let response = soon(client).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 405 ") && response.contains("\r\nAllow: GET\r\n"), "{response}");
}

/// A task is as large as its largest state: the handshake must not be it.
#[test]
fn futures_are_small() {
    async fn serve(acceptor: Arc<Acceptor>, stream: TcpStream) {
        let Ok((mut socket, _)) = acceptor.accept(stream, |_| Ok(())).await else { return };
        while let Ok(Some(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    }
    fn size_of_output<T>(_: impl FnOnce(TcpStream) -> T) -> usize {
        size_of::<T>()
    }
    let acceptor = Acceptor::default();
    let accept = size_of_output(|stream| acceptor.accept(stream, |_| Ok(())));
    assert!(accept <= 96, "the future of accept has {accept} bytes");
    let socket = size_of::<WebSocket<TcpStream>>();
    assert!(socket <= 640, "a socket has {socket} bytes");
    let task = size_of_output(|stream| serve(Arc::default(), stream));
    assert!(task <= 2 * socket + 512, "a task has {task} bytes, its socket {socket}");
}
