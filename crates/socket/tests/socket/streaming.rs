//! Messages of unbounded size, as they come and go.

use std::io;
use std::sync::Arc;

use antiphon_socket::Error;
use antiphon_socket::proto::{CloseCode, Config, Delivery, Kind, Limits, SendError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::*;

/// The end of a message is told though nothing comes behind it, however the message is made up.
#[tokio::test(start_paused = true)]
async fn a_reader_ends_with_its_message() {
    let messages: [&[&[u8]]; 4] = [&[b"whole"], &[b"in ", b"", b"pieces"], &[b""], &["h\u{e9}".as_bytes()]];
    for config in [streamed(), defaults()] {
        for frames in messages {
            let last = frames.len() - 1;
            let first = |at: usize| (if at == 0 { 1 } else { 0 }) | (if at == last { 0x80 } else { 0 });
            let wire: Vec<u8> =
                frames.iter().enumerate().flat_map(|(at, frame)| masked(first(at), frame)).collect();
            for reads in [vec![Read::Data(wire.clone())], dribble(&wire).collect()] {
                let mut socket = server(Script::new(reads.clone()), &config);
                let mut reader = within(seconds(1), socket.reader()).await.unwrap().unwrap();
                assert_eq!(reader.kind(), Kind::Text);
                let mut bytes = Vec::new();
                within(seconds(1), reader.read_to_end(&mut bytes)).await.unwrap();
                assert_eq!(bytes, frames.concat());
                assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 0, "it stays at its end");

                let mut socket = server(Script::new(reads), &config);
                let message = within(seconds(1), socket.recv()).await.unwrap().unwrap();
                assert_eq!(message.as_bytes(), frames.concat());
            }
        }
    }
}

/// Dropped amid its message, whether there is more of it or not: the next call gets the next message.
#[tokio::test(start_paused = true)]
async fn the_rest_of_a_dropped_reader_is_skipped() {
    let wire =
        [masked(0x01, "caf\u{e9}".as_bytes()), masked(0x80, b" au lait"), masked(TEXT, b"next")].concat();
    for config in [streamed(), defaults()] {
        for taken in 0..6 {
            for split in 1..wire.len() {
                let reads = || [wire[..split].to_vec(), wire[split..].to_vec()].map(Read::Data);
                let mut socket = server(Script::new(reads()), &config);
                let mut reader = socket.reader().await.unwrap().unwrap();
                let mut some = vec![0; taken];
                reader.read_exact(&mut some).await.unwrap();
                assert_eq!(socket.recv().await.unwrap(), Some("next".into()), "{taken} {split}");

                let mut socket = server(Script::new(reads()), &config);
                let mut reader = socket.reader().await.unwrap().unwrap();
                reader.read_exact(&mut some).await.unwrap();
                let mut next = String::new();
                socket.reader().await.unwrap().unwrap().read_to_string(&mut next).await.unwrap();
                assert_eq!(next, "next", "{taken} {split}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_cut_off_is_an_error_and_not_an_end() {
    let begun = masked(0x01, b"begun");
    let cases = [
        (vec![], Read::Eof, io::ErrorKind::ConnectionAborted),
        (vec![], Read::Fail(io::ErrorKind::ConnectionReset), io::ErrorKind::ConnectionReset),
        (masked(CLOSE, b"\x03\xe8"), Read::Eof, io::ErrorKind::UnexpectedEof),
        (masked(0x80, b"\xff"), Read::Eof, io::ErrorKind::ConnectionAborted),
        (masked(TEXT, b"another"), Read::Eof, io::ErrorKind::ConnectionAborted),
    ];
    for (then, last, kind) in cases {
        let script = Script::new([Read::Data([begun.clone(), then].concat()), last]);
        let mut socket = server(script, &streamed());
        let mut reader = socket.reader().await.unwrap().unwrap();
        let mut text = Vec::new();
        let error = within(seconds(9), reader.read_to_end(&mut text)).await.unwrap_err();
        assert_eq!((error.kind(), &*text), (kind, &b"begun"[..]), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_write_is_a_fragment() {
    let script = Script::new([]);
    let log = script.log();
    let mut socket = server(script, &defaults());
    let mut writer = socket.writer(Kind::Text).unwrap();
    writer.write_all(b"caf\xc3").await.unwrap();
    writer.write_all(b"\xa9").await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(log.lock().unwrap().written, [plain(0x01, b"caf\xc3"), plain(0x00, b"\xa9")].concat());
    writer.shutdown().await.unwrap();
    writer.shutdown().await.unwrap();
    // One without a byte.
    socket.writer(Kind::Binary).unwrap().shutdown().await.unwrap();
    socket.send("whole").await.unwrap();
    let seen = decode(&log.lock().unwrap().written, None);
    let expected = ["caf\u{e9}".into(), Vec::new().into(), "whole".into()].map(Seen::Message);
    assert_eq!(seen, expected);
}

#[tokio::test(start_paused = true)]
async fn what_a_writer_cannot_do() {
    let script = Script::new([]);
    let log = script.log();
    let mut socket = server(script, &defaults());
    let mut writer = socket.writer(Kind::Text).unwrap();
    writer.write_all(b"good").await.unwrap();
    assert_eq!(writer.write(b"\xff").await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    // A message that is left open keeps others out, but not a Close.
    assert!(matches!(socket.writer(Kind::Text), Err(Error::Send(SendError::MessageOpen))));
    assert!(matches!(socket.send("more").await, Err(Error::Send(SendError::MessageOpen))));
    socket.start_close(CloseCode::GOING_AWAY, "").unwrap();
    socket.flush().await.unwrap();
    assert_eq!(close_code(&decode(&log.lock().unwrap().written, None)), Some(1001));
    assert!(matches!(socket.writer(Kind::Text), Err(Error::Send(SendError::Closed))));
}

/// The peer closes while a message is being written.
#[tokio::test(start_paused = true)]
async fn a_writer_hears_of_the_end() {
    let (mut server, mut client) = pair(1 << 10, &impatient());
    let closing = tokio::spawn(async move { client.close(CloseCode::NORMAL, "enough").await.unwrap() });
    let result = within(seconds(30), async {
        let mut writer = server.writer(Kind::Binary)?;
        loop {
            writer.write_all(&[0; 10_000]).await?;
            writer.flush().await?;
            tokio::time::sleep(seconds(1)).await;
        }
        #[expect(unreachable_code, reason = "it names the type of the error")]
        io::Result::Ok(())
    });
    assert!(result.await.is_err());
    closing.await.unwrap();
}

/// 64 MiB in one frame, and as much back in fragments, with little memory: what may wait to be written is the most of it.
#[test]
fn a_huge_frame_passes_through_little_memory() {
    const SIZE: u64 = 64 << 20;
    let limits = Limits { outbox: 128 << 10, ..streamed().limits };
    let config = Arc::new(Config { limits, delivery: Delivery::Streamed, ..Config::default() });
    for (first, kind, payload) in
        [(BINARY, Kind::Binary, &b"\0\x01\x02\x03"[..]), (TEXT, Kind::Text, "d\u{e9}!".as_bytes())]
    {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut echoed = 0;
        // The thread's own buffers are there before.
        runtime.block_on(async {
            let mut socket = server(Script::new([Read::Data(masked(first, payload))]), &defaults());
            socket.recv().await.unwrap();
        });
        let heap = allocation_counter::measure(|| {
            runtime.block_on(async {
                let (here, there) = tokio::io::duplex(64 << 10);
                let mut socket = server(here, &config);
                let (mut read, mut write) = tokio::io::split(there);
                let send = async {
                    let mut head = vec![first, 0x80 | 127];
                    head.extend(SIZE.to_be_bytes());
                    head.extend([0; 4]);
                    write.write_all(&head).await.unwrap();
                    let piece = payload.repeat(4 << 10);
                    for _ in 0..SIZE / piece.len() as u64 {
                        write.write_all(&piece).await.unwrap();
                    }
                };
                let echo = async {
                    let mut buffer = vec![0; 32 << 10];
                    let mut filled = 0;
                    let mut reader = socket.reader().await.unwrap().unwrap();
                    assert_eq!(reader.kind(), kind);
                    loop {
                        match reader.read(&mut buffer).await.unwrap() {
                            0 => break,
                            count => filled += count as u64,
                        }
                    }
                    assert_eq!(filled, SIZE);
                    let mut writer = socket.writer(kind).unwrap();
                    let piece = payload.repeat(4 << 10);
                    for _ in 0..SIZE / piece.len() as u64 {
                        writer.write_all(&piece).await.unwrap();
                    }
                    writer.shutdown().await.unwrap();
                    socket.start_close(CloseCode::NORMAL, "").unwrap();
                    socket.flush().await.unwrap();
                };
                let count = async {
                    let mut buffer = vec![0; 32 << 10];
                    while echoed < SIZE {
                        echoed += read.read(&mut buffer).await.unwrap() as u64;
                    }
                };
                tokio::join!(send, echo, count);
            });
        });
        assert!(heap.bytes_max < 512 << 10, "{} bytes at most", heap.bytes_max);
    }
}
