//! Spans of a publication's way.
//!
//! ```text
//! publish ─► engine             on the publisher's worker
//!               └──► fan_out ─► write   on every worker with subscribers
//! ```
//!
//! All are of [`TARGET`] and of the level `TRACE`. As long as no subscriber wants that, each costs a look at an atomic.

use tracing::field::{Empty, display};
use tracing::{Level, Span, span_enabled, trace_span};

use crate::channels::Post;
use crate::engine::{EngineError, Publish, Published};

/// The target of the spans, for filters.
pub const TARGET: &str = module_path!();

/// From when a publication is wanted until the engine has answered.
pub(crate) fn publish(channel: &str, publish: &Publish) -> Span {
    let client = publish.info.as_deref().map(|info| info.client.as_str());
    trace_span!("publish", channel, client, bytes = publish.data.bytes().len(), offset = Empty, error = Empty)
}

/// What came of it.
pub(crate) fn published(publish: &Span, outcome: &Result<Published, EngineError>) {
    match outcome {
        Ok(published) => publish.record("offset", published.position.offset),
        Err(error) => publish.record("error", display(error)),
    };
}

/// What the engine does, the putting into mailboxes included.
pub(crate) fn engine(channel: &str) -> Span {
    trace_span!("engine", channel)
}

/// The span that is entered, where these spans are wanted.
pub(crate) fn current() -> Span {
    if span_enabled!(Level::TRACE) { Span::current() } else { Span::none() }
}

/// The queueing of a publication to one worker's members.
pub(crate) fn fan_out(post: &Post, worker: u16, members: usize) -> Span {
    trace_span!(parent: &post.span, "fan_out", channel = &*post.channel, offset = post.offset(), worker, members)
}

/// The writing to the sockets of everybody for whom something was queued in one turn. It belongs to the first `fan_out` of the turn
/// and follows from the others.
pub(crate) fn write(fan_out: &Span, worker: u16) -> Span {
    trace_span!(parent: fan_out, "write", worker, members = Empty)
}
