//! Listening sockets: one for each worker, all on the same port.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// A listening socket, and what is spoken to those who come.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) socket: TcpListener,
    pub(super) is_tls: bool,
}

/// The listening sockets on one address, one for each worker. The kernel spreads connections over them.
///
/// # Errors
/// When the address is taken or not this machine's.
pub(super) fn bind(address: SocketAddr, workers: u16) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    if workers == 1 {
        let listener = listen(socket(address, false)?)?;
        return Ok((listener.local_addr()?, vec![listener]));
    }
    // Sockets that share a port share it with other processes as well. A first one that does not share finds out whether
    // the port is free, and which it is where the system chooses.
    let first = socket(address, false)?.local_addr()?;
    let Some(address) = first.as_socket() else {
        return Err(io::Error::other("the system gave no address of a port"));
    };
    let listeners: io::Result<_> = (0..workers).map(|_| listen(socket(address, true)?)).collect();
    Ok((address, listeners?))
}

/// A socket that is bound, but does not listen yet.
fn socket(address: SocketAddr, share: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a server that has just ended do not keep their port from the next one.
    socket.set_reuse_address(true)?;
    if share {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listen(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn workers_share_a_port_that_others_cannot_take() {
        for workers in [1, 3] {
            let (address, listeners) = bind(ANY, workers).unwrap();
            assert_eq!(listeners.len(), usize::from(workers));
            assert!(listeners.iter().all(|listener| listener.local_addr().unwrap() == address));
            assert_eq!(bind(address, 2).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        }
    }
}
