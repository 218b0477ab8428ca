//! The floor: what the same traffic costs with no WebSocket library at all. One thread, epoll, one receive buffer for
//! all connections, at most one write for each of them in a turn.
//!
//! `peer-raw echo IP:PORT`: every byte received goes back as it is (generator: `--raw`).
//! `peer-raw broadcast IP:PORT`: frames from any connection are unmasked once, and the bytes written to all
//! connections (generator: `--raw`; there is no handshake, but the frames are real).

use std::net::{SocketAddrV4, TcpListener};
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, listen, recv, send, sockopt};

const LISTENER: u64 = u64::MAX;
const BUFFER: usize = 512 << 10;

struct Conn {
    socket: OwnedFd,
    /// What a full socket did not take.
    backlog: Vec<u8>,
    /// Broadcast: an incomplete frame.
    partial: Vec<u8>,
}

struct Server {
    epoll: OwnedFd,
    conns: Vec<Option<Conn>>,
}

/// How much the socket took: nothing if it is full, or broken, which the next read will tell.
fn send_now(socket: &OwnedFd, bytes: &[u8]) -> usize {
    send(socket, bytes, SendFlags::NOSIGNAL).unwrap_or(0)
}

impl Server {
    fn accept(&mut self, listener: &TcpListener) -> rustix::io::Result<()> {
        while let Ok(socket) = accept_with(listener, SocketFlags::NONBLOCK) {
            sockopt::set_tcp_nodelay(&socket, true)?;
            epoll::add(&self.epoll, &socket, EventData::new_u64(self.conns.len() as u64), EventFlags::IN)?;
            self.conns.push(Some(Conn { socket, backlog: Vec::new(), partial: Vec::new() }));
        }
        Ok(())
    }

    fn wait_for(&self, nth: usize, conn: &Conn, flags: EventFlags) -> rustix::io::Result<()> {
        epoll::modify(&self.epoll, conn.socket.as_fd(), EventData::new_u64(nth as u64), flags)
    }

    fn send(&mut self, nth: usize, bytes: &[u8]) -> rustix::io::Result<()> {
        let Some(conn) = &mut self.conns[nth] else { return Ok(()) };
        let was_full = !conn.backlog.is_empty();
        let sent = if was_full { 0 } else { send_now(&conn.socket, bytes) };
        conn.backlog.extend_from_slice(&bytes[sent..]);
        match &self.conns[nth] {
            Some(conn) if !was_full && !conn.backlog.is_empty() => {
                self.wait_for(nth, conn, EventFlags::IN | EventFlags::OUT)
            }
            _ => Ok(()),
        }
    }

    fn drain(&mut self, nth: usize) -> rustix::io::Result<()> {
        let Some(conn) = &mut self.conns[nth] else { return Ok(()) };
        let sent = send_now(&conn.socket, &conn.backlog);
        if sent < conn.backlog.len() {
            conn.backlog.drain(..sent);
            return Ok(());
        }
        conn.backlog = Vec::new();
        match &self.conns[nth] {
            Some(conn) => self.wait_for(nth, conn, EventFlags::IN),
            None => Ok(()),
        }
    }
}

/// Takes masked frames in pieces and appends the same frames to `out`, unmasked.
fn unmask(partial: &mut Vec<u8>, bytes: &[u8], out: &mut Vec<u8>) {
    partial.extend_from_slice(bytes);
    let mut at = 0;
    while let [first, second, rest @ ..] = &partial[at..] {
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some((length, rest)) = rest.split_at_checked(extended) else { break };
        let Some((key, rest)) = rest.split_at_checked(4) else { break };
        let size = match extended {
            0 => usize::from(second & 0x7f),
            _ => length.iter().fold(0, |size, &byte| size << 8 | usize::from(byte)),
        };
        let Some(payload) = rest.get(..size) else { break };
        out.extend([first, &(second & 0x7f)]);
        out.extend_from_slice(length);
        out.extend(payload.iter().enumerate().map(|(nth, byte)| byte ^ key[nth & 3]));
        at += 2 + extended + 4 + size;
    }
    partial.drain(..at);
}

fn serve(broadcast: bool, addr: SocketAddrV4) -> std::io::Result<()> {
    let listener = TcpListener::bind(addr)?;
    listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut server = Server { epoll, conns: Vec::new() };
    let mut events = Vec::with_capacity(1024);
    let mut buffer = vec![0; BUFFER];
    let mut out = Vec::new();
    loop {
        events.clear();
        match epoll::wait(&server.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        for event in &events {
            let (token, flags) = (event.data.u64(), event.flags);
            if token == LISTENER {
                server.accept(&listener)?;
                continue;
            }
            let nth = token as usize;
            if flags.contains(EventFlags::OUT) {
                server.drain(nth)?;
            }
            let Some(conn) = server.conns[nth].as_mut().filter(|_| flags != EventFlags::OUT) else {
                continue;
            };
            match recv(&conn.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((0, _)) => server.conns[nth] = None,
                Ok((n, _)) if broadcast => unmask(&mut conn.partial, &buffer[..n], &mut out),
                Ok((n, _)) => server.send(nth, &buffer[..n])?,
                Err(Errno::AGAIN) => {}
                Err(_) => server.conns[nth] = None,
            }
        }
        if !out.is_empty() {
            for nth in 0..server.conns.len() {
                server.send(nth, &out)?;
            }
            out.clear();
        }
    }
}

fn main() -> std::io::Result<()> {
    let o = peer_shell::opts();
    serve(o.broadcast, o.addr)
}
