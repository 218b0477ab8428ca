//! `subscribe`: from a wish to a place in a channel.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::recover::{Recovery, Wish};
use super::subscription::{Start, Subscription};
use super::{Output, Session, Who, named, refresh};
use crate::auth::{SubscribeToken, TokenError};
use crate::backend::{Occurrence, SubscribeAsk, SubscribeGrant};
use crate::channels::{Wants, patched, whole};
use crate::engine::{Event, HistoryQuery};
use crate::options::{ChannelOptions, DeltaType, RecoveryMode};
use crate::protocol::{
    self, ClientError, ClientInfo, Disconnect, Position, Refusal, Reply, SubscribeRequest, SubscribeResult,
};
use crate::rules::{Channel, Rules, SubscribeRule};
use crate::seat::Seat;
use crate::wire;

/// The bit of `flag` that refuses a subscription where recovery is impossible.
const REJECT_UNRECOVERED: i64 = 1 << 1;

/// What a subscription is made of.
struct Plan {
    presence: bool,
    /// Others are told of it.
    joins: bool,
    /// It is told of others.
    sees_joins: bool,
    positioned: bool,
    recoverable: bool,
    grant: SubscribeGrant,
    is_server_side: bool,
    is_of_token: bool,
    is_client_refreshed: bool,
}

impl Plan {
    fn new(options: &ChannelOptions, grant: SubscribeGrant) -> Self {
        let over = grant.overrides;
        Self {
            presence: over.presence.unwrap_or(options.presence),
            joins: over.join_leave.unwrap_or(options.join_leave),
            sees_joins: over.force_push_join_leave.unwrap_or(options.force_push_join_leave),
            positioned: over.force_positioning.unwrap_or(options.force_positioning),
            recoverable: over.force_recovery.unwrap_or(options.force_recovery),
            grant,
            is_server_side: false,
            is_of_token: false,
            is_client_refreshed: !options.sub_refresh_proxy_enabled,
        }
    }
}

pub(super) async fn subscribe(
    session: &Rc<Session>,
    now: Instant,
    request: SubscribeRequest,
) -> Result<Reply, Refusal> {
    named(&request.channel)?;
    if !matches!(request.delta.as_str(), "" | "fossil") {
        return Err(Disconnect::BAD_REQUEST.into());
    }
    let rules = session.node.rules();
    let channel = rules.channel(&request.channel)?;
    if request.kind != 0 {
        return Err(ClientError::NOT_AVAILABLE.into());
    }
    {
        let state = session.state.borrow();
        if state.subscriptions.contains_key(channel.name) {
            return Err(ClientError::ALREADY_SUBSCRIBED.into());
        }
        let limit = rules.client.channel_limit;
        if limit > 0 && state.subscriptions.len() >= limit {
            return Err(ClientError::LIMIT_EXCEEDED.into());
        }
    }
    let user = session.user();
    let grant = if request.token.is_empty() {
        match rules.subscribe(&channel, &user) {
            SubscribeRule::Allowed => SubscribeGrant::default(),
            SubscribeRule::Denied => return Err(ClientError::PERMISSION_DENIED.into()),
            SubscribeRule::Ask => ask(session, &channel, &request).await?,
        }
    } else {
        granted_by_token(session, &rules, &channel, &request.token).await?
    };
    let mut plan = Plan::new(&channel.rules.options, grant);
    // What a client may read it may also ask not to miss.
    let options = &channel.rules.options;
    let sees_history = rules.may_see_history(&channel, &user, true);
    plan.positioned |= request.positioned && (options.allow_positioning || sees_history);
    plan.recoverable |= request.recoverable && (options.allow_recovery || sees_history);
    plan.sees_joins |=
        request.join_leave && options.join_leave && rules.may_see_presence(&channel, &user, true);
    let result = establish(session, &rules, &channel, plan, &request).await?;
    refresh::schedule(session, now);
    Ok(Reply { subscribe: Some(Box::new(result)), ..Reply::default() })
}

async fn ask(
    session: &Rc<Session>,
    channel: &Channel<'_>,
    request: &SubscribeRequest,
) -> Result<SubscribeGrant, Refusal> {
    let ask = SubscribeAsk {
        proxy: channel.rules.options.subscribe_proxy_name.as_str().into(),
        asker: session.asker(),
        channel: channel.name.to_owned(),
        token: request.token.clone(),
        data: request.data.clone(),
    };
    session.node.backend.subscribe(ask).await
}

async fn granted_by_token(
    session: &Rc<Session>,
    rules: &Rules,
    channel: &Channel<'_>,
    token: &str,
) -> Result<SubscribeGrant, Refusal> {
    let checked =
        session.node.keys().subscribe.subscribe(token, rules.client.insecure_skip_token_signature_verify);
    let token = checked.await.map_err(|error| -> Refusal {
        match &error {
            TokenError::Expired => ClientError::TOKEN_EXPIRED.into(),
            TokenError::Invalid(why) => {
                note!(
                    info,
                    session,
                    channel = channel.name,
                    why = why.as_str(),
                    "a subscription's token is not valid"
                );
                ClientError::PERMISSION_DENIED.into()
            }
            TokenError::Unchecked(why) => {
                note!(
                    error,
                    session,
                    channel = channel.name,
                    why = why.as_str(),
                    "a subscription's token could not be checked"
                );
                ClientError::INTERNAL.into()
            }
        }
    })?;
    check_token(session, rules, channel.name, &token)?;
    Ok(token.grant)
}

/// # Errors
/// When a good token is for another channel, user or connection, or has been revoked.
pub(super) fn check_token(
    session: &Session,
    rules: &Rules,
    channel: &str,
    token: &SubscribeToken,
) -> Result<(), Refusal> {
    let is_meant = token.channels.matches(channel, rules.namespace_boundary())
        && *token.user == *session.user()
        && (token.client.is_empty() || *token.client == *session.id);
    if !is_meant || session.node.revocations.is_revoked(&token.user, &token.id, token.issued_at) {
        note!(info, session, channel, "a subscription's token is for somebody or something else");
        return Err(Disconnect::INVALID_TOKEN.into());
    }
    Ok(())
}

/// Subscribes the client because the server says so. What it gives stands in the answer to `connect`, or in a push.
pub(super) async fn by_server(
    session: &Rc<Session>,
    rules: &Rules,
    request: &SubscribeRequest,
    grant: SubscribeGrant,
    is_of_token: bool,
) -> Result<SubscribeResult, Refusal> {
    let channel = rules.channel(&request.channel)?;
    let plan = Plan {
        is_server_side: true,
        is_of_token,
        is_client_refreshed: false,
        ..Plan::new(&channel.rules.options, grant)
    };
    establish(session, rules, &channel, plan, request).await
}

/// Watch, then read, then release: see `docs/design/hub.md`.
async fn establish(
    session: &Rc<Session>,
    rules: &Rules,
    channel: &Channel<'_>,
    plan: Plan,
    request: &SubscribeRequest,
) -> Result<SubscribeResult, Refusal> {
    let node = &session.node;
    let encoding = session.origin.encoding;
    let options = &channel.rules.options;
    let (expire_at, left) = refresh::term(session, plan.grant.expire_at)?;
    let left = left.filter(|_| plan.is_client_refreshed);
    let mut result = SubscribeResult {
        expires: left.is_some(),
        ttl: left.unwrap_or_default(),
        ..SubscribeResult::default()
    };
    if let Some(filter) = &request.tf {
        let is_good = options.allow_tags_filter && filter.validate().is_ok();
        is_good.then_some(()).ok_or(ClientError::BAD_REQUEST)?;
    }
    result.data = wire::bytes(&plan.grant.data, encoding);
    result.delta = request.delta == "fossil" && options.allowed_delta_types.contains(&DeltaType::Fossil);
    let info = shown_info(&session.state.borrow().who, &plan.grant.info);

    let member = session.line.upgrade().ok_or(Disconnect::CONNECTION_CLOSED)?;
    let wants = Wants {
        encoding: Some(encoding),
        join_leave: plan.sees_joins,
        delta: result.delta,
        filter: request.tf.clone().map(Box::new),
    };
    let join = || session.local.join(channel.name, member, wants, true);
    let seat = Seat::take(node, channel.name, join).await;
    let mut seat = seat.map_err(|error| failed(session, channel.name, &error))?;
    if plan.presence {
        seat.show(&session.id);
        let added = node.presence.add(channel.name, Arc::clone(&info)).await;
        added.map_err(|error| failed(session, channel.name, &error))?;
    }
    let mut start = Start::default();
    if plan.positioned || plan.recoverable {
        result.positioned = true;
        result.recoverable = plan.recoverable;
        start = read(session, rules, channel, &plan, request, &mut result).await?;
    }

    let subscription = Subscription {
        info: Arc::clone(&info),
        is_server_side: plan.is_server_side,
        is_of_token: plan.is_of_token,
        is_client_refreshed: plan.is_client_refreshed,
        joins: plan.joins,
        is_recoverable: plan.recoverable,
        expire_at,
        released: RefCell::new(Some(Box::new(start))),
        seat,
    };
    commit(session, subscription);
    Ok(result)
}

/// What others see of a subscription: what they see of the connection, where there is no more to it.
pub(super) fn shown_info(who: &Who, chan_info: &Bytes) -> Arc<ClientInfo> {
    match chan_info.is_empty() {
        true => Arc::clone(&who.info),
        false => Arc::new(ClientInfo { chan_info: chan_info.clone(), ..ClientInfo::clone(&who.info) }),
    }
}

fn failed(session: &Session, channel: &str, error: &dyn std::error::Error) -> Refusal {
    note!(error, session, channel, %error, "a subscription failed");
    Disconnect::SERVER_ERROR.into()
}

/// Reads what was missed, and where the stream is.
async fn read(
    session: &Session,
    rules: &Rules,
    channel: &Channel<'_>,
    plan: &Plan,
    request: &SubscribeRequest,
    result: &mut SubscribeResult,
) -> Result<Start, Refusal> {
    let node = &session.node;
    let options = &channel.rules.options;
    let mode = options.force_recovery_mode;
    let recovers =
        plan.recoverable && (request.recover || options.auto_cache_recover && mode == RecoveryMode::Cache);
    let wish = recovers.then(|| Wish {
        mode,
        since: Position { offset: request.offset, epoch: request.epoch.clone() },
        limit: rules.client.recovery_max_publication_limit,
        bytes: rules.client.queue_max_size / 2,
    });
    let query = match &wish {
        Some(wish) => wish.query(request.tf.is_some()),
        None => HistoryQuery { limit: Some(0), ..HistoryQuery::default() },
    };
    let query = HistoryQuery { meta_ttl: channel.rules.keep.meta_ttl, ..query };
    let history = node.engine.history(channel.name, query).await;
    let history = history.map_err(|error| failed(session, channel.name, &error))?;
    result.epoch = history.position.epoch.clone();
    result.offset = history.position.offset;
    let mut has_base = false;
    if let Some(wish) = wish {
        let recovery = wish.recover(&history, request.tf.as_ref());
        let counter = if recovery.is_complete { &node.metrics.recovered } else { &node.metrics.unrecovered };
        counter.add(1);
        if !recovery.is_complete && request.flag & REJECT_UNRECOVERED != 0 {
            return Err(ClientError::UNRECOVERABLE_POSITION.into());
        }
        result.was_recovering = true;
        result.recovered = recovery.is_complete;
        if recovery.is_complete {
            // The client counts on from its own position with what it is given.
            result.offset = request.offset;
            let newest = recovery.publications.last().map(|newest| newest.offset);
            has_base = result.delta && newest == Some(history.position.offset);
            node.metrics.recovered_publications.add(recovery.publications.len() as u64);
        }
        result.publications = publications(&recovery, session, result.delta);
    }
    Ok(Start { position: Some(history.position), has_base })
}

/// Publications as the client takes them: where it takes differences, each but the first as one to that before.
fn publications(recovery: &Recovery, session: &Session, delta: bool) -> Vec<protocol::Publication> {
    let encoding = session.origin.encoding;
    let mut previous = None;
    let mut list = Vec::with_capacity(recovery.publications.len());
    for publication in &recovery.publications {
        list.push(match (delta, previous.replace(publication)) {
            (false, _) => wire::publication(publication, encoding),
            (true, None) => whole(publication, encoding),
            (true, Some(previous)) => patched(publication, previous, encoding),
        });
    }
    list
}

/// The client is subscribed. What was held for it goes on when the reply has been said.
fn commit(session: &Rc<Session>, subscription: Subscription) {
    let node = &session.node;
    let channel = Rc::clone(subscription.seat.channel());
    let joined = subscription.joins.then(|| Arc::clone(&subscription.info));
    session.state.borrow_mut().subscriptions.insert(Rc::clone(&channel), Box::new(subscription));
    node.metrics.subscriptions.add(1);
    note!(debug, session, channel = &*channel, "a client subscribed");
    if let Some(info) = joined {
        node.detach(node.engine.announce(&channel, Event::Join(info)));
    }
    node.events.tell(Occurrence::Subscribed { asker: &session.asker(), channel: &channel });
    // The reply is put out before this is drained: by whoever called, in the same turn.
    session.state.borrow_mut().releases.push(channel);
}

/// Lets through what was held for the subscriptions whose replies have just been put out.
pub(super) fn release(session: &Session) {
    let releases = std::mem::take(&mut session.state.borrow_mut().releases);
    for channel in releases {
        session.output(Output::Release(channel));
    }
}
