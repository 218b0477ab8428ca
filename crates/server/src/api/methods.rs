//! The methods: what each is called, takes and gives.

use antiphon_hub::api::{Api, ApiError};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::value::RawValue;

use super::reply;
use super::requests::{
    BroadcastRequest, ChannelsRequest, DisconnectRequest, HistoryRemoveRequest, HistoryRequest, InfoRequest,
    InvalidateUserTokensRequest, PresenceRequest, PresenceStatsRequest, PublishRequest, RefreshRequest,
    RevokeTokenRequest, SubscribeRequest, UnsubscribeRequest,
};

/// What a command came to: its result in JSON, or why there is none.
pub(super) type Outcome = Result<Box<RawValue>, ApiError>;

/// A command that has been read and can be carried out.
pub(super) type Call = Box<dyn for<'a> FnOnce(Api<'a>) -> LocalBoxFuture<'a, Outcome>>;

/// Every method but `batch`.
pub(super) static METHODS: [Entry; 14] = [
    Entry::of::<PublishRequest>("publish"),
    Entry::of::<BroadcastRequest>("broadcast"),
    Entry::of::<SubscribeRequest>("subscribe"),
    Entry::of::<UnsubscribeRequest>("unsubscribe"),
    Entry::of::<DisconnectRequest>("disconnect"),
    Entry::of::<RefreshRequest>("refresh"),
    Entry::of::<PresenceRequest>("presence"),
    Entry::of::<PresenceStatsRequest>("presence_stats"),
    Entry::of::<HistoryRequest>("history"),
    Entry::of::<HistoryRemoveRequest>("history_remove"),
    Entry::of::<ChannelsRequest>("channels"),
    Entry::of::<InfoRequest>("info"),
    Entry::of::<RevokeTokenRequest>("revoke_token"),
    Entry::of::<InvalidateUserTokensRequest>("invalidate_user_tokens"),
];

/// A method.
pub(super) struct Entry {
    /// As in the path, and in a batch.
    pub(super) name: &'static str,
    /// Reads the parameters.
    pub(super) read: fn(&[u8]) -> Result<Call, serde_json::Error>,
    /// What the parameters are.
    pub(super) request: fn(&mut SchemaGenerator) -> Schema,
    /// What the result is.
    pub(super) result: fn(&mut SchemaGenerator) -> Schema,
}

impl Entry {
    /// The method of that name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        METHODS.iter().find(|entry| entry.name == name)
    }

    const fn of<M: Method>(name: &'static str) -> Self {
        Self {
            name,
            read: |body| {
                // serde takes a list for a struct as well.
                if body.trim_ascii_start().starts_with(b"[") {
                    return Err(serde_json::Error::custom("invalid type: sequence, expected an object"));
                }
                let request: M = serde_json::from_slice(body)?;
                Ok(Box::new(|api| async move { reply::raw(&request.run(api).await?) }.boxed_local()))
            },
            request: SchemaGenerator::subschema_for::<M>,
            result: SchemaGenerator::subschema_for::<M::Result>,
        }
    }
}

/// The parameters of a method, which can be carried out.
pub(super) trait Method: DeserializeOwned + JsonSchema + 'static {
    /// What it comes to.
    type Result: Serialize + JsonSchema;

    /// Carries it out.
    async fn run(self, api: Api<'_>) -> Result<Self::Result, ApiError>;
}
