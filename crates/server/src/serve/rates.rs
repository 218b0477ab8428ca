//! How often something comes from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Addresses that are remembered at most. Beyond that the oldest knowledge is dropped, in favour of those who come.
const ADDRESSES: usize = 100_000;

/// How often those who have rested are forgotten.
const SWEEP: Duration = Duration::from_secs(1);

/// So many in such a time. All of them may come at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Not 0.
    pub(crate) count: u32,
    pub(crate) period: Duration,
}

/// For each address, when it would have used up what it had, had it kept to the rate. To be asked with one rate, always the same.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    due: HashMap<IpAddr, Instant>,
    swept: Option<Instant>,
}

impl Rates {
    /// Counts one more, if it may come.
    pub(crate) fn allow(&mut self, address: IpAddr, now: Instant, rate: Rate) -> bool {
        let is_allowed = self.wait(address, now, rate).is_none();
        if is_allowed {
            self.count(address, now, rate);
        }
        is_allowed
    }

    /// How long it is until one more may come from an address; nothing if it may come now.
    pub(crate) fn wait(&self, address: IpAddr, now: Instant, rate: Rate) -> Option<Duration> {
        let due = self.due.get(&subnet(address)).map_or(now, |due| (*due).max(now));
        let next = due + rate.period / rate.count;
        next.checked_duration_since(now + rate.period).filter(|wait| !wait.is_zero())
    }

    /// Counts one more.
    pub(crate) fn count(&mut self, address: IpAddr, now: Instant, rate: Rate) {
        // One who has rested has everything again: it need not be remembered.
        if self.swept.is_none_or(|swept| swept + SWEEP <= now) || self.due.len() >= ADDRESSES {
            self.due.retain(|_, due| *due > now);
            self.swept = Some(now);
        }
        if self.due.len() >= ADDRESSES {
            self.due.clear();
        }
        let due = self.due.entry(subnet(address)).or_insert(now);
        *due = (*due).max(now) + rate.period / rate.count;
    }
}

/// Whoever has an IPv6 address has a whole /64 of them (RFC 6177 §2).
fn subnet(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}
