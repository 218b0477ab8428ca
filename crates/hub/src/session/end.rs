//! How subscriptions and sessions end.

use std::rc::Rc;

use super::control::push;
use super::{Output, Phase, Session, Subscription, named, tap, tie};
use crate::backend::Occurrence;
use crate::engine::Event;
use crate::protocol::{
    ChannelRequest, Disconnect, Empty, Push, Refusal, Reply, UnsubscribePush, Unsubscribed,
};

/// `unsubscribe`.
pub(super) fn unsubscribe(session: &Session, request: &ChannelRequest) -> Result<Reply, Refusal> {
    named(&request.channel)?;
    let removed = session.state.borrow_mut().subscriptions.remove_entry(request.channel.as_str());
    if let Some((channel, subscription)) = removed {
        leave(session, &channel, *subscription, &Unsubscribed::BY_CLIENT);
    }
    Ok(Reply { unsubscribe: Some(Empty {}), ..Reply::default() })
}

/// Ends a subscription and says so to the client.
pub(super) fn unsubscribe_by_server(session: &Session, channel: &str, reason: &Unsubscribed) {
    let removed = session.state.borrow_mut().subscriptions.remove_entry(channel);
    let Some((channel, subscription)) = removed else { return };
    leave(session, &channel, *subscription, reason);
    session.node.metrics.unsubscribes.count(reason.code);
    let unsubscribe = Some(UnsubscribePush { code: reason.code, reason: reason.reason.to_string() });
    push(session, Push { channel: channel.to_string(), unsubscribe, ..Push::default() });
}

/// Something was missed: the client subscribes again and recovers, or, where the server subscribed it, connects again.
pub(super) fn lost(session: &Session, channel: &str) {
    let is_server_side = {
        let state = session.state.borrow();
        // By now the client may have left, and may have subscribed again.
        let Some(subscription) = state.subscriptions.get(channel).filter(|it| it.seat.is_lost()) else {
            return;
        };
        subscription.is_server_side
    };
    if is_server_side {
        session.end(Disconnect::INSUFFICIENT_STATE);
    } else {
        unsubscribe_by_server(session, channel, &Unsubscribed::INSUFFICIENT_STATE);
    }
}

fn leave(session: &Session, channel: &Rc<str>, subscription: Subscription, reason: &Unsubscribed) {
    let node = &session.node;
    let Subscription { seat, info, joins, released, .. } = subscription;
    if released.take().is_some() {
        // Else it would let through what is held for the next subscription, before the answer to that.
        let is_of_it = |output: &Output| matches!(output, Output::Release(name) if name == channel);
        session.state.borrow_mut().output.retain(|output| !is_of_it(output));
    }
    // Whoever hears of the leave finds the client gone.
    drop(seat);
    if joins {
        node.detach(node.engine.announce(channel, Event::Leave(info)));
    }
    node.metrics.subscriptions.add(-1);
    note!(
        debug,
        session,
        channel = &**channel,
        code = reason.code,
        "a client unsubscribed: {}",
        reason.reason
    );
    node.events.tell(Occurrence::Unsubscribed { asker: &session.asker(), channel, code: reason.code });
}

/// Leaves every channel, and is no client any more.
fn depart(session: &Session, disconnect: &Disconnect) {
    let subscriptions = std::mem::take(&mut session.state.borrow_mut().subscriptions);
    for (channel, subscription) in subscriptions {
        leave(session, &channel, *subscription, &Unsubscribed::DISCONNECTED);
    }
    tie::untie(session, disconnect);
    session.local.exit(&session.id, &session.user());
    session.node.census.leave(&session.user());
    session.node.metrics.clients.add(-1);
    session.node.events.tell(Occurrence::Disconnected { asker: &session.asker(), disconnect });
}

/// `connect` failed after all: nothing is left of it, and nothing else is taken.
pub(super) fn retreat(session: &Session) {
    let before = std::mem::replace(&mut session.state.borrow_mut().phase, Phase::Refused);
    if before == Phase::Connected {
        depart(session, &Disconnect::BAD_REQUEST);
        let mut state = session.state.borrow_mut();
        state.releases.clear();
        state.thread = None;
    }
}

pub(super) fn end(session: &Session, disconnect: Disconnect) {
    let before = {
        let mut state = session.state.borrow_mut();
        state.work.clear();
        std::mem::replace(&mut state.phase, Phase::Ended)
    };
    if before == Phase::Ended {
        return;
    }
    match is_trouble(&disconnect) {
        true => note!(info, session, code = disconnect.code, "a connection ended: {}", disconnect.reason),
        false => note!(debug, session, code = disconnect.code, "a connection ended: {}", disconnect.reason),
    }
    if before == Phase::Connected {
        tap::ended(session, &disconnect);
        depart(session, &disconnect);
    }
    session.node.metrics.disconnects.count(disconnect.code);
    session.output(Output::End(disconnect));
}

/// Whether somebody who looks after the server may want to know without asking: the server failed, the client was too slow, or it
/// was refused.
fn is_trouble(disconnect: &Disconnect) -> bool {
    let Disconnect { code, .. } = disconnect;
    let failed = [&Disconnect::SERVER_ERROR, &Disconnect::SLOW, &Disconnect::TOO_MANY_REQUESTS];
    !disconnect.is_reconnect() || failed.iter().any(|failed| failed.code == *code)
}
