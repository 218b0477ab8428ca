//! A session as the inspector sees it.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Phase, Session, State};
use crate::inspect::{
    Carried, Connection, ConnectionDetail, Filter, Load, Moment, SubscriptionDetail, Trace,
};
use crate::protocol::Encoding;
use crate::wire;

/// A session as the inspector sees it: nothing that it shows changes anything.
pub(crate) struct Exhibit<'a>(&'a Session);

impl Session {
    pub(crate) fn exhibit(&self) -> Exhibit<'_> {
        Exhibit(self)
    }
}

impl Exhibit<'_> {
    pub(crate) fn channel_count(&self) -> usize {
        self.0.state.borrow().subscriptions.len()
    }

    /// Whether it is one of those that are asked for.
    pub(crate) fn matches(&self, filter: &Filter) -> bool {
        let (session, query) = (self.0, &filter.query);
        let state = session.state.borrow();
        if query.transport.is_some_and(|transport| transport != session.transport.get())
            || !query.user.is_empty() && *query.user != *state.who.user
            || !query.client.is_empty() && *query.client != *session.id
            || !query.channel.is_empty() && !state.subscriptions.contains_key(&*query.channel)
        {
            return false;
        }
        let address = address(session, &state);
        filter.takes_address(address)
            && (!filter.is_searching() || is_found(session, &state, address, filter))
    }

    pub(crate) fn connection(&self, load: Load) -> Connection {
        let state = self.0.state.borrow();
        connection(self.0, &state, load)
    }

    pub(crate) fn detail(&self, load: Load, moment: Moment) -> ConnectionDetail {
        let session = self.0;
        let state = session.state.borrow();
        let mut subscriptions: Vec<_> = state
            .subscriptions
            .iter()
            .map(|(channel, subscription)| {
                let start = subscription.released.borrow();
                let held = start.as_ref().and_then(|start| start.position.clone());
                SubscriptionDetail {
                    channel: channel.to_string(),
                    position: held.or_else(|| subscription.seat.position()),
                    is_recoverable: subscription.is_recoverable,
                    sees_joins: subscription.seat.sees_joins(),
                    is_server_side: subscription.is_server_side,
                }
            })
            .collect();
        subscriptions.sort_unstable_by(|one, other| one.channel.cmp(&other.channel));
        let transports = match state.dossier.transports() {
            [] => vec![Carried {
                at: state.dossier.connected_at,
                transport: session.transport.get(),
                address: address(session, &state),
            }],
            several => several.to_vec(),
        };
        let thread = state.thread.as_deref();
        ConnectionDetail {
            connection: connection(session, &state, load),
            subscriptions,
            transports,
            is_resumable: thread.is_some_and(|thread| thread.is_resumable),
            waiting_until: thread.and_then(|thread| thread.lapses).map(|lapses| moment.unix_ms_at(lapses)),
            info: wire::bytes(&state.who.info.conn_info, Encoding::Json),
            expires_at: (state.expire_at > 0).then(|| state.expire_at.saturating_mul(1000)),
            messages_in: session.heard.get(),
            messages_out: load.messages_out,
        }
    }

    /// What passes is written down from now on, or no more. False where the session has ended.
    pub(crate) fn trace(&self, trace: Option<&Arc<Trace>>) -> bool {
        let mut state = self.0.state.borrow_mut();
        if state.phase != Phase::Connected {
            return false;
        }
        state.dossier.set_trace(trace.cloned());
        self.0.is_traced.set(trace.is_some());
        true
    }
}

fn connection(session: &Session, state: &State, load: Load) -> Connection {
    let (name, version) = state.dossier.program();
    Connection {
        client: Arc::clone(&session.id),
        user: Arc::clone(&state.who.user),
        name: name.to_owned(),
        version: version.to_owned(),
        transport: session.transport.get(),
        encoding: session.origin.encoding,
        address: address(session, state),
        connected_at: state.dossier.connected_at,
        is_waiting: state.thread.as_ref().is_some_and(|thread| thread.lapses.is_some()),
        channels: state.subscriptions.len(),
        queue_bytes: load.queue_bytes,
        round_trip: state.pulse.round_trip(),
        is_traced: state.dossier.trace().is_some_and(|trace| trace.is_on()),
    }
}

/// Where the client comes from now.
pub(super) fn address(session: &Session, state: &State) -> Option<IpAddr> {
    let last = state.dossier.transports().last();
    let address = last.map_or(session.origin.remote, |last| last.address);
    address.map(|address| address.to_canonical())
}

fn is_found(session: &Session, state: &State, address: Option<IpAddr>, filter: &Filter) -> bool {
    filter.is_in(&state.who.user)
        || filter.is_in_id(&session.id)
        || filter.is_in(state.dossier.program().0)
        || filter.is_in_address(address)
        || state.subscriptions.keys().any(|channel| filter.is_in(channel))
}
