//! What each method does.

use antiphon_hub::Whom;
use antiphon_hub::api::{Api, ApiError, Message};
use antiphon_hub::backend::{Overrides, SubscribeGrant};
use antiphon_hub::data::Data;
use antiphon_hub::protocol::{ClientError, Disconnect, Position};
use bytes::Bytes;

use super::json::{self, Json};
use super::methods::Method;
use super::requests::{
    BoolValue, BroadcastRequest, ChannelsRequest, DisconnectRequest, HistoryRemoveRequest, HistoryRequest,
    InfoRequest, InvalidateUserTokensRequest, PresenceRequest, PresenceStatsRequest, PublishRequest,
    RefreshRequest, RevokeTokenRequest, StreamPosition, SubscribeOptionOverride, SubscribeRequest,
    UnsubscribeRequest,
};
use super::results::{
    BroadcastResponse, BroadcastResult, ChannelResult, ChannelsResult, EmptyResult, HistoryResult,
    InfoResult, PresenceResult, PresenceStatsResult, PublishResult,
};

impl Method for PublishRequest {
    type Result = PublishResult;

    async fn run(self, api: Api<'_>) -> Result<PublishResult, ApiError> {
        let channel = self.channel.unwrap_or_default();
        let message = Message {
            data: data(self.data, self.b64data.as_deref(), "b64data")?,
            tags: self.tags.unwrap_or_default(),
            skip_history: self.skip_history.unwrap_or_default(),
            delta: self.delta.unwrap_or_default(),
            idempotency_key: self.idempotency_key.unwrap_or_default(),
            version: self.version.unwrap_or_default(),
            version_epoch: self.version_epoch.unwrap_or_default(),
        };
        api.publish(&channel, &message).await.map(PublishResult::from)
    }
}

impl Method for BroadcastRequest {
    type Result = BroadcastResult;

    async fn run(self, api: Api<'_>) -> Result<BroadcastResult, ApiError> {
        let message = Message {
            data: data(self.data, self.b64data.as_deref(), "b64data")?,
            tags: self.tags.unwrap_or_default(),
            skip_history: self.skip_history.unwrap_or_default(),
            delta: self.delta.unwrap_or_default(),
            idempotency_key: self.idempotency_key.unwrap_or_default(),
            version: self.version.unwrap_or_default(),
            version_epoch: self.version_epoch.unwrap_or_default(),
        };
        let channels = self.channels.unwrap_or_default();
        let responses = match self.pattern.as_deref() {
            None | Some("") => {
                let outcomes = api.broadcast(&channels, &message).await?;
                outcomes.into_iter().map(|outcome| BroadcastResponse::new(None, outcome)).collect()
            }
            Some(_) if !channels.is_empty() => {
                return Err(bad_request("a broadcast has channels or a pattern; send one of them"));
            }
            Some(pattern) => {
                let outcomes = api.broadcast_matching(pattern, &message).await?;
                let response = |(name, outcome)| BroadcastResponse::new(Some(name), outcome);
                outcomes.into_iter().map(response).collect()
            }
        };
        Ok(BroadcastResult { responses })
    }
}

impl Method for SubscribeRequest {
    type Result = EmptyResult;

    async fn run(self, api: Api<'_>) -> Result<EmptyResult, ApiError> {
        let Self { user, client, session, label_filter, all_users, .. } = self;
        let whom = whom(Target { user, client, session, label_filter, all_users })?;
        let grant = SubscribeGrant {
            expire_at: self.expire_at.unwrap_or_default(),
            info: bytes(self.info, self.b64info.as_deref(), "b64info")?,
            data: bytes(self.data, self.b64data.as_deref(), "b64data")?,
            overrides: self.overrides.map(Overrides::from).unwrap_or_default(),
        };
        let since = self.recover_since.map(Position::from);
        api.subscribe(whom, &self.channel.unwrap_or_default(), grant, since)?;
        Ok(EmptyResult {})
    }
}

impl From<SubscribeOptionOverride> for Overrides {
    fn from(from: SubscribeOptionOverride) -> Self {
        let value = |value: Option<BoolValue>| value.map(|value| value.value);
        Self {
            presence: value(from.presence),
            join_leave: value(from.join_leave),
            force_push_join_leave: value(from.force_push_join_leave),
            force_recovery: value(from.force_recovery),
            force_positioning: value(from.force_positioning),
        }
    }
}

impl From<StreamPosition> for Position {
    fn from(from: StreamPosition) -> Self {
        Self { offset: from.offset.unwrap_or_default(), epoch: from.epoch.unwrap_or_default() }
    }
}

impl Method for UnsubscribeRequest {
    type Result = EmptyResult;

    async fn run(self, api: Api<'_>) -> Result<EmptyResult, ApiError> {
        let Self { user, client, session, label_filter, all_users, channel } = self;
        let whom = whom(Target { user, client, session, label_filter, all_users })?;
        api.unsubscribe(whom, &channel.unwrap_or_default())?;
        Ok(EmptyResult {})
    }
}

impl Method for DisconnectRequest {
    type Result = EmptyResult;

    async fn run(self, api: Api<'_>) -> Result<EmptyResult, ApiError> {
        let Self { user, client, session, label_filter, all_users, whitelist, disconnect } = self;
        let mut whom = whom(Target { user, client, session, label_filter, all_users })?;
        whom.except = whitelist.unwrap_or_default();
        let disconnect = disconnect.map_or(Disconnect::FORCE_NO_RECONNECT, |spec| Disconnect {
            code: spec.code,
            reason: spec.reason.unwrap_or_default().into(),
        });
        api.disconnect(whom, disconnect)?;
        Ok(EmptyResult {})
    }
}

impl Method for RefreshRequest {
    type Result = EmptyResult;

    async fn run(self, api: Api<'_>) -> Result<EmptyResult, ApiError> {
        let Self { user, client, session, label_filter, all_users, .. } = self;
        let whom = whom(Target { user, client, session, label_filter, all_users })?;
        let info = bytes(self.info, None, "info")?;
        api.refresh(whom, self.expired.unwrap_or_default(), self.expire_at.unwrap_or_default(), info)?;
        Ok(EmptyResult {})
    }
}

impl Method for PresenceRequest {
    type Result = PresenceResult;

    async fn run(self, api: Api<'_>) -> Result<PresenceResult, ApiError> {
        let list = api.presence(&self.channel.unwrap_or_default()).await?;
        let presence = list.iter().map(|info| (info.client.clone(), (&**info).into())).collect();
        Ok(PresenceResult { presence })
    }
}

impl Method for PresenceStatsRequest {
    type Result = PresenceStatsResult;

    async fn run(self, api: Api<'_>) -> Result<PresenceStatsResult, ApiError> {
        let stats = api.presence_stats(&self.channel.unwrap_or_default()).await?;
        Ok(PresenceStatsResult { num_clients: stats.clients, num_users: stats.users })
    }
}

impl Method for HistoryRequest {
    type Result = HistoryResult;

    async fn run(self, api: Api<'_>) -> Result<HistoryResult, ApiError> {
        let limit = usize::try_from(self.limit.unwrap_or_default()).ok();
        let since = self.since.map(Position::from);
        let channel = self.channel.unwrap_or_default();
        let history = api.history(&channel, since, limit, self.reverse.unwrap_or_default()).await?;
        Ok(history.into())
    }
}

impl Method for HistoryRemoveRequest {
    type Result = EmptyResult;

    async fn run(self, api: Api<'_>) -> Result<EmptyResult, ApiError> {
        api.history_remove(&self.channel.unwrap_or_default()).await?;
        Ok(EmptyResult {})
    }
}

impl Method for ChannelsRequest {
    type Result = ChannelsResult;

    async fn run(self, api: Api<'_>) -> Result<ChannelsResult, ApiError> {
        let channels = api.channels(&self.pattern.unwrap_or_default())?;
        let channels = channels.into_iter().map(|(name, num_clients)| (name, ChannelResult { num_clients }));
        Ok(ChannelsResult { channels: channels.collect() })
    }
}

impl Method for InfoRequest {
    type Result = InfoResult;

    async fn run(self, api: Api<'_>) -> Result<InfoResult, ApiError> {
        Ok(InfoResult { nodes: api.info().into_iter().map(Into::into).collect() })
    }
}

impl Method for RevokeTokenRequest {
    type Result = EmptyResult;

    async fn run(self, api: Api<'_>) -> Result<EmptyResult, ApiError> {
        api.revoke_token(&self.uid.unwrap_or_default(), self.expire_at.unwrap_or_default())?;
        Ok(EmptyResult {})
    }
}

impl Method for InvalidateUserTokensRequest {
    type Result = EmptyResult;

    async fn run(self, api: Api<'_>) -> Result<EmptyResult, ApiError> {
        if self.channel.is_some_and(|channel| !channel.is_empty()) {
            return Err(not_available("channel", "tokens are invalid for all channels or for none"));
        }
        let until = self.issued_before.filter(|before| *before > 0).map(|before| before - 1);
        api.invalidate_user_tokens(
            &self.user.unwrap_or_default(),
            until,
            self.expire_at.unwrap_or_default(),
        )?;
        Ok(EmptyResult {})
    }
}

/// Which clients an order is for, as it stands in a request.
struct Target {
    user: Option<String>,
    client: Option<String>,
    session: Option<String>,
    label_filter: Option<Json>,
    all_users: Option<bool>,
}

/// # Errors
/// 108 for what would narrow or widen the choice and is not supported: others than those meant would be concerned.
fn whom(target: Target) -> Result<Whom, ApiError> {
    if target.session.is_some_and(|session| !session.is_empty()) {
        return Err(not_available("session", "name the connection by client"));
    }
    if target.label_filter.is_some() {
        return Err(not_available("label_filter", "clients have no labels here"));
    }
    if target.all_users.unwrap_or_default() {
        return Err(not_available("all_users", "name each user"));
    }
    let client = target.client.filter(|client| !client.is_empty());
    Ok(Whom { user: target.user, client, ..Whom::default() })
}

fn data(json: Option<Json>, base64: Option<&str>, field: &str) -> Result<Data, ApiError> {
    json::data(json, base64, field).map_err(|sentence| bad_request(&sentence))
}

fn bytes(json: Option<Json>, base64: Option<&str>, field: &str) -> Result<Bytes, ApiError> {
    data(json, base64, field).map(|data| data.bytes().clone())
}

fn bad_request(detail: &str) -> ApiError {
    ApiError { error: ClientError::BAD_REQUEST, detail: detail.to_owned() }
}

fn not_available(field: &str, way_out: &str) -> ApiError {
    ApiError { error: ClientError::NOT_AVAILABLE, detail: format!("{field} is not supported; {way_out}") }
}
