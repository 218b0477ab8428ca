//! `/echo` and `/raw`, byte by byte.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::io::Write as _;

use support::{BINARY, CLOSE, Server, TEXT, frame, handshake};

#[test]
fn echo_gives_back_what_it_gets() {
    let server = Server::start();
    let mut socket = server.open("/echo");
    for size in [0, 1, 125, 126, 65_535, 65_536, 1_000_000] {
        let payload: Vec<u8> = (0..size).map(|i| i as u8).collect();
        socket.send(BINARY, &payload);
        assert!(socket.receive() == (BINARY, payload), "{size}");
    }
    socket.say("héllo");
    assert_eq!(socket.hear(), "héllo");
    socket.send(CLOSE, &[0x0f, 0xa0, b'x']);
    assert_eq!(socket.receive(), (CLOSE, vec![0x0f, 0xa0]));
    assert_eq!(socket.rest(), "", "the server ends the stream first");
}

#[test]
fn what_follows_the_request_at_once_is_not_lost() {
    let server = Server::start();
    let mut request = handshake("/echo", "").into_bytes();
    request.extend(frame(TEXT, b"early"));
    request.extend(frame(TEXT, b"bird"));
    let mut socket = server.request("");
    socket.stream.write_all(&request).unwrap();
    assert!(socket.head().starts_with("HTTP/1.1 101 "));
    assert_eq!((socket.hear(), socket.hear()), ("early".into(), "bird".into()));
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let server = Server::start();
    let mut socket = server.request("");
    socket.stream.set_nodelay(true).unwrap();
    for byte in handshake("/echo", "").bytes() {
        socket.stream.write_all(&[byte]).unwrap();
    }
    assert!(socket.head().starts_with("HTTP/1.1 101 "));
}

#[test]
fn violations_get_their_codes() {
    let server = Server::start();
    let mut unmasked = frame(TEXT, b"");
    unmasked[1] = 0;
    // A head that declares 16 MiB and a byte.
    let mut large = vec![0x82, 0xff];
    large.extend((16 * 1024 * 1024 + 1_u64).to_be_bytes());
    large.extend([0; 4]);
    for (bytes, code) in
        [(unmasked, 1002), (frame(TEXT, b"\xff"), 1007), (large, 1009), (frame(3, b""), 1002)]
    {
        let mut socket = server.open("/echo");
        socket.stream.write_all(&bytes).unwrap();
        assert_eq!(socket.closed().0, code, "{bytes:?}");
    }
}

#[test]
fn raw_delivers_to_everybody_in_the_channel() {
    let server = Server::start();
    // More than there are workers, so that some are on other workers than their publisher.
    let mut sockets: Vec<_> = (0..8).map(|_| server.open("/raw/lobby")).collect();
    let mut elsewhere = server.open("/raw/LOBBY");
    // A socket is in its channel when it hears itself.
    for (at, kind) in [(0, TEXT), (3, BINARY), (7, TEXT)] {
        let said = format!("from {at}");
        sockets[at].send(kind, said.as_bytes());
        for socket in &mut sockets {
            assert_eq!(socket.receive(), (kind, said.clone().into_bytes()));
        }
    }
    elsewhere.say("other");
    assert_eq!(elsewhere.hear(), "other", "and nothing before it");
    drop(sockets.pop());
    sockets[0].say("still here");
    for socket in &mut sockets {
        assert_eq!(socket.hear(), "still here");
    }
}

#[test]
fn raw_takes_64_kib_and_no_more() {
    let server = Server::start();
    let mut socket = server.open("/raw/a");
    let most = vec![7; 65_536];
    socket.send(BINARY, &most);
    assert!(socket.receive() == (BINARY, most));
    socket.send(BINARY, &vec![7; 65_537]);
    assert_eq!(socket.closed().0, 1009);
}

#[test]
fn who_does_not_read_is_cut_off_and_others_are_not() {
    let server = Server::start();
    let mut slow = server.open("/raw/a");
    let mut fast = server.open("/raw/a");
    let payload = vec![0; 60_000];
    let (mut frames, mut last) = (0, None);
    // The kernel's buffers take some megabytes before the server's own limit of 1 MiB is reached.
    for _ in 0..400 {
        fast.send(BINARY, &payload);
        assert_eq!(fast.receive().1.len(), payload.len());
    }
    while last.is_none() {
        match slow.receive() {
            (BINARY, _) => frames += 1,
            other => last = Some(other),
        }
    }
    let (opcode, reason) = last.unwrap();
    assert_eq!((opcode, &reason[..2]), (CLOSE, &1013_u16.to_be_bytes()[..]));
    assert!(frames < 400, "{frames}");
}
