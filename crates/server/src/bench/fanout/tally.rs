//! Who has got what: every publication is to reach every subscriber, once and in order.

use std::collections::VecDeque;
use std::time::Instant;

use crate::bench::histogram::Histogram;

/// Counts what reaches subscribers.
///
/// Publications are numbered from 1. Number 0 is a *probe*: a subscriber has joined once it has got one.
#[derive(Debug)]
pub(super) struct Tally {
    /// For each subscriber the number that comes next; 0 before it has joined.
    next: Vec<u64>,
    joined: usize,
    /// The number of the first publication in `under_way`.
    first: u64,
    under_way: VecDeque<UnderWay>,
    /// Deliveries that count.
    pub(super) deliveries: u64,
    /// Whether they do.
    pub(super) is_counting: bool,
    /// Deliveries that did not come.
    pub(super) lost: u64,
    /// Deliveries that came again, or after a later one.
    pub(super) repeated: u64,
    /// From a publication to its last delivery.
    pub(super) latencies: Histogram,
}

/// A publication that has not reached everybody.
#[derive(Debug)]
struct UnderWay {
    sent: Instant,
    /// Subscribers that have it, or have got a later one.
    settled: usize,
    is_lost: bool,
}

impl Tally {
    pub(super) fn new(subscribers: usize) -> Self {
        Self {
            next: vec![0; subscribers],
            joined: 0,
            first: 1,
            under_way: VecDeque::new(),
            deliveries: 0,
            is_counting: false,
            lost: 0,
            repeated: 0,
            latencies: Histogram::default(),
        }
    }

    /// Subscribers that have joined.
    pub(super) fn joined(&self) -> usize {
        self.joined
    }

    /// Whether all have.
    pub(super) fn is_complete(&self) -> bool {
        self.joined == self.next.len()
    }

    /// Publications that have not reached everybody.
    pub(super) fn outstanding(&self) -> usize {
        self.under_way.len()
    }

    /// Publications so far.
    pub(super) fn published(&self) -> u64 {
        self.first - 1 + self.under_way.len() as u64
    }

    /// A publication goes out now. Gives its number.
    pub(super) fn publish(&mut self) -> u64 {
        self.under_way.push_back(UnderWay { sent: Instant::now(), settled: 0, is_lost: false });
        self.published()
    }

    /// A publication has reached a subscriber. Says whether one more may go out for it.
    pub(super) fn deliver(&mut self, subscriber: usize, number: u64) -> bool {
        let next = self.next[subscriber];
        if next == 0 || number == 0 {
            // A subscriber that has joined gets further probes until all have.
            if next == 0 {
                self.next[subscriber] = number + 1;
                self.joined += 1;
            }
            return self.is_complete();
        }
        if number < next || number > self.published() {
            self.repeated += 1;
            return false;
        }
        for skipped in next..number {
            self.lost += 1;
            self.settle(skipped, true);
        }
        self.next[subscriber] = number + 1;
        self.deliveries += u64::from(self.is_counting);
        self.settle(number, false);
        let before = self.under_way.len();
        while self.under_way.front().is_some_and(|oldest| oldest.settled == self.next.len()) {
            self.under_way.pop_front();
            self.first += 1;
        }
        self.under_way.len() < before
    }

    fn settle(&mut self, number: u64, is_lost: bool) {
        let at = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let Some(publication) = at.and_then(|at| self.under_way.get_mut(at)) else { return };
        publication.settled += 1;
        publication.is_lost |= is_lost;
        if publication.settled == self.next.len() && !publication.is_lost {
            self.latencies.record(publication.sent.elapsed());
        }
    }

    /// Nothing more is waited for: what has not come is lost.
    pub(super) fn give_up(&mut self) {
        let all = self.next.len() as u64;
        self.lost +=
            self.under_way.drain(..).map(|publication| all - publication.settled as u64).sum::<u64>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two subscribers that have joined, and three publications.
    fn tally() -> Tally {
        let mut tally = Tally::new(2);
        assert!(!tally.deliver(0, 0));
        assert!(!tally.deliver(0, 0));
        assert_eq!((tally.joined(), tally.is_complete()), (1, false));
        assert!(tally.deliver(1, 0));
        tally.is_counting = true;
        assert_eq!([tally.publish(), tally.publish(), tally.publish()], [1, 2, 3]);
        tally
    }

    fn counts(tally: &Tally) -> [u64; 5] {
        let Tally { deliveries, lost, repeated, latencies, .. } = tally;
        [*deliveries, *lost, *repeated, latencies.count(), tally.outstanding() as u64]
    }

    #[test]
    fn what_reaches_everybody_in_order_is_complete() {
        let mut tally = tally();
        for (subscriber, number, completes) in
            [(0, 1, false), (0, 2, false), (1, 1, true), (1, 2, true), (1, 3, false), (0, 3, true)]
        {
            assert_eq!(tally.deliver(subscriber, number), completes, "{subscriber} {number}");
        }
        assert_eq!(counts(&tally), [6, 0, 0, 3, 0]);
        assert_eq!(tally.publish(), 4);
    }

    #[test]
    fn what_is_skipped_or_comes_again_is_counted() {
        for (deliveries, expected) in [
            // Subscriber 1 never gets 2.
            (&[(0, 1), (0, 2), (0, 3), (1, 1), (1, 3)][..], [5, 1, 0, 2, 0]),
            (&[(0, 1), (0, 1)], [1, 0, 1, 0, 3]),
            (&[(0, 2), (0, 1)], [1, 1, 1, 0, 3]),
            (&[(0, 4)], [0, 0, 1, 0, 3]),
            // Probes that are late are nothing.
            (&[(0, 1), (0, 0), (0, 2)], [2, 0, 0, 0, 3]),
        ] {
            let mut tally = tally();
            for (subscriber, number) in deliveries {
                tally.deliver(*subscriber, *number);
            }
            assert_eq!(counts(&tally), expected, "{deliveries:?}");
        }
    }

    #[test]
    fn what_never_comes_is_lost_in_the_end() {
        let mut tally = tally();
        tally.deliver(0, 1);
        tally.deliver(0, 2);
        tally.give_up();
        assert_eq!((tally.lost, tally.outstanding()), (4, 0));
    }
}
