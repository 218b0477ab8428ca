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

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { count: 3, period: Duration::from_secs(30) };

    #[test]
    fn whoever_has_used_up_its_share_waits_for_the_next() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        let [one, other] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
        let wait = |rates: &Rates, address, seconds| {
            rates.wait(address, start + Duration::from_secs(seconds), RATE).map(|wait| wait.as_secs())
        };
        for _ in 0..3 {
            assert_eq!(wait(&rates, one, 0), None);
            rates.count(one, start, RATE);
        }
        assert_eq!(
            (wait(&rates, one, 0), wait(&rates, one, 4), wait(&rates, one, 10)),
            (Some(10), Some(6), None)
        );
        assert_eq!(wait(&rates, other, 0), None);
        // What is counted beyond the share is to be waited for as well.
        rates.count(one, start, RATE);
        assert_eq!(wait(&rates, one, 0), Some(20));
    }

    #[test]
    fn no_more_addresses_are_remembered_than_there_may_be() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        for n in 0..ADDRESSES + 5 {
            let address = Ipv6Addr::from_bits(u128::from(n as u64) << 64);
            rates.count(address.into(), now, RATE);
        }
        assert_eq!(rates.due.len(), 5);
    }
}
