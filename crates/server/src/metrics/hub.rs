//! Clients, traffic and history.

use std::fmt;

use antiphon_hub::metrics::{COMMANDS, Codes};

use super::page::{PLAIN, Page};
use crate::serve::{Shared, Transport};

pub(super) fn write(page: &mut Page<'_>, shared: &Shared) -> fmt::Result {
    let version = [([("version", env!("CARGO_PKG_VERSION"))], 1)];
    page.gauges("antiphon_build_info", "The version of the server; the value is 1", version)?;
    clients(page, shared)?;
    traffic(page, shared)?;
    errors(page, shared)?;
    history(page, shared)
}

fn clients(page: &mut Page<'_>, shared: &Shared) -> fmt::Result {
    let (node, metrics) = (&shared.node, shared.node.metrics());
    let open =
        Transport::ALL.map(|transport| ([("transport", transport.name())], shared.gate.open(transport)));
    page.gauges("antiphon_connections", "Connections by what the client listens on", open)?;
    page.gauge(
        "antiphon_sessions",
        "Sessions that are found by a secret: those that can be resumed, and those that speak beside a stream",
        count(node.directory().len()),
    )?;
    page.gauge(
        "antiphon_clients",
        "Clients of the client protocol that have connected",
        metrics.clients.value(),
    )?;
    page.gauge(
        "antiphon_users",
        "Users that have clients; all anonymous clients are one user's",
        count(node.users()),
    )?;
    page.gauge(
        "antiphon_subscriptions",
        "Subscriptions of clients to channels",
        metrics.subscriptions.value(),
    )?;
    page.gauge("antiphon_channels", "Channels that have subscribers", count(node.hub().channel_count()))
}

fn traffic(page: &mut Page<'_>, shared: &Shared) -> fmt::Result {
    let metrics = shared.node.metrics();
    let by_method = || COMMANDS.iter().map(|method| [("method", *method)]);
    let counts = metrics.commands.iter().map(|counter| counter.value());
    page.counters("antiphon_commands_total", "Commands of clients that have come", by_method().zip(counts))?;
    let durations = metrics.command_durations.iter().map(|histogram| histogram.values());
    page.histograms(
        "antiphon_command_duration_seconds",
        "How long commands took to be carried out, with the time that hooks took",
        by_method().zip(durations),
    )?;
    page.counter("antiphon_command_bytes_total", "Bytes of commands", metrics.bytes_in.value())?;
    page.counter(
        "antiphon_reply_bytes_total",
        "Bytes of replies, not of publications",
        metrics.bytes_out.value(),
    )?;
    page.counter(
        "antiphon_publications_total",
        "Publications by clients and by the server API",
        metrics.publications.value(),
    )?;
    page.counter(
        "antiphon_deliveries_total",
        "Publications, joins and leaves queued to subscribers, once for each",
        metrics.deliveries.value(),
    )?;
    page.counter(
        "antiphon_delivery_bytes_total",
        "Bytes of publications, joins and leaves queued to subscribers, before compression",
        metrics.delivery_bytes.value(),
    )?;
    page.histograms(
        "antiphon_delivery_lag_seconds",
        "How long publications took to the sockets of subscribers, once for each worker with any",
        [(PLAIN, metrics.delivery_lag.values())],
    )?;
    let outcomes = [("complete", &metrics.recovered), ("incomplete", &metrics.unrecovered)];
    page.counters(
        "antiphon_recoveries_total",
        "Subscriptions that asked for what they had missed; complete got all of it, incomplete none",
        outcomes.map(|(outcome, counter)| ([("outcome", outcome)], counter.value())),
    )?;
    let resumes = [("resumed", &metrics.resumed), ("unknown", &metrics.not_resumed)];
    page.counters(
        "antiphon_resumes_total",
        "Clients that came back for their session; unknown got a new one",
        resumes.map(|(outcome, counter)| ([("outcome", outcome)], counter.value())),
    )?;
    page.counter(
        "antiphon_recovered_publications_total",
        "Publications that recoveries gave",
        metrics.recovered_publications.value(),
    )
}

fn errors(page: &mut Page<'_>, shared: &Shared) -> fmt::Result {
    let metrics = shared.node.metrics();
    page.counters(
        "antiphon_reply_errors_total",
        "Replies that say an error, by its code",
        by_code(&metrics.errors),
    )?;
    page.counters(
        "antiphon_disconnects_total",
        "Ends of connections to the client protocol, by their code; 3000 is the client's wish",
        by_code(&metrics.disconnects),
    )?;
    page.counters(
        "antiphon_unsubscribes_total",
        "Subscriptions that the server ended while the connection went on, by the code",
        by_code(&metrics.unsubscribes),
    )?;
    let slow =
        Transport::ALL.map(|transport| ([("transport", transport.name())], shared.gate.slow(transport)));
    page.counters(
        "antiphon_slow_clients_total",
        "Connections that the server ended because too much waited to be read by them",
        slow,
    )
}

fn by_code(codes: &Codes) -> impl Iterator<Item = ([(&'static str, String); 1], u64)> {
    codes.values().map(|(code, count)| {
        let code = code.map_or_else(|| "other".to_owned(), |code| code.to_string());
        ([("code", code)], count)
    })
}

fn history(page: &mut Page<'_>, shared: &Shared) -> fmt::Result {
    let held = shared.engine.stats();
    page.gauge("antiphon_history_channels", "Channels whose position is kept", count(held.channels))?;
    page.gauge("antiphon_history_publications", "Publications that are kept", count(held.publications))?;
    page.gauge("antiphon_history_bytes", "Memory that the kept publications take", count(held.bytes))
}

/// A count as a value.
pub(super) fn count(count: usize) -> u64 {
    count as u64
}
