//! How long a connection and its subscriptions last, and who prolongs them.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::connect::{refused_token, seconds};
use super::subscribe::{self, shown_info};
use super::{Phase, Session, State, Work, end, named};
use crate::auth::TokenError;
use crate::backend::{RefreshAnswer, SubRefreshAsk, SubscribeGrant};
use crate::protocol::{
    ClientError, ClientInfo, Disconnect, RefreshRequest, RefreshResult, Refusal, Reply, SubRefreshRequest,
    SubRefreshResult, Unsubscribed,
};

/// Nothing lasts longer without a refresh, in seconds: a year.
const LONGEST: u64 = 365 * 24 * 3600;

/// `refresh`: the client shows a newer token.
pub(super) async fn refresh(
    session: &Rc<Session>,
    now: Instant,
    request: RefreshRequest,
) -> Result<Reply, Refusal> {
    let node = &session.node;
    let rules = node.rules();
    // Where the backend prolongs connections, clients have nothing to say.
    if request.token.is_empty() || rules.client.refresh_proxy_enabled {
        return Err(Disconnect::BAD_REQUEST.into());
    }
    let checked =
        node.keys().connect.connect(&request.token, rules.client.insecure_skip_token_signature_verify);
    let token = checked.await.map_err(|error| match error {
        TokenError::Expired => Disconnect::EXPIRED.into(),
        error => refused_token(session, &error),
    })?;
    let is_revoked = node.revocations.is_revoked(&token.user, &token.id, token.issued_at);
    if *token.user != *session.user() || is_revoked {
        return Err(Disconnect::INVALID_TOKEN.into());
    }
    if is_changed(session, &token.subs) {
        // It connects again with the new token, and gets the channels of that.
        return Err(Disconnect::INSUFFICIENT_STATE.into());
    }
    let ttl = prolong(session, now, token.expire_at, &token.info, &token.meta)?;
    let mut state = session.state.borrow_mut();
    state.who.token = super::Token { id: token.id.into(), issued_at: token.issued_at };
    drop(state);
    let result =
        RefreshResult { expires: ttl.is_some(), ttl: ttl.unwrap_or_default(), ..RefreshResult::default() };
    Ok(Reply { refresh: Some(result), ..Reply::default() })
}

/// Whether a token names other channels than the client has been subscribed to by its token.
pub(super) fn is_changed(session: &Session, subs: &BTreeMap<String, SubscribeGrant>) -> bool {
    let state = session.state.borrow();
    let mut of_token = state.subscriptions.iter().filter(|(_, subscription)| subscription.is_of_token);
    subs.keys().any(|name| !state.subscriptions.contains_key(name.as_str()))
        || of_token.any(|(name, _)| !subs.contains_key(&**name))
}

/// The connection lasts until `expire_at`, 0 being for ever. What it gives is the time left, where there is an end.
///
/// # Errors
/// When that is over.
pub(super) fn prolong(
    session: &Rc<Session>,
    now: Instant,
    expire_at: u64,
    info: &Bytes,
    meta: &Bytes,
) -> Result<Option<u32>, ClientError> {
    let (expire_at, ttl) = term(session, expire_at)?;
    {
        let mut state = session.state.borrow_mut();
        state.expire_at = expire_at;
        if !info.is_empty() {
            let State { who, subscriptions, .. } = &mut *state;
            who.info = Arc::new(ClientInfo { conn_info: info.clone(), ..ClientInfo::clone(&who.info) });
            for subscription in subscriptions.values_mut() {
                subscription.show(shown_info(who, &subscription.info.chan_info));
            }
        }
        if !meta.is_empty() {
            state.who.meta = meta.clone();
        }
    }
    schedule(session, now);
    Ok(ttl)
}

/// A time in seconds since 1970 at which something expires, and the time left; 0 and none where it never does. Nothing lasts longer
/// than a year without a refresh.
///
/// # Errors
/// When it is over.
pub(super) fn term(session: &Session, expire_at: u64) -> Result<(u64, Option<u32>), ClientError> {
    let unix = session.node.clock.unix();
    let expire_at = expire_at.min(unix + LONGEST);
    match expire_at.checked_sub(unix) {
        _ if expire_at == 0 => Ok((0, None)),
        None | Some(0) => Err(ClientError::EXPIRED),
        Some(left) => Ok((expire_at, Some(seconds(left)))),
    }
}

/// `sub_refresh`: the client shows a newer token for a channel.
pub(super) async fn sub_refresh(
    session: &Rc<Session>,
    now: Instant,
    request: SubRefreshRequest,
) -> Result<Reply, Refusal> {
    named(&request.channel)?;
    let node = &session.node;
    let is_client_refreshed = {
        let state = session.state.borrow();
        let subscription = state.subscriptions.get(request.channel.as_str());
        subscription.ok_or(ClientError::PERMISSION_DENIED)?.is_client_refreshed
    };
    if !is_client_refreshed {
        return Err(Disconnect::BAD_REQUEST.into());
    }
    if request.token.is_empty() {
        return Err(ClientError::BAD_REQUEST.into());
    }
    let rules = node.rules();
    let checked =
        node.keys().subscribe.subscribe(&request.token, rules.client.insecure_skip_token_signature_verify);
    let token = checked.await.map_err(|error| match error {
        TokenError::Expired => ClientError::EXPIRED.into(),
        error => refused_token(session, &error),
    })?;
    subscribe::check_token(session, &rules, &request.channel, &token)?;
    let ttl = prolong_channel(session, now, &request.channel, token.grant.expire_at, &token.grant.info)?;
    let result = SubRefreshResult { expires: ttl.is_some(), ttl: ttl.unwrap_or_default() };
    Ok(Reply { sub_refresh: Some(result), ..Reply::default() })
}

fn prolong_channel(
    session: &Rc<Session>,
    now: Instant,
    channel: &str,
    expire_at: u64,
    info: &Bytes,
) -> Result<Option<u32>, ClientError> {
    let (expire_at, ttl) = term(session, expire_at)?;
    {
        let mut state = session.state.borrow_mut();
        let State { who, subscriptions, .. } = &mut *state;
        let subscription = subscriptions.get_mut(channel).ok_or(ClientError::PERMISSION_DENIED)?;
        subscription.expire_at = expire_at;
        if !info.is_empty() {
            subscription.show(shown_info(who, info));
        }
    }
    schedule(session, now);
    Ok(ttl)
}

/// Sets the time to look at what has expired next.
pub(super) fn schedule(session: &Session, now: Instant) {
    let rules = session.node.rules();
    let unix_ms = session.node.clock.unix_ms();
    let mut state = session.state.borrow_mut();
    let connection_delay = match rules.client.refresh_proxy_enabled {
        true => 0,
        false => rules.client.expired_close_delay.as_ms(),
    };
    let sub_delay = rules.client.expired_sub_close_delay.as_ms();
    let connection = (state.expire_at > 0).then_some(state.expire_at * 1000 + connection_delay);
    let subscriptions = state.subscriptions.values().filter(|subscription| subscription.expire_at > 0);
    let subscriptions = subscriptions.map(|subscription| {
        let delay = if is_backend_refreshed(subscription) { 0 } else { sub_delay };
        subscription.expire_at * 1000 + delay
    });
    let next = connection.into_iter().chain(subscriptions).min();
    state.expiry = next.map(|at| now + Duration::from_millis(at.saturating_sub(unix_ms)));
}

fn is_backend_refreshed(subscription: &super::Subscription) -> bool {
    !subscription.is_client_refreshed && !subscription.is_server_side
}

/// Looks at what has expired: what the backend prolongs is asked about, the rest ends.
pub(super) fn look(session: &Session, now: Instant) {
    let rules = session.node.rules();
    let is_over = |expire_at, delay| is_over(session, expire_at, delay);
    let mut asks = Vec::new();
    let mut ends = Vec::new();
    {
        let state = session.state.borrow();
        if state.phase != Phase::Connected {
            return;
        }
        if rules.client.refresh_proxy_enabled {
            if is_over(state.expire_at, 0) {
                asks.push(Work::Refresh);
            }
        } else if is_over(state.expire_at, rules.client.expired_close_delay.as_ms()) {
            drop(state);
            return session.end(Disconnect::EXPIRED);
        }
        let sub_delay = rules.client.expired_sub_close_delay.as_ms();
        for (name, subscription) in &state.subscriptions {
            if is_backend_refreshed(subscription) {
                if is_over(subscription.expire_at, 0) {
                    asks.push(Work::SubRefresh(Rc::clone(name)));
                }
            } else if is_over(subscription.expire_at, sub_delay) {
                ends.push((Rc::clone(name), subscription.is_server_side));
            }
        }
    }
    if ends.iter().any(|(_, is_server_side)| *is_server_side) {
        return session.end(Disconnect::SUBSCRIPTION_EXPIRED);
    }
    for (name, _) in ends {
        end::unsubscribe_by_server(session, &name, &Unsubscribed::EXPIRED);
    }
    if asks.is_empty() {
        schedule(session, now);
    } else {
        // Whoever has been asked sets the next time.
        let mut state = session.state.borrow_mut();
        state.expiry = None;
        state.work.extend(asks);
    }
}

/// Whether something ended so many milliseconds ago that expires at `expire_at`, in seconds since 1970; 0 never.
fn is_over(session: &Session, expire_at: u64, delay: u64) -> bool {
    expire_at > 0 && expire_at * 1000 + delay <= session.node.clock.unix_ms()
}

/// Asks the backend whether the connection goes on.
pub(super) async fn ask(session: &Rc<Session>, now: Instant) {
    let expire_at = session.state.borrow().expire_at;
    // The same may have been asked before, and answered by now.
    if !is_over(session, expire_at, 0) {
        return schedule(session, now);
    }
    let answer = session.node.backend.refresh(session.asker()).await;
    let outcome = match answer {
        Ok(RefreshAnswer::Expired) => Err(Disconnect::EXPIRED),
        Ok(RefreshAnswer::Goes { expire_at, info, meta }) => {
            prolong(session, now, expire_at, &info, &meta).map_err(|_| Disconnect::EXPIRED)
        }
        Err(Refusal::Disconnect(disconnect)) => Err(disconnect),
        // Centrifugo ends the connection as well: the client comes back, and the backend is asked again.
        Err(Refusal::Error(_)) => Err(Disconnect::SERVER_ERROR),
    };
    if let Err(disconnect) = outcome {
        session.end(disconnect);
    }
}

/// Asks the backend whether a subscription goes on.
pub(super) async fn ask_for_channel(session: &Rc<Session>, now: Instant, channel: &str) {
    let expire_at =
        session.state.borrow().subscriptions.get(channel).map(|subscription| subscription.expire_at);
    if !is_over(session, expire_at.unwrap_or_default(), 0) {
        return schedule(session, now);
    }
    let rules = session.node.rules();
    let proxy = match rules.channel(channel) {
        Ok(channel) => channel.rules.options.sub_refresh_proxy_name.as_str().into(),
        Err(_) => {
            end::unsubscribe_by_server(session, channel, &Unsubscribed::EXPIRED);
            return schedule(session, now);
        }
    };
    let ask = SubRefreshAsk { proxy, asker: session.asker(), channel: channel.to_owned() };
    let answer = session.node.backend.sub_refresh(ask).await;
    let goes = match answer {
        Ok(RefreshAnswer::Goes { expire_at, info, .. }) => {
            prolong_channel(session, now, channel, expire_at, &info).is_ok()
        }
        Ok(RefreshAnswer::Expired) | Err(Refusal::Error(_)) => false,
        Err(Refusal::Disconnect(disconnect)) => return session.end(disconnect),
    };
    if !goes {
        end::unsubscribe_by_server(session, channel, &Unsubscribed::EXPIRED);
        schedule(session, now);
    }
}
