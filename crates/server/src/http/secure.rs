//! The beginning of a connection that speaks TLS.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use antiphon_proto::handshake::Refusal;
use antiphon_socket::rustls::ServerConfig;
use tokio::net::TcpStream;

use super::{front, head};
use crate::metrics::Endpoint;
use crate::serve::Worker;
use crate::stream::Stream;
use crate::tls::{NoTls, TlsStream};

/// How long the handshake of TLS may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Makes the handshake, and serves what is spoken in it. Who speaks HTTP in clear text is told that this is not the port for it.
pub(crate) async fn serve(worker: Rc<Worker>, stream: TcpStream, tls: Arc<ServerConfig>, peer: IpAddr) {
    let seat = worker.roster.seat();
    let outcome = tokio::select! {
        // In a box that is gone when it is done.
        outcome = Box::pin(accept(stream, tls)) => outcome,
        () = poll_fn(|cx| seat.poll_draining(cx)) => return,
    };
    drop(seat);
    match outcome {
        Ok(stream) => Box::pin(front::serve(worker, stream, peer)).await,
        Err(NoTls::ClearText(stream)) => {
            let refusal =
                Refusal::application(400, "This port speaks HTTPS; write https:// or wss:// in the URL.");
            worker.shared().counts.request(Endpoint::Unread, refusal.status());
            head::refuse(stream.into(), peer, &refusal).await;
        }
        Err(NoTls::Failed(error)) => tracing::debug!(remote = %peer, %error, "a TLS handshake failed"),
    }
}

/// Makes the handshake, if it does not take too long.
async fn accept(stream: TcpStream, tls: Arc<ServerConfig>) -> Result<Stream, NoTls> {
    match tokio::time::timeout(TIMEOUT, TlsStream::accept(stream, tls)).await {
        Ok(outcome) => outcome.map(Stream::from),
        Err(_) => Err(NoTls::Failed(io::ErrorKind::TimedOut.into())),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::tls::{Tls, self_signed};

    /// Time passes by itself here when nothing else happens.
    #[tokio::test(start_paused = true)]
    async fn who_does_not_begin_is_not_waited_for() {
        let tls = Tls::new(self_signed().unwrap().identity, &[]).unwrap();
        for said in [&b""[..], b"\x16\x03\x01"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            client.try_write(said).unwrap();
            let started = tokio::time::Instant::now();
            let outcome = accept(listener.accept().await.unwrap().0, tls.server()).await;
            let Err(NoTls::Failed(error)) = outcome else { panic!("{outcome:?}") };
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(started.elapsed().as_secs(), TIMEOUT.as_secs());
        }
    }
}
