//! What is to be looked at, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Things in the order of the moments at which they are to be looked at.
#[derive(Debug)]
pub(super) struct Alarms<T>(BinaryHeap<Reverse<(u64, T)>>);

impl<T: Ord> Alarms<T> {
    /// Looks at `what` at a moment.
    pub(super) fn set(&mut self, at: u64, what: T) {
        self.0.push(Reverse((at, what)));
    }

    /// The earliest whose moment has come.
    pub(super) fn pop_due(&mut self, now: u64) -> Option<(u64, T)> {
        let Reverse((at, _)) = self.0.peek()?;
        if *at > now { None } else { self.pop() }
    }

    /// The earliest.
    pub(super) fn pop(&mut self) -> Option<(u64, T)> {
        self.0.pop().map(|Reverse(alarm)| alarm)
    }

    /// Forgets those that are not wanted any more, and gives back the room.
    pub(super) fn retain(&mut self, wanted: impl Fn(u64, &T) -> bool) {
        self.0.retain(|Reverse((at, what))| wanted(*at, what));
        self.shrink();
    }

    /// Gives back room, where most of it is free.
    pub(super) fn shrink(&mut self) {
        if self.0.capacity() > 4 * self.0.len() + 64 {
            self.0.shrink_to(2 * self.0.len());
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T: Ord> Default for Alarms<T> {
    fn default() -> Self {
        Self(BinaryHeap::new())
    }
}
