//! The stream, with rustls' own client at the other end.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use antiphon_socket::rustls::crypto::ring;
use antiphon_socket::rustls::pki_types::ServerName;
use antiphon_socket::rustls::version::{TLS12, TLS13};
use antiphon_socket::rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as Client;

use super::{NoTls, Tls, TlsStream, self_signed};
use crate::stream::Stream;

fn name() -> ServerName<'static> {
    "localhost".try_into().unwrap()
}

/// A server's side, and a client's that trusts it.
fn configs(version: &'static SupportedProtocolVersion) -> (Tls, Arc<ClientConfig>) {
    let identity = self_signed().unwrap().identity;
    let mut roots = RootCertStore::empty();
    roots.add(identity.cert[0].clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Tls::new(identity, &["http/1.1"]).unwrap(), Arc::new(client))
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, server) = tokio::join!(client, listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// Both ends of a connection.
async fn pair(version: &'static SupportedProtocolVersion) -> (Client<TcpStream>, TlsStream) {
    let (server, client) = configs(version);
    let (near, far) = tcp().await;
    let connector = TlsConnector::from(client);
    let (near, far) = tokio::join!(connector.connect(name(), near), TlsStream::accept(far, server.server()));
    (near.unwrap(), far.unwrap())
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index * 31 % 251) as u8).collect()
}

#[tokio::test]
async fn bytes_pass_whatever_the_size_of_reads_and_writes() {
    for version in [&TLS12, &TLS13] {
        for (size, piece) in [(1, 1), (5_000, 7), (100_000, 1_000), (3_000_000, 70_000), (3_000_000, 300_000)]
        {
            let (client, mut server) = pair(version).await;
            let data = bytes(size);
            let (mut read, mut write) = tokio::io::split(client);
            let sent = data.clone();
            let sending = tokio::spawn(async move {
                write.write_all(&sent).await.unwrap();
                write.shutdown().await.unwrap();
            });
            let receiving = tokio::spawn(async move {
                let mut back = Vec::new();
                // Ends with close_notify, or this would be an error.
                read.read_to_end(&mut back).await.unwrap();
                back
            });
            let mut buffer = vec![0; piece];
            loop {
                let count = server.read(&mut buffer).await.unwrap();
                if count == 0 {
                    break;
                }
                server.write_all(&buffer[..count]).await.unwrap();
            }
            server.shutdown().await.unwrap();
            sending.await.unwrap();
            assert!(receiving.await.unwrap() == data, "{size} bytes in pieces of {piece}");
            assert_eq!(server.buffered(), 0);
        }
    }
}

#[tokio::test]
async fn an_end_without_close_notify_is_no_end() {
    for version in [&TLS12, &TLS13] {
        let (mut client, mut server) = pair(version).await;
        client.write_all(b"abc").await.unwrap();
        client.flush().await.unwrap();
        client.get_mut().0.shutdown().await.unwrap();
        let mut read = Vec::new();
        let error = server.read_to_end(&mut read).await.unwrap_err();
        assert_eq!((&*read, error.kind()), (&b"abc"[..], io::ErrorKind::UnexpectedEof));

        let (mut client, mut server) = pair(version).await;
        client.write_all(b"abc").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(server.read_to_end(&mut read).await.unwrap(), 3);
        // The other direction goes on.
        server.write_all(b"d").await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(client.read_to_end(&mut read).await.unwrap(), 1);
        assert!(server.write_all(b"e").await.is_err());
    }
}

#[tokio::test]
async fn what_the_peer_does_not_read_waits_and_then_arrives() {
    let (mut client, mut server) = pair(&TLS13).await;
    let data = bytes(1000);
    let mut written = 0;
    let cx = &mut Context::from_waker(Waker::noop());
    while let Poll::Ready(count) = Pin::new(&mut server).poll_write(cx, &data) {
        written += count.unwrap();
        assert!(written < 100_000_000, "nothing is ever too much");
    }
    assert!(Pin::new(&mut server).poll_flush(cx).is_pending());
    let sending = tokio::spawn(async move {
        server.flush().await.unwrap();
        server.write_all(b"!").await.unwrap();
        server.shutdown().await.unwrap();
        server.buffered()
    });
    let mut read = Vec::new();
    client.read_to_end(&mut read).await.unwrap();
    assert_eq!((read.len(), read.last()), (written + 1, Some(&b'!')));
    assert!(read[..written].chunks(1000).all(|chunk| chunk == data));
    assert_eq!(sending.await.unwrap(), 0);
}

#[tokio::test]
async fn pieces_are_written_together() {
    let (mut client, mut server) = pair(&TLS13).await;
    let big = bytes(20_000);
    for pieces in [&[&b""[..], b"ab", b"", b"c"][..], &[&big, b"x"], &[b"x", &big], &[]] {
        let whole = pieces.concat();
        let mut rest = &mut pieces.iter().map(|piece| IoSlice::new(piece)).collect::<Vec<_>>()[..];
        let mut writes = 0;
        while rest.iter().any(|piece| !piece.is_empty()) {
            let count = server.write_vectored(rest).await.unwrap();
            IoSlice::advance_slices(&mut rest, count);
            writes += 1;
        }
        assert!(writes <= 2, "{writes}");
        server.flush().await.unwrap();
        let mut read = vec![0; whole.len()];
        client.read_exact(&mut read).await.unwrap();
        assert!(read == whole);
    }
}

#[tokio::test]
async fn a_stream_goes_on_in_another_event_loop() {
    let (mut client, mut server) = pair(&TLS13).await;
    client.write_all(b"abc").await.unwrap();
    client.flush().await.unwrap();
    // Two bytes are decrypted, and not read yet.
    assert_eq!(server.read_u8().await.unwrap(), b'a');
    let parked = Stream::from(server).park().unwrap();
    let other = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut stream = parked.resume().unwrap();
            let mut read = [0; 3];
            stream.read_exact(&mut read).await.unwrap();
            stream.write_all(b"!").await.unwrap();
            stream.flush().await.unwrap();
            read
        })
    });
    client.write_all(b"d").await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'!');
    assert_eq!(&other.join().unwrap(), b"bcd");
}

/// Everything that a client has to send.
fn drain(client: &mut ClientConnection) -> Vec<u8> {
    let mut sealed = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut sealed).unwrap();
    }
    sealed
}

/// Feeds a client until it has said all that it has to say, or has this much to read.
async fn feed(client: &mut ClientConnection, tcp: &mut TcpStream, wanted: usize) -> Vec<u8> {
    let mut plain = vec![0; wanted];
    let mut have = 0;
    while have < wanted || client.is_handshaking() {
        tcp.write_all(&drain(client)).await.unwrap();
        let mut buffer = [0; 1000];
        let count = tcp.read(&mut buffer).await.unwrap();
        client.read_tls(&mut &buffer[..count]).unwrap();
        client.process_new_packets().unwrap();
        have += client.reader().read(&mut plain[have..]).unwrap_or(0);
    }
    plain
}

#[tokio::test]
async fn a_record_may_come_in_parts_with_writes_between_them() {
    for version in [&TLS12, &TLS13] {
        let (tls, config) = configs(version);
        let (mut near, far) = tcp().await;
        let accepting = tokio::spawn(TlsStream::accept(far, tls.server()));
        let mut client = ClientConnection::new(config, name()).unwrap();
        feed(&mut client, &mut near, 0).await;
        near.write_all(&drain(&mut client)).await.unwrap();
        let mut server = accepting.await.unwrap().unwrap();
        if version.version == TLS13.version {
            // The keys change in the middle, and the server's have to follow.
            client.refresh_traffic_keys().unwrap();
        }
        client.writer().write_all(b"hello").unwrap();
        let sealed = drain(&mut client);
        for (index, byte) in sealed.iter().enumerate() {
            near.write_all(&[*byte]).await.unwrap();
            server.get_ref().readable().await.unwrap();
            let mut read = [0; 5];
            let cx = &mut Context::from_waker(Waker::noop());
            let polled = pin!(server.read(&mut read)).poll(cx);
            if index + 1 < sealed.len() {
                assert!(polled.is_pending());
                server.write_all(&[index as u8]).await.unwrap();
                server.flush().await.unwrap();
                assert_eq!(feed(&mut client, &mut near, 1).await, [index as u8]);
            } else {
                assert!(matches!(polled, Poll::Ready(Ok(5))), "{polled:?}");
                assert_eq!(&read, b"hello");
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_tls_is_refused() {
    let (tls, _) = configs(&TLS13);
    for (said, is_clear_text) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], true),
        (b"PRI * HTTP/2.0", true),
        (b"\x16\x03\x01\x00\x01x", false),
        (b"\0", false),
    ] {
        let (mut near, far) = tcp().await;
        near.write_all(said).await.unwrap();
        near.shutdown().await.unwrap();
        match TlsStream::accept(far, tls.server()).await {
            Err(NoTls::ClearText(mut tcp)) if is_clear_text => {
                let mut read = Vec::new();
                tcp.read_to_end(&mut read).await.unwrap();
                assert_eq!(read, said);
            }
            Err(NoTls::Failed(_)) if !is_clear_text => {
                let mut read = Vec::new();
                // An alert, if it was enough to find fault with.
                let _ = near.read_to_end(&mut read).await;
                assert!(read.is_empty() || read[0] == 21, "{read:?}");
            }
            outcome => panic!("{said:?}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn a_record_that_was_changed_ends_the_connection() {
    let (tls, config) = configs(&TLS13);
    let (mut near, far) = tcp().await;
    let accepting = tokio::spawn(TlsStream::accept(far, tls.server()));
    let mut client = ClientConnection::new(config, name()).unwrap();
    feed(&mut client, &mut near, 0).await;
    near.write_all(&drain(&mut client)).await.unwrap();
    let mut server = accepting.await.unwrap().unwrap();
    client.writer().write_all(b"hello").unwrap();
    let mut sealed = drain(&mut client);
    *sealed.last_mut().unwrap() ^= 1;
    near.write_all(&sealed).await.unwrap();
    let mut read = [0; 5];
    for _ in 0..2 {
        assert_eq!(server.read(&mut read).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
    assert!(server.write(b"x").await.is_err());
}
