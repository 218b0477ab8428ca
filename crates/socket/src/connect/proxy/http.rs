//! A tunnel through an HTTP proxy: CONNECT (RFC 9110 §9.3.6).

use antiphon_proto::handshake::{HeadLimits, HeadScanner, Scan};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::ProxyFault;
use crate::connect::host::Credentials;
use crate::connect::target::Target;

/// How much of a `Proxy-Authenticate` is shown.
const EXCERPT: usize = 200;

/// Asks for a tunnel to `target`. What came after the head of the answer is the tunnel's and is returned.
///
/// The head may have [`HeadLimits::default`]. The body of a refusal is not read: the connection to the proxy ends with it.
pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    target: &Target,
    credentials: Option<&Credentials>,
) -> Result<Bytes, ProxyFault> {
    let Target { host, port, .. } = target;
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some(credentials) = credentials {
        request.push_str("Proxy-Authorization: ");
        request.push_str(&credentials.basic());
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;

    let mut scanner = HeadScanner::response(HeadLimits::default());
    let mut answer = BytesMut::with_capacity(1024);
    let head = loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(ProxyFault::Protocol("it closed the connection without a whole answer".to_owned()));
        }
        match scanner.scan(&answer) {
            Scan::Incomplete => {}
            Scan::Refused(violation) => return Err(ProxyFault::Protocol(violation.to_string())),
            Scan::Complete { len } => break answer.split_to(len),
        }
    };
    // The scanner lets only `HTTP/1.` a digit, a space and three digits begin a head.
    let status = head[9..12].iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
    match status {
        // Whatever the head says of a body, a 2xx to CONNECT has none (§9.3.6).
        200..=299 => Ok(answer.freeze()),
        407 => Err(ProxyFault::Credentials { wanted: challenge(&head), sent: credentials.is_some() }),
        _ => Err(ProxyFault::Status(status)),
    }
}

/// What the proxy's `Proxy-Authenticate` asks for, escaped and cut short.
fn challenge(head: &[u8]) -> Option<String> {
    let name = b"proxy-authenticate:";
    let line = head
        .split(|&byte| byte == b'\n')
        .find(|line| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))?;
    let value = line[name.len()..].trim_ascii();
    Some(
        value
            .iter()
            .take(EXCERPT)
            .filter(|byte| byte.is_ascii_graphic() || **byte == b' ')
            .map(|&b| char::from(b))
            .collect(),
    )
}
