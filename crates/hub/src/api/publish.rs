//! Publications of the application.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;

use super::pattern::Pattern;
use super::{Api, ApiError, channel};
use crate::data::Data;
use crate::engine::{EngineError, Idempotency, Keep, Publish, Published, Version};
use crate::protocol::Position;
use crate::rules::Rules;

/// Channels that one broadcast may name.
pub const BROADCAST_CHANNELS: usize = 10_000;

/// Channels that one broadcast may find by a pattern.
pub const PATTERN_CHANNELS: usize = 100_000;

/// How long an idempotency key is remembered.
pub const IDEMPOTENCY: Duration = Duration::from_secs(300);

/// Publications of a broadcast that are begun before one is waited for, and before other tasks have their turn.
const AT_ONCE: usize = 256;

/// What the application publishes.
#[derive(Debug, Clone)]
pub struct Message {
    /// The data.
    pub data: Data,
    /// Labels that filters look at.
    pub tags: BTreeMap<String, String>,
    /// Do not keep it, though the channel keeps publications.
    pub skip_history: bool,
    /// Send it as its difference to the publication before, to those who asked for that.
    pub delta: bool,
    /// In each channel, publishes once what has the same key within [`IDEMPOTENCY`]; empty for as often as it is called.
    pub idempotency_key: String,
    /// The version of the state that it carries: what is not newer than the newest is dropped. 0 is no version.
    pub version: u64,
    /// Where the counting of versions began anew.
    pub version_epoch: String,
}

impl Message {
    /// With data, and nothing else.
    pub fn new(data: Data) -> Self {
        Self {
            data,
            tags: BTreeMap::new(),
            skip_history: false,
            delta: false,
            idempotency_key: String::new(),
            version: 0,
            version_epoch: String::new(),
        }
    }

    /// What it comes to in one channel.
    fn for_channel(&self, rules: &Rules, name: &str) -> Result<Publish, ApiError> {
        let channel = channel(rules, name)?;
        let data = channel.rules.check(self.data.clone()).map_err(|error| ApiError {
            error,
            detail: match self.data.is_empty() {
                true => format!("data is empty, which channel {name:?} does not take"),
                false => format!("the data has not the publication_data_format of channel {name:?}"),
            },
        })?;
        let key = &self.idempotency_key;
        Ok(Publish {
            data,
            info: None,
            tags: self.tags.clone(),
            keep: if self.skip_history { Keep::default() } else { channel.rules.keep },
            delta: self.delta || channel.rules.options.delta_publish,
            idempotency: (!key.is_empty()).then(|| Idempotency { key: key.clone(), ttl: IDEMPOTENCY }),
            version: (self.version > 0)
                .then(|| Version { number: self.version, epoch: self.version_epoch.clone() }),
        })
    }
}

impl Api<'_> {
    /// Publishes in one channel. What it gives is the place of the publication, or of that for whose sake it was dropped; offset 0
    /// in a channel that keeps none.
    ///
    /// # Errors
    /// 100, 102, 107.
    pub async fn publish(&self, channel: &str, message: &Message) -> Result<Position, ApiError> {
        let publish = message.for_channel(&self.node.rules(), channel)?;
        poll_fn(|cx| self.node.hub.poll_room(cx)).await;
        settle(channel, self.node.publish(channel, publish).await)
    }

    /// Publishes the same in many channels: in all or some, each for itself. What it gives is in the order of the channels.
    ///
    /// # Errors
    /// 106 for more than [`BROADCAST_CHANNELS`], 107 for none; else those of [`publish`](Self::publish), for each channel.
    pub async fn broadcast(
        &self,
        channels: &[String],
        message: &Message,
    ) -> Result<Vec<Result<Position, ApiError>>, ApiError> {
        if channels.is_empty() {
            return Err(ApiError::bad_request("a broadcast needs channels, and none is named"));
        }
        check_count(channels.len(), BROADCAST_CHANNELS, "split it")?;
        Ok(self.publish_all(channels, message).await)
    }

    /// Publishes the same in every channel of this node that has subscribers and matches `pattern`, in which `*` stands for any
    /// characters: see [`channels`](Self::channels).
    ///
    /// # Errors
    /// 106 where it matches more than [`PATTERN_CHANNELS`], 107 for an empty pattern or one that cannot be read; else those of
    /// [`publish`](Self::publish), for each channel.
    pub async fn broadcast_matching(
        &self,
        pattern: &str,
        message: &Message,
    ) -> Result<Vec<(String, Result<Position, ApiError>)>, ApiError> {
        if pattern.is_empty() {
            return Err(ApiError::bad_request("a broadcast by pattern needs one; * matches every channel"));
        }
        let pattern = Pattern::new(pattern)?;
        let channels = self.node.hub.channels(|name| pattern.matches(name));
        let names: Vec<_> = channels.into_iter().map(|(name, _)| name).collect();
        check_count(names.len(), PATTERN_CHANNELS, "take a narrower pattern")?;
        let outcomes = self.publish_all(&names, message).await;
        Ok(names.into_iter().zip(outcomes).collect())
    }

    async fn publish_all(&self, channels: &[String], message: &Message) -> Vec<Result<Position, ApiError>> {
        let rules = self.node.rules();
        let mut outcomes = Vec::with_capacity(channels.len());
        for some in channels.chunks(AT_ONCE) {
            if !outcomes.is_empty() {
                turn().await;
            }
            poll_fn(|cx| self.node.hub.poll_room(cx)).await;
            outcomes.extend(join_all(some.iter().map(|name| self.publish_one(&rules, name, message))).await);
        }
        outcomes
    }

    async fn publish_one(&self, rules: &Rules, name: &str, message: &Message) -> Result<Position, ApiError> {
        let publish = message.for_channel(rules, name)?;
        settle(name, self.node.publish(name, publish).await)
    }
}

fn check_count(count: usize, limit: usize, way_out: &str) -> Result<(), ApiError> {
    if count > limit {
        return Err(ApiError::limit_exceeded(format!(
            "a broadcast to {count} channels is over the limit of {limit}; {way_out}"
        )));
    }
    Ok(())
}

fn settle(channel: &str, outcome: Result<Published, EngineError>) -> Result<Position, ApiError> {
    outcome.map(|published| published.position).map_err(|error| ApiError::internal(channel, &error))
}

/// Lets other tasks have their turn.
async fn turn() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if has_waited {
            return Poll::Ready(());
        }
        has_waited = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
