//! One part of a long list.

use std::collections::BTreeMap;

use super::{AdminError, Page, cursor};

/// Where an entry stands in a list: by a rank, the lowest first, and where that is the same by its name.
pub(super) type Place = (u64, String);

/// The part of a list that a [`Page`] asks for, picked out of entries that are seen in any order. No more than that is kept of them.
pub(super) struct Part<T> {
    page: Page<Place>,
    picked: BTreeMap<Place, T>,
    has_more: bool,
    total: usize,
}

impl<T> Part<T> {
    pub(super) fn new(page: Page<Place>) -> Self {
        Self { page, picked: BTreeMap::new(), has_more: false, total: 0 }
    }

    /// Sees an entry. A name must not come twice.
    pub(super) fn see(&mut self, rank: u64, name: &str, entry: T) {
        self.total += 1;
        let place = (rank, name);
        if self.page.after.as_ref().is_some_and(|(rank, name)| place <= (*rank, name)) {
            return;
        }
        if self.picked.len() >= self.page.limit {
            self.has_more = true;
            if self.picked.last_key_value().is_some_and(|((rank, name), _)| place >= (*rank, name)) {
                return;
            }
            self.picked.pop_last();
        }
        self.picked.insert((rank, name.to_owned()), entry);
    }

    /// How many entries were seen.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// Where the next part begins, if there is one.
    ///
    /// # Errors
    /// 500: it cannot be written.
    pub(super) fn next(&self) -> Result<Option<String>, AdminError> {
        let last = self.picked.last_key_value().filter(|_| self.has_more);
        last.map(|(place, _)| cursor(place)).transpose()
    }

    /// The entries, in their order, with their names.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (String, T)> {
        self.picked.into_iter().map(|((_, name), entry)| (name, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks a list of `count` entries, of which three always have the same rank.
    fn walk(count: u64, limit: usize) -> Vec<(u64, usize)> {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let mut part = Part::new(Page { limit, after });
            // From the last to the first.
            (0..count).rev().for_each(|n| part.see(n / 3, &format!("{n:04}"), n));
            assert_eq!(part.total() as u64, count);
            let last = part.picked.last_key_value().map(|(place, _)| place.clone());
            let has_next = part.next().unwrap().is_some();
            let entries: Vec<u64> = part.into_entries().map(|(_, n)| n).collect();
            seen.extend(entries.iter().map(|n| (*n, entries.len())));
            if !has_next {
                return seen;
            }
            after = last;
        }
    }

    #[test]
    fn every_entry_is_in_one_part_and_in_order() {
        for (count, limit) in [(0, 1), (1, 1), (7, 1), (7, 3), (9, 3), (1000, 500), (1001, 500), (3, 500)] {
            let seen = walk(count, limit);
            assert!(seen.iter().map(|(n, _)| *n).eq(0..count), "{count} by {limit}: {seen:?}");
            assert!(seen.iter().all(|(_, size)| *size <= limit), "{count} by {limit}");
        }
    }

    #[test]
    fn what_is_gone_does_not_disturb_the_rest() {
        let mut part = Part::new(Page { limit: 2, after: Some((1, "b".into())) });
        for (rank, name) in [(0, "z"), (1, "a"), (1, "c"), (2, "a"), (3, "a")] {
            part.see(rank, name, ());
        }
        assert!(part.next().unwrap().is_some());
        let names: Vec<_> = part.into_entries().map(|(name, ())| name).collect();
        assert_eq!(names, ["c", "a"]);
    }
}
