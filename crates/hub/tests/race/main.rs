//! The race of those who join, recover and leave with those who publish, in every order of its steps.
//!
//! The steps are those between which a real server's threads and networks may do something else: a publication, a worker's
//! delivery, a turn of a connection's task, the moment at which an engine does what it is asked, and the moment at which its
//! answer arrives.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

#[path = "../common/mod.rs"]
mod common;
mod explore;
mod scene;

use std::panic::{AssertUnwindSafe, catch_unwind};

use antiphon_hub::protocol::Encoding;

use common::Fault;
use explore::explore;
use scene::{Plot, Upset, run};

/// More than any plot here has.
const MOST: usize = 2_000_000;

fn explored(name: &str, plot: &Plot) {
    let count = explore(MOST, |schedule| run(plot, schedule));
    println!("{count:>8} schedules: {name}");
}

#[test]
fn whoever_recovers_has_each_publication_once_and_in_order() {
    for since in 0..=2 {
        explored(
            &format!("recovery from {since}"),
            &Plot { before: 2, since: Some(since), ..Plot::default() },
        );
    }
    explored("no recovery", &Plot { before: 1, since: None, ..Plot::default() });
}

#[test]
fn whoever_has_no_place_in_the_stream_has_what_comes_after_the_answer() {
    explored("no position", &Plot { before: 1, since: None, is_positioned: false, ..Plot::default() });
}

#[test]
fn differences_are_to_what_the_client_has() {
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        let plot =
            Plot { before: 1, since: Some(0), publications: 3, delta: true, encoding, ..Plot::default() };
        explored(&format!("differences in {encoding:?}"), &plot);
    }
}

#[test]
fn whoever_leaves_and_comes_back_goes_on_where_it_was() {
    let plot = Plot { returns: 1, publications: 2, ..Plot::default() };
    explored("back again", &Plot { publications: 1, ..plot });
    explored("back again", &Plot { says_late: false, ..plot });
    explored("back again at once", &Plot { publications: 2, pipelines: true, ..plot });
}

#[test]
fn whoever_is_subscribed_by_the_server_recovers_as_well() {
    explored("by order", &Plot { before: 2, since: Some(1), by_order: true, ..Plot::default() });
}

#[test]
fn whoever_cannot_recover_is_told() {
    for upset in [Upset::Removal, Upset::Rebirth] {
        let plot = Plot { before: 1, publications: 2, upset: Some(upset), ..Plot::default() };
        explored(&format!("{upset:?}"), &Plot { says_late: false, ..plot });
        explored(&format!("{upset:?}"), &Plot { says_late: true, publications: 1, ..plot });
    }
    explored("small history", &Plot { size: 1, ..Plot::default() });
}

#[test]
fn presence_takes_its_time() {
    let slow = &["watch", "add", "remove", "unwatch", "history"];
    let plot =
        Plot { slow, presence: true, publications: 1, returns: 1, says_late: false, ..Plot::default() };
    explored("presence", &plot);
}

/// Scenes that take minutes. `ANTIPHON_LONG=1` plays them.
#[test]
fn more_of_everything_where_there_is_time() {
    if std::env::var_os("ANTIPHON_LONG").is_none() {
        return;
    }
    for since in 0..=2 {
        let plot = Plot { before: 2, since: Some(since), publications: 4, ..Plot::default() };
        explored(&format!("four publications, recovery from {since}"), &plot);
    }
    let plot = Plot { returns: 1, publications: 2, ..Plot::default() };
    explored("two publications, back again", &plot);
    explored("the same with differences", &Plot { delta: true, ..plot });
    explored("the same by and by", &Plot { says_late: false, publications: 3, ..plot });
    explored("back again twice", &Plot { says_late: false, returns: 2, publications: 1, ..plot });
    for upset in [Upset::Removal, Upset::Rebirth] {
        explored(&format!("{upset:?}, back again"), &Plot { upset: Some(upset), publications: 1, ..plot });
    }
}

/// Each broken promise of an engine must be found out: else the scenes above would prove nothing.
#[test]
fn an_engine_that_breaks_a_promise_is_found_out() {
    const SIGNS: [&str; 2] =
        ["nothing was missed, and the client was told so", "at the end the client has everything"];
    for fault in [Fault::HandsOnLater, Fault::AppendsLater, Fault::WatchesLate, Fault::ReadsEarly] {
        let publications = if fault == Fault::AppendsLater { 1 } else { 2 };
        let plot = Plot { fault, publications, slow: &["watch", "history", "append"], ..Plot::default() };
        let outcome = catch_unwind(AssertUnwindSafe(|| explored("broken", &plot)));
        let why = outcome.expect_err(&format!("{fault:?} goes unnoticed"));
        let why =
            why.downcast_ref::<String>().cloned().or(why.downcast_ref::<&str>().map(|&why| why.to_owned()));
        let why = why.unwrap_or_default();
        assert!(SIGNS.iter().any(|sign| why.contains(sign)), "{fault:?} is found out by accident: {why}");
    }
}

#[test]
fn workers_do_not_disturb_each_other() {
    let plot = Plot { clients: 2, publications: 1, slow: &["history"], says_late: false, ..Plot::default() };
    explored("two workers", &plot);
}
