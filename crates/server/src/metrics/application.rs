//! The application behind the server: hooks and events.

use std::fmt;
use std::time::Duration;

use super::hub::count;
use super::page::Page;
use crate::backend::{EventStats, HookStats};
use crate::serve::Application;

pub(super) fn write(page: &mut Page<'_>, application: &Application) -> fmt::Result {
    let hooks = application.backend.stats();
    let outcomes = |hook: &HookStats| {
        let HookStats { answered, failed, turned_away, .. } = *hook;
        let kind = hook.kind;
        let name = hook.name.clone();
        [("answered", answered), ("failed", failed), ("turned_away", turned_away)].map(
            move |(outcome, count)| {
                ([("hook", kind.to_owned()), ("name", name.clone()), ("outcome", outcome.to_owned())], count)
            },
        )
    };
    page.counters(
        "antiphon_hook_requests_total",
        "Questions to the application; failed had no answer of use, turned_away were not asked for want of room",
        hooks.iter().flat_map(outcomes),
    )?;
    let labels = |hook: &HookStats| [("hook", hook.kind.to_owned()), ("name", hook.name.clone())];
    page.counters(
        "antiphon_hook_seconds_total",
        "Seconds that answers and failures of the application took together",
        hooks.iter().map(|hook| (labels(hook), Duration::from_micros(hook.micros).as_secs_f64())),
    )?;
    page.gauges(
        "antiphon_hook_requests_in_flight",
        "Questions to the application that wait for an answer",
        hooks.iter().map(|hook| (labels(hook), count(hook.under_way))),
    )?;
    events(page, application)
}

fn events(page: &mut Page<'_>, application: &Application) -> fmt::Result {
    let stats = application.events.as_ref().map(|events| events.stats()).unwrap_or_default();
    let EventStats { told, delivered, dropped, waiting, batches, retries } = stats;
    page.counter("antiphon_events_told_total", "Events that the application is to be told of", told)?;
    page.counter("antiphon_events_delivered_total", "Events that the application took", delivered)?;
    page.counter("antiphon_events_dropped_total", "Events that the application will never get", dropped)?;
    page.counter("antiphon_event_batches_total", "Batches of events that the application took", batches)?;
    page.counter("antiphon_event_retries_total", "Batches of events that were posted again", retries)?;
    page.gauge("antiphon_events_waiting", "Events that wait to be told", count(waiting))
}
