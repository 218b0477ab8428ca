//! Opens connections: TCP, then the opening handshake (§4.1), a bounded number at a time.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};

use anyhow::{Context, Result, bail, ensure};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::conn::Conn;
use crate::deflate::Inflater;
use crate::poll::Poller;

/// The sample key and its answer from §1.3; a server cannot tell that every connection has the same.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Connections from one source address; well below the number of its ephemeral ports.
const PER_SOURCE: usize = 8_000;
const LONGEST_RESPONSE: usize = 4_096;

/// Where to connect, and how.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub addr: SocketAddrV4,
    pub path: String,
    /// No handshake: the server is the raw floor.
    pub raw: bool,
    /// permessage-deflate is offered, and has to be accepted.
    pub deflate: bool,
    /// Handshakes under way at once.
    pub in_flight: usize,
}

/// Opens `count` connections; `nth` is how many there are already.
pub(crate) fn open(target: &Target, nth: usize, count: usize) -> Result<Vec<Conn>> {
    let mut poller = Poller::new()?;
    let mut under_way: Vec<Option<Opening>> = Vec::with_capacity(count);
    let mut conns = Vec::with_capacity(count);
    while conns.len() < count {
        while under_way.len() < count && under_way.len() - conns.len() < target.in_flight.max(1) {
            let stream = connect(target, nth + under_way.len())?;
            poller.add(&stream, under_way.len())?;
            under_way.push(Some(Opening { stream, connected: false, response: Vec::new() }));
        }
        let turn = poller.turn(&|| format!("handshakes: {} of {count} are done", conns.len()))?;
        for ready in turn {
            let slot = &mut under_way[ready.token];
            let Some(opening) = slot else { continue };
            if let Some(inflater) = opening.advance(target, ready.writable)?
                && let Some(opening) = slot.take()
            {
                conns.push(Conn::new(opening.stream, inflater));
            }
        }
    }
    Ok(conns)
}

fn connect(target: &Target, nth: usize) -> Result<TcpStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)
        .context("opening a socket: is the limit of open files too low?")?;
    let source = nth / PER_SOURCE;
    if source > 0 {
        rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 1 + source as u8), 0))
            .context("binding to a source address")?;
    }
    sockopt::set_tcp_nodelay(&socket, true).context("TCP_NODELAY")?;
    // A reset at the end leaves no port in TIME_WAIT, of which ten thousands would be missing in the next run.
    sockopt::set_socket_linger(&socket, Some(std::time::Duration::ZERO)).context("SO_LINGER")?;
    match rustix::net::connect(&socket, &target.addr) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket.into()),
        Err(e) => Err(e).with_context(|| format!("connecting to {}", target.addr)),
    }
}

struct Opening {
    stream: TcpStream,
    connected: bool,
    response: Vec<u8>,
}

/// A connection that is open, with what inflates its messages if compression was agreed on.
type Agreed = Option<Inflater>;

impl Opening {
    fn advance(&mut self, target: &Target, writable: bool) -> Result<Option<Agreed>> {
        if !self.connected {
            if !writable {
                return Ok(None);
            }
            if let Some(e) = self.stream.take_error()? {
                return Err(e).with_context(|| format!("connecting to {}", target.addr));
            }
            self.connected = true;
            if target.raw {
                return Ok(Some(None));
            }
            self.stream.write_all(request(target).as_bytes()).context("sending the request")?;
        }
        let mut buffer = [0; 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the server closed the connection in the handshake"),
                Ok(n) => self.response.extend_from_slice(&buffer[..n]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(e) => return Err(e).context("reading the response"),
            }
            if let Some(end) = self.response.windows(4).position(|four| four == b"\r\n\r\n") {
                ensure!(
                    end + 4 == self.response.len(),
                    "the server sent something right behind its response"
                );
                let head = String::from_utf8_lossy(&self.response[..end]);
                return check_response(&head, target.deflate).map(Some);
            }
            ensure!(
                self.response.len() <= LONGEST_RESPONSE,
                "a response head above {LONGEST_RESPONSE} bytes"
            );
        }
    }
}

fn request(target: &Target) -> String {
    let extensions = if target.deflate {
        "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n"
    } else {
        ""
    };
    format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{extensions}\r\n",
        target.path, target.addr
    )
}

fn check_response(head: &str, deflate: bool) -> Result<Agreed> {
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    ensure!(status.starts_with("HTTP/1.1 101"), "the server did not upgrade but said: {status}");
    let header = |wanted: &str| {
        let named = |line: &str| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        };
        lines.clone().find_map(named)
    };
    let accept = header("Sec-WebSocket-Accept");
    ensure!(accept.as_deref() == Some(ACCEPT), "Sec-WebSocket-Accept is {accept:?}, not {ACCEPT}");
    let extensions = header("Sec-WebSocket-Extensions").unwrap_or_default();
    if !deflate {
        ensure!(extensions.is_empty(), "the server turned on {extensions:?}, which was not offered");
        return Ok(None);
    }
    ensure!(extensions.starts_with("permessage-deflate"), "the server did not accept permessage-deflate");
    Ok(Some(Inflater::new(!extensions.contains("server_no_context_takeover"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    #[test]
    fn responses() {
        assert!(check_response(GOOD, false).expect("good").is_none());
        assert!(check_response(GOOD, true).is_err(), "deflate was asked for");
        assert!(check_response(&GOOD.replace("s3p", "S3p"), false).is_err(), "wrong accept");
        assert!(check_response("HTTP/1.1 400 Bad Request", false).is_err());
        let agreed =
            format!("{GOOD}\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover");
        assert!(check_response(&agreed, false).is_err(), "not offered");
        assert!(!check_response(&agreed, true).expect("good").expect("deflate").takeover());
    }
}
