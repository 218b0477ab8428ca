//! How many connections come in: in all, and from one address.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use antiphon_hub::metrics::{Counter, Gauge};

use super::rates::{Rate, Rates};

const SECOND: Duration = Duration::from_secs(1);

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    HttpStream,
    Sse,
    Poll,
    EventSource,
    Raw,
    Echo,
}

impl Transport {
    pub(crate) const ALL: [Self; 7] =
        [Self::WebSocket, Self::HttpStream, Self::Sse, Self::Poll, Self::EventSource, Self::Raw, Self::Echo];

    /// As metrics have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::HttpStream => "http_stream",
            Self::Sse => "sse",
            Self::Poll => "poll",
            Self::EventSource => "event_source",
            Self::Raw => "raw",
            Self::Echo => "echo",
        }
    }
}

/// Counts connections.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    open: AtomicUsize,
    /// In the order of [`Transport::ALL`].
    transports: [Tally; Transport::ALL.len()],
    rates: Mutex<Rates>,
}

#[derive(Debug, Default)]
struct Tally {
    open: Gauge,
    slow: Counter,
}

/// Why a connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// There are as many as there may be.
    InAll,
    /// The address opens them too fast.
    FromAddress,
}

/// One connection that is open, for as long as this is held.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    transport: Transport,
}

impl Gate {
    /// Lets a connection in, within `limit` in all and `rate` a second from its address, of which a second's worth may come at once.
    /// 0 is no limit.
    pub(crate) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        transport: Transport,
        now: Instant,
        limit: usize,
        rate: u32,
    ) -> Result<Pass, Full> {
        let rate = (rate > 0).then_some(Rate { count: rate, period: SECOND });
        let is_allowed =
            |rate| self.rates.lock().unwrap_or_else(PoisonError::into_inner).allow(address, now, rate);
        if !rate.is_none_or(is_allowed) {
            return Err(Full::FromAddress);
        }
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        self.tally(transport).open.add(1);
        let pass = Pass { gate: Arc::clone(self), transport };
        if limit > 0 && before >= limit { Err(Full::InAll) } else { Ok(pass) }
    }

    fn tally(&self, transport: Transport) -> &Tally {
        &self.transports[transport as usize]
    }

    /// How many connections are open.
    pub(crate) fn open(&self, transport: Transport) -> i64 {
        self.tally(transport).open.value()
    }

    /// How many connections had to end because the peer read too slowly.
    pub(crate) fn slow(&self, transport: Transport) -> u64 {
        self.tally(transport).slow.value()
    }
}

impl Pass {
    /// Counts that the peer reads too slowly.
    pub(crate) fn is_slow(&self) {
        self.gate.tally(self.transport).slow.add(1);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.open.fetch_sub(1, Ordering::Relaxed);
        self.gate.tally(self.transport).open.add(-1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn so_many_are_open_at_once() {
        let (gate, now) = (Arc::new(Gate::default()), Instant::now());
        let passes: Vec<_> =
            (0..3).map(|_| gate.enter(address("::1"), Transport::Raw, now, 3, 0).unwrap()).collect();
        assert_eq!(gate.enter(address("::1"), Transport::Raw, now, 3, 0).unwrap_err(), Full::InAll);
        assert_eq!(gate.open(Transport::Raw), 3);
        drop(passes);
        assert_eq!(gate.open(Transport::Raw), 0);
        assert!(gate.enter(address("::1"), Transport::Raw, now, 3, 0).is_ok());
    }

    #[test]
    fn each_address_has_its_rate() {
        let (gate, start) = (Arc::new(Gate::default()), Instant::now());
        let come = |from: &str, ms: u64| {
            gate.enter(address(from), Transport::Raw, start + Duration::from_millis(ms), 0, 2).is_ok()
        };
        assert_eq!([come("10.0.0.1", 0), come("10.0.0.1", 0), come("10.0.0.1", 0)], [true, true, false]);
        assert!(come("10.0.0.2", 0));
        assert!(!come("::ffff:10.0.0.1", 0), "the same address, written otherwise");
        assert_eq!([come("10.0.0.1", 500), come("10.0.0.1", 500)], [true, false]);
        assert_eq!(
            [come("2001:db8::1", 0), come("2001:db8::2", 0), come("2001:db8::3", 0)],
            [true, true, false]
        );
        assert!(come("2001:db8:0:1::3", 0));
        assert_eq!(
            [come("10.0.0.1", 5000), come("10.0.0.1", 5000), come("10.0.0.1", 5000)],
            [true, true, false]
        );
    }
}
