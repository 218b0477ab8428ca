//! Opening connections: some at a time, and from several addresses where one has not ports enough.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use antiphon_proto::handshake::WsUri;
use antiphon_socket::{ClientStream, Connector, WebSocket};
use tokio::task::JoinSet;

use crate::cli::BenchArgs;
use crate::client::connector;

/// Connections that are being opened at once.
pub(super) const OPENING: usize = 64;

/// Connections from one address of this machine; below the number of its ephemeral ports.
const PER_ADDRESS: u64 = 20_000;

/// Addresses of this machine that connections come from, at the most.
const ADDRESSES: u64 = 200;

/// Files that a process has open besides its connections.
const OTHER_FILES: u64 = 32;

/// An open connection.
pub(super) type Socket = WebSocket<ClientStream>;

/// Opens connections to an endpoint.
pub(super) struct Opener {
    uri: WsUri,
    connector: Connector,
    /// The endpoint is on this machine's loopback, where every address of 127.0.0.0/8 can be used.
    is_local: bool,
    opened: Cell<u64>,
}

impl Opener {
    /// An opener of so many connections at once.
    ///
    /// # Errors
    /// When the URL is none, or the process may not have so many files.
    pub(super) fn new(args: &BenchArgs, connections: u64) -> Result<Rc<Self>, String> {
        let uri: WsUri = args.url.parse().map_err(|e| format!("{}: {e}", args.url))?;
        let wanted = connections + OTHER_FILES;
        match rlimit::increase_nofile_limit(wanted) {
            Ok(limit) if limit < wanted => {
                return Err(format!(
                    "{connections} connections need {wanted} open files, and this process may have {limit}; raise the hard \
                     limit (ulimit -Hn), or open fewer"
                ));
            }
            // Where the limit cannot be told, opening fails when it is reached.
            _ => {}
        }
        let is_local = uri.host().parse::<Ipv4Addr>().is_ok_and(|host| host.is_loopback());
        Ok(Rc::new(Self { uri, connector: connector(&args.way)?, is_local, opened: Cell::new(0) }))
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// A sentence that says what failed.
    pub(super) async fn open(&self) -> Result<Socket, String> {
        let nth = self.opened.replace(self.opened.get() + 1);
        let opened = match self.local_address(nth) {
            None => self.connector.connect(self.uri.clone()).await,
            local_address => {
                let connector = Connector { local_address, ..self.connector.clone() };
                connector.connect(self.uri.clone()).await
            }
        };
        opened.map(|(socket, _)| socket).map_err(|e| e.to_string())
    }

    /// Where the `nth` connection comes from; without an answer, the operating system chooses.
    fn local_address(&self, nth: u64) -> Option<IpAddr> {
        let address = u8::try_from(nth / PER_ADDRESS % ADDRESSES).ok().filter(|address| *address > 0)?;
        self.is_local.then_some(Ipv4Addr::new(127, 0, 0, 1 + address).into())
    }

    /// Opens so many connections, some at a time.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub(super) async fn open_all(self: &Rc<Self>, count: u32) -> Result<Vec<Socket>, String> {
        let mut sockets = Vec::with_capacity(count as usize);
        let mut opening = JoinSet::new();
        for _ in 0..count {
            if opening.len() >= OPENING {
                sockets.extend(opened(&mut opening).await?);
            }
            let opener = Rc::clone(self);
            opening.spawn_local(async move { opener.open().await });
        }
        while !opening.is_empty() {
            sockets.extend(opened(&mut opening).await?);
        }
        Ok(sockets)
    }
}

async fn opened(opening: &mut JoinSet<Result<Socket, String>>) -> Result<Option<Socket>, String> {
    opening.join_next().await.transpose().map_err(|e| e.to_string())?.transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::WayArgs;

    fn opener(url: &str) -> Rc<Opener> {
        Opener::new(&BenchArgs { url: url.into(), json: true, way: WayArgs::default() }, 1).unwrap()
    }

    #[test]
    fn an_address_of_loopback_has_so_many_connections() {
        let address = |last| Some(IpAddr::from([127, 0, 0, last]));
        let local = opener("ws://127.0.0.1:1/");
        for (nth, expected) in [
            (0, None),
            (19_999, None),
            (20_000, address(2)),
            (39_999, address(2)),
            (40_000, address(3)),
            (4_000_000, None),
        ] {
            assert_eq!(local.local_address(nth), expected, "{nth}");
        }
        assert_eq!(opener("ws://192.0.2.1/").local_address(20_000), None);
        assert_eq!(opener("ws://localhost/").local_address(20_000), None);
    }

    #[test]
    fn more_files_than_there_can_be_are_refused_at_once() {
        let args = BenchArgs { url: "ws://127.0.0.1/".into(), json: true, way: WayArgs::default() };
        let error = Opener::new(&args, u64::MAX / 2).err().unwrap();
        assert!(error.contains("open files") && error.contains("ulimit"), "{error}");
    }
}
