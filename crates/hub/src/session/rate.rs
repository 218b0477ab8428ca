//! How many commands a client may send: the generic cell rate algorithm, one instant of state.

use std::time::{Duration, Instant};

/// A limit of so many a second, of which a second's worth may come at once.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// When the client would have used up what it had, had it kept to the rate.
    due: Option<Instant>,
}

impl Rate {
    /// Whether one more may come. `limit` a second; 0 is no limit.
    pub(super) fn allows(&mut self, now: Instant, limit: u32) -> bool {
        if limit == 0 {
            return true;
        }
        let second = Duration::from_secs(1);
        let due = self.due.map_or(now, |due| due.max(now));
        let next = due + second / limit;
        if next > now + second {
            return false;
        }
        self.due = Some(next);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_commands_may_come_at_once_and_then_at_the_rate() {
        let start = Instant::now();
        let mut rate = Rate::default();
        assert_eq!((0..20).filter(|_| rate.allows(start, 10)).count(), 10);
        let later = start + Duration::from_millis(100);
        assert!(rate.allows(later, 10));
        assert!(!rate.allows(later, 10));
        let rested = start + Duration::from_secs(60);
        assert_eq!((0..20).filter(|_| rate.allows(rested, 10)).count(), 10);
        assert!((0..1000).all(|_| rate.allows(start, 0)));
    }
}
