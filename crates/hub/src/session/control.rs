//! Orders of the server.

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;

use super::{Output, Phase, Session, end, refresh, subscribe};
use crate::channels::{Control, Order, TokenWhom};
use crate::protocol::{
    Disconnect, Position, Push, RefreshPush, Refusal, Reply, SubscribePush, SubscribeRequest,
};

pub(super) async fn carry_out(session: &Rc<Session>, now: Instant, control: &Control) {
    {
        let state = session.state.borrow();
        let is_meant = match &control.whom.token {
            None => true,
            Some(TokenWhom::Id(id)) => *state.who.token.id == **id,
            Some(TokenWhom::IssuedUntil(until)) => state.who.token.issued_at <= *until,
        };
        if state.phase != Phase::Connected || !is_meant {
            return;
        }
    }
    match &control.order {
        Order::Subscribe { channel, grant, since } => {
            let recover = since.is_some();
            let Position { offset, epoch } = since.clone().unwrap_or_default();
            let request = SubscribeRequest {
                channel: channel.clone(),
                recover,
                offset,
                epoch,
                ..SubscribeRequest::default()
            };
            Box::pin(join(session, now, request, grant.clone())).await;
        }
        Order::Unsubscribe { channel, reason } if channel.is_empty() => {
            for channel in session.channels() {
                end::unsubscribe_by_server(session, &channel, reason);
            }
        }
        Order::Unsubscribe { channel, reason } => end::unsubscribe_by_server(session, channel, reason),
        Order::Disconnect(disconnect) => session.end(disconnect.clone()),
        Order::Refresh { expired: true, .. } => session.end(Disconnect::EXPIRED),
        Order::Refresh { expire_at, info, .. } => {
            match refresh::prolong(session, now, *expire_at, info, &Bytes::new()) {
                Ok(ttl) => {
                    let refresh = Some(RefreshPush { expires: ttl.is_some(), ttl: ttl.unwrap_or_default() });
                    push(session, Push { refresh, ..Push::default() });
                }
                Err(_) => session.end(Disconnect::EXPIRED),
            }
        }
    }
}

async fn join(
    session: &Rc<Session>,
    now: Instant,
    request: SubscribeRequest,
    grant: crate::backend::SubscribeGrant,
) {
    let rules = session.node.rules();
    let limit = rules.client.channel_limit;
    {
        let state = session.state.borrow();
        if state.subscriptions.contains_key(request.channel.as_str()) {
            return;
        }
        if limit > 0 && state.subscriptions.len() >= limit {
            drop(state);
            return session.end(Disconnect::CHANNEL_LIMIT);
        }
    }
    match subscribe::by_server(session, &rules, &request, grant, false).await {
        Ok(result) => {
            let subscribe = SubscribePush {
                recoverable: result.recoverable,
                epoch: result.epoch,
                offset: result.offset,
                positioned: result.positioned,
                data: result.data,
            };
            push(
                session,
                Push { channel: request.channel.clone(), subscribe: Some(subscribe), ..Push::default() },
            );
            // What was recovered comes as if it were new.
            for publication in result.publications {
                let publication = Some(publication);
                push(session, Push { channel: request.channel.clone(), publication, ..Push::default() });
            }
            subscribe::release(session);
            refresh::schedule(session, now);
        }
        Err(Refusal::Disconnect(disconnect)) => session.end(disconnect),
        Err(Refusal::Error(error)) => {
            note!(warn, session, channel = request.channel, %error, "the server could not subscribe a client");
        }
    }
}

/// Says something that was not asked for.
pub(super) fn push(session: &Session, push: Push) {
    session.output(Output::Reply(Box::new(Reply { push: Some(Box::new(push)), ..Reply::default() })));
}
