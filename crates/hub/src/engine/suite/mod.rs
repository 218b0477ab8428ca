//! What every engine promises, as tests that any engine can be put through.
//!
//! ```ignore
//! #[test]
//! fn keeps_the_promises_of_an_engine() {
//!     antiphon_hub::engine::suite::all(|sink, clock| Arc::new(MyEngine::new(sink, clock)));
//! }
//! ```
//!
//! Each case makes an engine of its own, which must have no channels yet. Answers and deliveries may come late, from any thread.

mod dropping;
mod events;
mod expiry;
mod races;
mod rig;
mod streams;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use self::rig::block_on;
use super::{Engine, Sink};
use crate::clock::ManualClock;

/// Makes an engine without channels.
type Make<'a> = &'a dyn Fn(Arc<dyn Sink>, Arc<ManualClock>) -> Arc<dyn Engine>;

/// Every promise.
///
/// # Panics
/// When one is not kept; or when an answer or a delivery takes more than 30 seconds.
pub fn all(make: impl Fn(Arc<dyn Sink>, Arc<ManualClock>) -> Arc<dyn Engine>) {
    untimed(&make);
    timed(&make);
}

/// The promises that are kept while the clock stands, for an engine whose clock is not the one that it is given.
///
/// # Panics
/// As [`all`].
pub fn untimed(make: impl Fn(Arc<dyn Sink>, Arc<ManualClock>) -> Arc<dyn Engine>) {
    let cases: [fn(Make<'_>); 21] = [
        streams::a_publication_arrives_as_it_was_published,
        streams::offsets_count_from_one_in_each_channel,
        streams::a_channel_that_keeps_none_has_no_position,
        streams::what_is_not_kept_does_not_move_the_stream,
        streams::a_channel_without_a_stream_gets_one_when_it_is_read,
        streams::the_oldest_goes_when_there_is_no_room,
        streams::history_is_what_was_asked_for,
        streams::removed_publications_leave_the_position,
        dropping::a_key_publishes_once,
        dropping::channel_and_key_are_not_run_together,
        dropping::a_key_holds_where_nothing_is_kept,
        dropping::only_newer_versions_are_published,
        dropping::a_repeated_key_outweighs_a_newer_version,
        events::the_publication_before_comes_along,
        events::announcements_keep_their_place,
        events::watching_may_end_and_begin_again,
        races::publishers_do_not_overtake_each_other,
        races::history_has_what_was_handed_on_before,
        races::a_key_publishes_once_though_many_try,
        races::one_of_many_versions_is_the_last,
        races::a_new_stream_has_one_epoch_for_all,
    ];
    cases.iter().for_each(|case| case(&make));
}

/// The promises about what expires.
///
/// # Panics
/// As [`all`].
pub fn timed(make: impl Fn(Arc<dyn Sink>, Arc<ManualClock>) -> Arc<dyn Engine>) {
    let cases: [fn(Make<'_>); 7] = [
        expiry::publications_go_together_when_none_is_added,
        expiry::the_position_outlives_the_publications,
        expiry::a_stream_that_is_not_used_begins_anew,
        expiry::a_stream_without_an_end_stays,
        expiry::each_use_says_how_long_the_stream_stays,
        expiry::a_key_is_forgotten,
        expiry::a_version_lasts_as_long_as_the_position,
    ];
    cases.iter().for_each(|case| case(&make));
}
