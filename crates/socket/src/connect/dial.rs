//! From a host and a port to a TCP connection: Happy Eyeballs (RFC 8305).

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use std::{fmt, io};

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep_until};

use super::error::{Attempt, EnvironmentFault};
use super::host::Host;

/// How long one address has for itself before the next is tried beside it (RFC 8305 §5 recommends 250 ms).
const STAGGER: Duration = Duration::from_millis(250);

/// How many addresses of one name are tried; who owns the name decides how many there are.
const MAX_ADDRESSES: usize = 16;

/// The answer of a [`Resolve`].
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// What turns a name into addresses, in order of preference. Literal addresses never come here.
pub trait Resolve: fmt::Debug + Send + Sync {
    /// The addresses of `host`, each with `port`.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a>;
}

/// The resolver of the operating system, on a thread of tokio's.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// The addresses of `host`, families interleaved.
pub(super) async fn look_up(
    resolver: &dyn Resolve,
    host: &Host,
    port: u16,
) -> Result<Vec<SocketAddr>, EnvironmentFault> {
    let name = match host {
        Host::Address(address) => return Ok(vec![SocketAddr::new(*address, port)]),
        Host::Name(name) => name,
    };
    let found = resolver
        .resolve(name, port)
        .await
        .map_err(|source| EnvironmentFault::LookUp { host: name.clone(), source })?;
    if found.is_empty() {
        return Err(EnvironmentFault::NoAddress { host: name.clone() });
    }
    Ok(interleave(&found))
}

/// Opens a TCP connection from `local` to the first of `addresses` that takes it.
pub(super) async fn dial(
    host: &Host,
    port: u16,
    addresses: &[SocketAddr],
    deadline: Instant,
    nodelay: bool,
    local: Option<IpAddr>,
) -> Result<(TcpStream, SocketAddr), EnvironmentFault> {
    let connected = race(addresses, deadline, |address| connect(local, address)).await;
    let (stream, address) =
        connected.map_err(|attempts| EnvironmentFault::Dial { host: host.clone(), port, attempts })?;
    stream.set_nodelay(nodelay).map_err(|error| EnvironmentFault::Dial {
        host: host.clone(),
        port,
        attempts: vec![Attempt { address, error }],
    })?;
    Ok((stream, address))
}

async fn connect(local: Option<IpAddr>, address: SocketAddr) -> io::Result<TcpStream> {
    let Some(local) = local else { return TcpStream::connect(address).await };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind(SocketAddr::new(local, 0))?;
    socket.connect(address).await
}

/// Alternates between the families, beginning with that of the first address (RFC 8305 §4), whom the resolver prefers.
fn interleave(found: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (mut these, mut others): (VecDeque<_>, VecDeque<_>) =
        found.iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut order = Vec::with_capacity(found.len().min(MAX_ADDRESSES));
    while order.len() < MAX_ADDRESSES {
        let Some(address) = these.pop_front().or_else(|| others.pop_front()) else { break };
        order.push(address);
        std::mem::swap(&mut these, &mut others);
    }
    order
}

/// Runs `dial` on each address, the next one 250 ms after the one before, or at once when an attempt has failed. The first
/// success wins and the other attempts are dropped; without one, every attempt's error comes back.
async fn race<T, F>(
    addresses: &[SocketAddr],
    deadline: Instant,
    dial: impl Fn(SocketAddr) -> F,
) -> Result<(T, SocketAddr), Vec<Attempt>>
where
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = addresses.iter().copied();
    let mut running: Vec<(SocketAddr, Pin<Box<F>>)> = Vec::with_capacity(addresses.len());
    let mut failed = Vec::new();
    let mut next = pin!(sleep_until(Instant::now()));
    let mut end = pin!(sleep_until(deadline));
    poll_fn(|cx| {
        loop {
            let mut at = 0;
            let mut failed_now = false;
            while let Some((address, attempt)) = running.get_mut(at) {
                match attempt.as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Ok((stream, *address))),
                    Poll::Ready(Err(error)) => {
                        failed.push(Attempt { address: *address, error });
                        running.remove(at);
                        failed_now = true;
                    }
                }
            }
            if end.as_mut().poll(cx).is_ready() {
                let late = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
                failed.extend(running.drain(..).map(|(address, _)| Attempt { address, error: late() }));
                return Poll::Ready(Err(std::mem::take(&mut failed)));
            }
            let due = failed_now || next.as_mut().poll(cx).is_ready();
            match waiting.len() == 0 {
                true if running.is_empty() => return Poll::Ready(Err(std::mem::take(&mut failed))),
                false if due => {
                    running.extend(waiting.next().map(|address| (address, Box::pin(dial(address)))));
                    next.as_mut().reset(Instant::now() + STAGGER);
                }
                _ => return Poll::Pending,
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests;
