//! The first head of a connection, and the last words to one that cannot be served.

use std::net::IpAddr;
use std::time::Duration;

use crate::stream::Stream;
use antiphon_proto::handshake::{HeadLimits, HeadScanner, Refusal, Scan};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How long a whole head may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no request to serve.
#[derive(Debug)]
pub(super) enum NoHead {
    /// The peer has gone, or said nothing that could be answered.
    Gone,
    /// The head is wrong, or did not come in time.
    Refused(Refusal),
}

/// What a connection begins with. What follows it may be among the bytes.
#[derive(Debug)]
pub(super) enum First {
    /// A whole head of HTTP/1.
    Head(Bytes),
    /// The preface of HTTP/2.
    Preface(Bytes),
}

/// With which a client begins who knows that the server speaks HTTP/2 (RFC 9113 §3.4). It looks like a head, and is none.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads until a head is whole, of which `buffer` has been read already, or the preface of HTTP/2 where that is spoken.
pub(super) async fn read(
    stream: &mut Stream,
    mut buffer: BytesMut,
    limits: HeadLimits,
    speaks_http2: bool,
) -> Result<First, NoHead> {
    let mut scanner = HeadScanner::request(limits);
    let reading = async {
        let mut is_new = !buffer.is_empty();
        loop {
            if !is_new {
                buffer.reserve(1024);
                match stream.read_buf(&mut buffer).await {
                    Ok(0) | Err(_) => return Err(NoHead::Gone),
                    Ok(_) => {}
                }
            }
            is_new = false;
            if speaks_http2 && buffer.starts_with(PREFACE) {
                return Ok(true);
            }
            if speaks_http2 && PREFACE.starts_with(&buffer) {
                continue;
            }
            match scanner.scan(&buffer) {
                Scan::Incomplete => {}
                Scan::Complete { .. } => return Ok(false),
                Scan::Refused(violation) => return Err(NoHead::Refused(violation.into())),
            }
        }
    };
    match tokio::time::timeout(TIMEOUT, reading).await {
        Ok(Ok(true)) => Ok(First::Preface(buffer.freeze())),
        Ok(Ok(false)) => Ok(First::Head(buffer.freeze())),
        Ok(Err(none)) => Err(none),
        // A browser opens connections in advance; one that was never used hears nothing.
        Err(_) if buffer.is_empty() => Err(NoHead::Gone),
        Err(_) => Err(NoHead::Refused(Refusal::timeout())),
    }
}

/// How long, and for how many bytes, to listen on after the last word.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 256 * 1024;

/// Sends a refusal and closes.
pub(super) async fn refuse(mut stream: Stream, peer: IpAddr, refusal: &Refusal) {
    tracing::info!(remote = %peer, %refusal, "a request was refused");
    let bytes = refusal.to_bytes();
    if matches!(tokio::time::timeout(LINGER, stream.write_all(&bytes)).await, Ok(Ok(()))) {
        close(stream).await;
    }
}

/// Closes, and reads on for a while: a close with bytes unread would be a reset, which can take the last response with it
/// before the peer has read it (RFC 9112 §9.6).
pub(super) async fn close(mut stream: Stream) {
    let linger = async {
        stream.shutdown().await?;
        let (mut scratch, mut seen) = ([0; 1024], 0);
        while seen < LINGER_BYTES {
            match stream.read(&mut scratch).await? {
                0 => break,
                count => seen += count,
            }
        }
        std::io::Result::Ok(())
    };
    // Whatever comes of it, the connection ends here.
    let _ = tokio::time::timeout(LINGER, linger).await;
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Both ends of a connection.
    fn peer() -> IpAddr {
        IpAddr::from([127, 0, 0, 1])
    }

    async fn pair() -> (TcpStream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, server) = tokio::join!(client, listener.accept());
        (client.unwrap(), server.unwrap().0.into())
    }

    /// Time passes by itself here when nothing else happens.
    #[tokio::test(start_paused = true)]
    async fn half_a_head_hears_408_and_nothing_hears_nothing() {
        let (mut client, mut server) = pair().await;
        client.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
        let Err(NoHead::Refused(refusal)) =
            read(&mut server, BytesMut::new(), HeadLimits::default(), true).await
        else {
            panic!("it was read");
        };
        assert_eq!(refusal.status(), 408);
        let mut answer = String::new();
        tokio::join!(refuse(server, peer(), &refusal), async {
            client.read_to_string(&mut answer).await.unwrap();
            drop(client);
        });
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.ends_with(refusal.body()), "{answer}");

        let (_client, mut server) = pair().await;
        assert!(matches!(
            read(&mut server, BytesMut::new(), HeadLimits::default(), true).await,
            Err(NoHead::Gone)
        ));
        let (client, mut server) = pair().await;
        drop(client);
        assert!(matches!(
            read(&mut server, BytesMut::new(), HeadLimits::default(), true).await,
            Err(NoHead::Gone)
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_goes_on_sending_does_not_hold_the_connection() {
        let (mut client, server) = pair().await;
        let flood = async {
            let mut sent = 0_usize;
            while client.write_all(&[b'x'; 4096]).await.is_ok() {
                sent += 4096;
                assert!(sent < 64 * 1024 * 1024, "it is read for ever");
            }
        };
        let refusal = Refusal::timeout();
        tokio::join!(refuse(server, peer(), &refusal), flood);
    }
}
