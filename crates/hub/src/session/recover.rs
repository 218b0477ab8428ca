//! What a subscriber is given of what it missed.

use std::sync::Arc;

use crate::engine::{History, HistoryQuery, Publication};
use crate::filter::FilterNode;
use crate::options::RecoveryMode;
use crate::protocol::Position;

/// What a subscriber asks to recover.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) mode: RecoveryMode,
    /// The last publication that the client has.
    pub(super) since: Position,
    /// The most publications that are given.
    pub(super) limit: usize,
    /// The most bytes of them: an answer that cannot be sent would be asked for again and again.
    pub(super) bytes: usize,
}

/// What it gets.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Recovery {
    /// Whether `publications` is all that was missed.
    pub(super) is_complete: bool,
    pub(super) publications: Vec<Arc<Publication>>,
}

impl Wish {
    /// What the engine is asked for.
    pub(super) fn query(&self, has_filter: bool) -> HistoryQuery {
        let limit = (self.limit > 0).then_some(self.limit);
        match self.mode {
            RecoveryMode::Stream => {
                HistoryQuery { since: Some(self.since.clone()), limit, ..HistoryQuery::default() }
            }
            // The newest that passes the filter may not be the newest of all.
            RecoveryMode::Cache if has_filter => {
                HistoryQuery { limit, reverse: true, ..HistoryQuery::default() }
            }
            RecoveryMode::Cache => HistoryQuery { limit: Some(1), reverse: true, ..HistoryQuery::default() },
        }
    }

    /// What comes of the engine's answer.
    pub(super) fn recover(&self, history: &History, filter: Option<&FilterNode>) -> Recovery {
        let passes =
            |publication: &&Arc<Publication>| filter.is_none_or(|filter| filter.matches(&publication.tags));
        match self.mode {
            RecoveryMode::Stream => {
                let publications: Vec<_> = history.publications.iter().filter(passes).cloned().collect();
                if !self.is_whole(history) || fitting(&publications, self.bytes) < publications.len() {
                    return Recovery::default();
                }
                Recovery { is_complete: true, publications }
            }
            RecoveryMode::Cache => {
                let is_current = self.since.offset > 0 && self.since == history.position;
                let newest = history.publications.first();
                let has_newest = newest.is_some_and(|newest| newest.offset == history.position.offset);
                let publications = match is_current || !has_newest {
                    true => Vec::new(),
                    false => history.publications.iter().find(passes).cloned().into_iter().collect(),
                };
                Recovery { is_complete: is_current || has_newest, publications }
            }
        }
    }

    /// Whether the answer has every publication from the wish's position to the stream's.
    fn is_whole(&self, History { publications, position }: &History) -> bool {
        if !self.since.epoch.is_empty() && self.since.epoch != position.epoch {
            return false;
        }
        match (publications.first(), publications.last()) {
            (Some(first), Some(last)) => {
                first.offset == self.since.offset + 1 && last.offset == position.offset
            }
            _ => self.since.offset == position.offset,
        }
    }
}

/// How many of the first publications have at most so many bytes.
pub(super) fn fitting(publications: &[Arc<Publication>], bytes: usize) -> usize {
    let mut sum = 0;
    let fits = |publication: &&Arc<Publication>| {
        sum += weight(publication);
        sum <= bytes
    };
    publications.iter().take_while(fits).count()
}

/// About as many bytes as a publication takes in an answer.
fn weight(publication: &Publication) -> usize {
    /// Names of fields, offset, time.
    const FRAME: usize = 64;
    let tags: usize = publication.tags.iter().map(|(key, value)| key.len() + value.len() + 6).sum();
    let info = publication.info.as_deref();
    let info = info.map_or(0, |info| 64 + info.user.len() + info.conn_info.len() + info.chan_info.len());
    FRAME + publication.data.bytes().len() + tags + info
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Data;

    fn history(offsets: std::ops::RangeInclusive<u64>, top: u64) -> History {
        let publications = offsets.map(|offset| {
            let tags = [("parity".to_owned(), (offset % 2).to_string())].into();
            Arc::new(Publication { data: Data::Json("1".into()), info: None, tags, offset, time: 0 })
        });
        History { publications: publications.collect(), position: at(top, "e") }
    }

    fn at(offset: u64, epoch: &str) -> Position {
        Position { offset, epoch: epoch.into() }
    }

    fn even() -> FilterNode {
        FilterNode { key: "parity".into(), cmp: "eq".into(), val: "0".into(), ..FilterNode::default() }
    }

    #[expect(clippy::reversed_empty_ranges, reason = "it stands for no publications")]
    const NONE: std::ops::RangeInclusive<u64> = 1..=0;

    #[test]
    fn a_stream_is_recovered_whole_or_not_at_all() {
        for (since, history, expected) in [
            (at(2, "e"), history(3..=5, 5), Some(vec![3, 4, 5])),
            (at(5, "e"), history(NONE, 5), Some(vec![])),
            (at(2, ""), history(3..=5, 5), Some(vec![3, 4, 5])),
            (at(0, ""), history(NONE, 0), Some(vec![])),
            (at(0, "e"), history(1..=1, 1), Some(vec![1])),
            // Another stream.
            (at(2, "x"), history(3..=5, 5), None),
            (at(5, "x"), history(NONE, 5), None),
            // The first missed one is gone.
            (at(1, "e"), history(3..=5, 5), None),
            // All are gone.
            (at(1, "e"), history(NONE, 5), None),
            // More than the limit.
            (at(2, "e"), history(3..=4, 5), None),
            // From the future.
            (at(9, "e"), history(NONE, 5), None),
        ] {
            let wish = Wish { mode: RecoveryMode::Stream, since, limit: 300, bytes: usize::MAX };
            let recovery = wish.recover(&history, None);
            let offsets =
                recovery.publications.iter().map(|publication| publication.offset).collect::<Vec<_>>();
            assert_eq!(recovery.is_complete.then_some(offsets), expected, "{wish:?}");
        }
    }

    #[test]
    fn what_is_too_long_for_one_answer_is_not_recovered() {
        let missed = history(3..=5, 5);
        let one = weight(&missed.publications[0]);
        for (bytes, expected) in [(3 * one, true), (3 * one - 1, false), (0, false)] {
            let wish = Wish { mode: RecoveryMode::Stream, since: at(2, "e"), limit: 300, bytes };
            assert_eq!(wish.recover(&missed, None).is_complete, expected, "{bytes}");
        }
        assert_eq!(
            [0, one, 2 * one - 1, 9 * one].map(|bytes| fitting(&missed.publications, bytes)),
            [0, 1, 1, 3]
        );
    }

    #[test]
    fn a_cache_gives_the_newest_that_passes() {
        for (since, history, filter, expected) in [
            (at(0, ""), history(5..=5, 5), None, (true, vec![5])),
            (at(2, "e"), history(5..=5, 5), None, (true, vec![5])),
            (at(5, "e"), history(5..=5, 5), None, (true, vec![])),
            (at(5, "x"), history(5..=5, 5), None, (true, vec![5])),
            (at(0, ""), history(NONE, 0), None, (false, vec![])),
            (at(5, "e"), history(NONE, 5), None, (true, vec![])),
            (at(4, "e"), history(NONE, 5), None, (false, vec![])),
        ] {
            let wish = Wish { mode: RecoveryMode::Cache, since, limit: 300, bytes: usize::MAX };
            let recovery = wish.recover(&history, filter);
            let offsets = recovery.publications.iter().map(|publication| publication.offset).collect();
            assert_eq!((recovery.is_complete, offsets), expected, "{wish:?}");
        }
        let mut newest_first = history(3..=5, 5);
        newest_first.publications.reverse();
        let wish = Wish { mode: RecoveryMode::Cache, since: at(0, ""), limit: 300, bytes: usize::MAX };
        assert_eq!(wish.recover(&newest_first, Some(&even())).publications[0].offset, 4);
    }

    #[test]
    fn a_filter_leaves_out_what_was_missed_without_a_gap() {
        let wish = Wish { mode: RecoveryMode::Stream, since: at(2, "e"), limit: 300, bytes: usize::MAX };
        let recovery = wish.recover(&history(3..=6, 6), Some(&even()));
        assert!(recovery.is_complete);
        assert_eq!(recovery.publications.iter().map(|p| p.offset).collect::<Vec<_>>(), [4, 6]);
    }
}
