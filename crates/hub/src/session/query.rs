//! Questions: presence, history, calls of the application.

use std::rc::Rc;
use std::sync::Arc;

use super::recover::fitting;
use super::{Session, named};
use crate::backend::{Occurrence, RpcAsk};
use crate::engine::{EngineError, HistoryQuery};
use crate::protocol::{
    ChannelRequest, ClientError, Disconnect, HistoryRequest, HistoryResult, PresenceResult,
    PresenceStatsResult, Refusal, Reply, RpcRequest, RpcResult, SendRequest,
};
use crate::rules::Rules;
use crate::wire;

fn failed(session: &Session, channel: &str, error: &EngineError) -> Refusal {
    note!(error, session, channel, %error, "a question was not answered");
    ClientError::INTERNAL.into()
}

/// # Errors
/// When the client may not ask who is in the channel, or nobody keeps track of it.
fn check_presence(session: &Session, rules: &Rules, request: &ChannelRequest) -> Result<(), Refusal> {
    named(&request.channel)?;
    let channel = rules.channel(&request.channel)?;
    if !channel.rules.options.presence {
        return Err(ClientError::NOT_AVAILABLE.into());
    }
    let state = session.state.borrow();
    let is_subscribed = state.subscriptions.contains_key(channel.name);
    if !rules.may_see_presence(&channel, &state.who.user, is_subscribed) {
        return Err(ClientError::PERMISSION_DENIED.into());
    }
    Ok(())
}

pub(super) async fn presence(session: &Rc<Session>, request: &ChannelRequest) -> Result<Reply, Refusal> {
    check_presence(session, &session.node.rules(), request)?;
    let list = session.node.presence.list(&request.channel).await;
    let list = list.map_err(|error| failed(session, &request.channel, &error))?;
    let encoding = session.origin.encoding;
    let presence = list.iter().map(|info| (info.client.clone(), wire::info(info, encoding))).collect();
    Ok(Reply { presence: Some(PresenceResult { presence }), ..Reply::default() })
}

pub(super) async fn presence_stats(
    session: &Rc<Session>,
    request: &ChannelRequest,
) -> Result<Reply, Refusal> {
    check_presence(session, &session.node.rules(), request)?;
    let stats = session.node.presence.stats(&request.channel).await;
    let stats = stats.map_err(|error| failed(session, &request.channel, &error))?;
    let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
    let stats = PresenceStatsResult { num_clients: number(stats.clients), num_users: number(stats.users) };
    Ok(Reply { presence_stats: Some(stats), ..Reply::default() })
}

pub(super) async fn history(session: &Rc<Session>, request: HistoryRequest) -> Result<Reply, Refusal> {
    named(&request.channel)?;
    let rules = session.node.rules();
    let channel = rules.channel(&request.channel)?;
    if !channel.rules.options.has_history() {
        return Err(ClientError::NOT_AVAILABLE.into());
    }
    {
        let state = session.state.borrow();
        let is_subscribed = state.subscriptions.contains_key(channel.name);
        if !rules.may_see_history(&channel, &state.who.user, is_subscribed) {
            return Err(ClientError::PERMISSION_DENIED.into());
        }
    }
    // Nothing lies before the beginning.
    if request.reverse && request.since.as_ref().is_some_and(|since| since.offset == 0) {
        return Err(ClientError::BAD_REQUEST.into());
    }
    let most = match rules.client.history_max_publication_limit {
        0 => usize::MAX,
        most => most,
    };
    let limit = usize::try_from(request.limit).map_or(most, |limit| limit.min(most));
    let query = HistoryQuery {
        since: request.since.clone(),
        limit: (limit != usize::MAX).then_some(limit),
        reverse: request.reverse,
        meta_ttl: channel.rules.keep.meta_ttl,
    };
    let history = session.node.engine.history(channel.name, query).await;
    let history = history.map_err(|error| failed(session, channel.name, &error))?;
    if let Some(since) = &request.since {
        let is_same = since.epoch.is_empty() || since.epoch == history.position.epoch;
        if !is_same {
            return Err(ClientError::UNRECOVERABLE_POSITION.into());
        }
    }
    // The next page begins behind the last that is given, so there is one.
    let count = fitting(&history.publications, rules.client.queue_max_size / 2).max(1);
    let encoding = session.origin.encoding;
    let publications =
        history.publications.iter().take(count).map(|publication| wire::publication(publication, encoding));
    let result = HistoryResult {
        publications: publications.collect(),
        epoch: history.position.epoch,
        offset: history.position.offset,
    };
    Ok(Reply { history: Some(result), ..Reply::default() })
}

/// A message without an answer: the application hears of it if it wants to.
pub(super) fn send(session: &Session, request: &SendRequest) -> Result<(), Refusal> {
    let events = &session.node.events;
    if !events.takes_messages() {
        // The client would not learn of an error.
        return Err(Disconnect::NOT_AVAILABLE.into());
    }
    events.tell(Occurrence::Message { asker: &session.asker(), data: &request.data });
    Ok(())
}

pub(super) async fn rpc(session: &Rc<Session>, request: RpcRequest) -> Result<Reply, Refusal> {
    let rules = session.node.rules();
    let proxy: Arc<str> = rules.rpc(&request.method)?.proxy_name.as_str().into();
    let ask = RpcAsk { proxy, asker: session.asker(), method: request.method, data: request.data };
    let data = session.node.backend.rpc(ask).await?;
    let data = wire::bytes(&data, session.origin.encoding);
    Ok(Reply { rpc: Some(RpcResult { data }), ..Reply::default() })
}
