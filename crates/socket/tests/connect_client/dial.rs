//! Reaching the server (RFC 8305), and giving up. The order of the attempts is tested in virtual time beside the code.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_socket::ConnectError;
use antiphon_socket::connect::{Connector, EnvironmentFault, Resolve, Resolving, Stage, Timeouts};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{assert_echoes, connector, echo_server, listen};

#[derive(Debug)]
struct These(Vec<SocketAddr>);

impl Resolve for These {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Resolving<'a> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

fn to(addresses: &[SocketAddr]) -> Connector {
    Connector { resolver: Arc::new(These(addresses.to_vec())), ..connector() }
}

/// An address that never answers: a listener that accepts nobody, its queue full. It is one as long as the rest lives.
async fn black_hole() -> (SocketAddr, impl Drop) {
    struct Hole(#[expect(dead_code, reason = "held open")] (tokio::net::TcpListener, Vec<TcpStream>));
    impl Drop for Hole {
        fn drop(&mut self) {}
    }
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..64 {
        match tokio::time::timeout(Duration::from_millis(150), TcpStream::connect(address)).await {
            Ok(stream) => waiting.push(stream.unwrap()),
            Err(_) => return (address, Hole((listener, waiting))),
        }
    }
    panic!("the queue of a listener took 64 connections");
}

/// An address that refuses: nobody listens there.
async fn closed() -> SocketAddr {
    listen().await.1
}

#[tokio::test]
async fn a_black_hole_costs_250_ms_and_not_the_connection() {
    let (hole, _open) = black_hole().await;
    let server = echo_server().await;
    let begin = Instant::now();
    let (mut socket, _) = to(&[hole, server]).connect("ws://a.test/").await.unwrap();
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(250), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(socket.get_ref().peer_address(), server);
    assert_echoes(&mut socket).await;
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let server = echo_server().await;
    let (mut socket, _) =
        to(&[closed().await, closed().await, server]).connect("ws://a.test/").await.unwrap();
    assert_echoes(&mut socket).await;
}

#[tokio::test]
async fn the_error_names_the_host_and_every_address() {
    let addresses = [closed().await, closed().await];
    let error = to(&addresses).connect("ws://a.test:7777/").await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("a.test:7777 cannot be reached: "), "{text}");
    for address in addresses {
        assert!(text.contains(&format!("{address}: ")), "{text}");
    }
    assert!(matches!(error, ConnectError::Environment(EnvironmentFault::Dial { .. })));
    assert!(!error.is_timeout());
}

#[tokio::test]
async fn a_black_hole_alone_is_given_up_at_the_limit() {
    let (hole, _open) = black_hole().await;
    let timeouts = Timeouts { reach: Duration::from_millis(300), ..Timeouts::default() };
    let error = Connector { timeouts, ..to(&[hole]) }.connect("ws://a.test/").await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(error.to_string().contains(&hole.to_string()), "{error}");
}

#[tokio::test]
async fn a_look_up_that_hangs_or_fails_is_named() {
    #[derive(Debug)]
    struct Hangs;
    impl Resolve for Hangs {
        fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Resolving<'a> {
            Box::pin(std::future::pending())
        }
    }
    #[derive(Debug)]
    struct Fails;
    impl Resolve for Fails {
        fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Resolving<'a> {
            Box::pin(async { Err(io::Error::other("no such name")) })
        }
    }
    let timeouts = Timeouts { total: Duration::from_millis(50), ..Timeouts::default() };
    let hangs = Connector { resolver: Arc::new(Hangs), timeouts, ..connector() };
    let error = hangs.connect("ws://a.test/").await.unwrap_err();
    assert!(matches!(
        error,
        ConnectError::Environment(EnvironmentFault::TimedOut { stage: Stage::LookUp, .. })
    ));
    assert_eq!(error.to_string(), "looking up the name took longer than 50ms");

    let fails = Connector { resolver: Arc::new(Fails), ..connector() };
    let error = fails.connect("ws://a.test/").await.unwrap_err();
    assert_eq!(error.to_string(), "the name a.test cannot be looked up: no such name");
}

#[tokio::test]
async fn a_connect_that_is_dropped_closes_what_it_had_opened() {
    let (listener, address) = listen().await;
    let task = tokio::spawn(async move { connector().connect(&format!("ws://{address}/")).await.map(drop) });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = vec![0; 16];
    stream.read_exact(&mut request).await.unwrap();
    task.abort();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut request)).await;
    assert!(read.is_ok(), "the connection is still open");
}

#[tokio::test]
async fn a_connection_comes_from_the_local_address_that_is_set() {
    let (listener, address) = listen().await;
    let local = "127.0.0.9".parse().unwrap();
    let from = Connector { local_address: Some(local), ..connector() };
    let uri = format!("ws://{address}/").parse().unwrap();
    let (dialled, accepted) = tokio::join!(from.dial(&uri), listener.accept());
    let (mut accepted, peer) = accepted.unwrap();
    assert_eq!(peer.ip(), local);
    // Nothing is said on a stream that was only dialled.
    drop(dialled.unwrap());
    let mut said = Vec::new();
    accepted.read_to_end(&mut said).await.unwrap();
    assert_eq!(said, b"");

    let v6 = Connector { local_address: Some("::1".parse().unwrap()), ..connector() };
    assert!(matches!(v6.dial(&uri).await, Err(ConnectError::Environment(EnvironmentFault::Dial { .. }))));
}
