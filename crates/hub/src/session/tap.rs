//! What passes at the edge of a session, for whoever looks on. Where nobody does, that is one branch.

use std::sync::Arc;
use std::time::Duration;

use super::exhibit::address;
use super::{Origin, Session, Tie};
use crate::inspect::{Direction, Trace, commands, replies};
use crate::protocol::Disconnect;

impl Tie<'_> {
    /// Something that many are told was queued for this client. False where nobody looks on any more.
    pub fn trace(self, message: &[u8]) -> bool {
        said(self.0, message);
        self.0.is_traced.get()
    }
}

/// A message has come.
pub(super) fn heard(session: &Session, message: &[u8]) {
    session.heard.set(session.heard.get() + 1);
    if session.is_traced.get() {
        push(session, Direction::In, &commands(session.origin.encoding, message), message.len());
    }
}

/// A message is sent.
pub(super) fn said(session: &Session, message: &[u8]) {
    if session.is_traced.get() {
        push(session, Direction::Out, &replies(session.origin.encoding, message), message.len());
    }
}

/// The client goes on over another transport, from there.
pub(super) fn changed(session: &Session, origin: &Origin) {
    let mut state = session.state.borrow_mut();
    let before = (session.transport.get(), address(session, &state));
    let origin = Origin { remote: origin.remote.map(|remote| remote.to_canonical()), ..origin.clone() };
    state.dossier.carry(session.node.clock.unix_ms(), before, &origin);
    drop(state);
    happened(session, || {
        let from = origin.remote.map_or(String::new(), |remote| format!(" from {remote}"));
        format!("it goes on over {}{from}, after {}", origin.transport.name(), before.0.name())
    });
}

/// The client has no transport any more.
pub(super) fn waits(session: &Session, ttl: Duration) {
    happened(session, || format!("its transport has gone; the session waits for it for {} s", ttl.as_secs()));
}

/// The transport is given up.
pub(super) fn dropped(session: &Session, disconnect: &Disconnect) {
    happened(session, || format!("its transport is given up: {} {}", disconnect.code, disconnect.reason));
}

/// The session has ended. Nothing more is to come; it can be read why.
pub(super) fn ended(session: &Session, disconnect: &Disconnect) {
    happened(session, || format!("it ended: {} {}", disconnect.code, disconnect.reason));
    if let Some(trace) = session.state.borrow().dossier.trace() {
        trace.end(session.node.clock.unix_ms());
    }
}

fn happened(session: &Session, what: impl FnOnce() -> String) {
    if session.is_traced.get() {
        push(session, Direction::Event, &what(), 0);
    }
}

#[cold]
fn push(session: &Session, direction: Direction, text: &str, size: usize) {
    let now = session.node.clock.unix_ms();
    let push = |trace: &Arc<Trace>| trace.push(now, direction, text, size);
    let is_taken = session.state.borrow().dossier.trace().is_some_and(push);
    if !is_taken {
        session.is_traced.set(false);
        // What was held for a subscription is let through while the session looks at that: then the trace goes with the session.
        if let Ok(mut state) = session.state.try_borrow_mut() {
            state.dossier.set_trace(None);
        }
    }
}
