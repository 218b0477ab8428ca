//! Questions about channels, and about the node.

use std::sync::Arc;

use super::pattern::Pattern;
use super::{Api, ApiError, channel};
use crate::engine::{History, HistoryQuery};
use crate::presence::PresenceStats;
use crate::protocol::{ClientError, ClientInfo, Position};
use crate::rules::{Channel, Rules};

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// Another one each time that a process starts.
    pub uid: String,
    /// For people.
    pub name: String,
    /// The server's version.
    pub version: String,
    /// Clients that are connected.
    pub clients: usize,
    /// Users who are connected; all anonymous ones are one.
    pub users: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Channels that have members.
    pub channels: usize,
    /// For how long it has been running, in seconds.
    pub uptime: u64,
}

impl Api<'_> {
    /// Who is in a channel, in no order.
    ///
    /// # Errors
    /// 100, 102, 107, and 108 where the channel's namespace has no presence.
    pub async fn presence(&self, channel: &str) -> Result<Vec<Arc<ClientInfo>>, ApiError> {
        with_presence(&self.node.rules(), channel)?;
        let list = self.node.presence.list(channel).await;
        list.map_err(|error| ApiError::internal(channel, &error))
    }

    /// How many are in a channel.
    ///
    /// # Errors
    /// As [`presence`](Self::presence).
    pub async fn presence_stats(&self, channel: &str) -> Result<PresenceStats, ApiError> {
        with_presence(&self.node.rules(), channel)?;
        let stats = self.node.presence.stats(channel).await;
        stats.map_err(|error| ApiError::internal(channel, &error))
    }

    /// Past publications of a channel, and where its stream is. Without a `limit` there are all, with 0 none. With `since` there are
    /// those after it, in `reverse` those before it, from the newest on.
    ///
    /// # Errors
    /// 100, 102, 107, 108 where the channel's namespace keeps no history, and 112 where `since` is not in the stream.
    pub async fn history(
        &self,
        channel: &str,
        since: Option<Position>,
        limit: Option<usize>,
        reverse: bool,
    ) -> Result<History, ApiError> {
        let rules = self.node.rules();
        let meta_ttl = with_history(&rules, channel)?.rules.keep.meta_ttl;
        if reverse && since.as_ref().is_some_and(|since| since.offset == 0) {
            return Err(ApiError::bad_request(
                "nothing comes before offset 0; leave since out to begin with the newest",
            ));
        }
        let query = HistoryQuery { since: since.clone(), limit, reverse, meta_ttl };
        let history = self.node.engine.history(channel, query).await;
        let history = history.map_err(|error| ApiError::internal(channel, &error))?;
        if let Some(since) = since {
            let top = &history.position;
            if !since.epoch.is_empty() && since.epoch != top.epoch || since.offset > top.offset {
                return Err(ApiError {
                    error: ClientError::UNRECOVERABLE_POSITION,
                    detail: format!(
                        "offset {} of epoch {:?} is not in the stream of channel {channel:?}, which is at offset {} of {:?}",
                        since.offset, since.epoch, top.offset, top.epoch
                    ),
                });
            }
        }
        Ok(history)
    }

    /// Forgets the publications of a channel. Its position stays.
    ///
    /// # Errors
    /// As [`history`](Self::history), but for 112.
    pub async fn history_remove(&self, channel: &str) -> Result<(), ApiError> {
        with_history(&self.node.rules(), channel)?;
        let removed = self.node.engine.remove_history(channel).await;
        removed.map_err(|error| ApiError::internal(channel, &error))
    }

    /// The channels of this node that have subscribers and match `pattern`, each with how many there are; all where it is empty.
    ///
    /// In a pattern `*` stands for any characters, `?` for one, `[a-z]` and `[!a-z]` for one that is or is not listed, `{a,b}` for
    /// one of several patterns, and `\` takes the meaning from what follows. A pattern has to match the whole name.
    ///
    /// # Errors
    /// 107 where the pattern cannot be read.
    pub fn channels(&self, pattern: &str) -> Result<Vec<(String, usize)>, ApiError> {
        if pattern.is_empty() {
            return Ok(self.node.hub.channels(|_| true));
        }
        let pattern = Pattern::new(pattern)?;
        Ok(self.node.hub.channels(|name| pattern.matches(name)))
    }

    /// What each node says of itself. Today there is one.
    pub fn info(&self) -> Vec<NodeInfo> {
        let node = self.node;
        let gauge = |value: i64| usize::try_from(value).unwrap_or_default();
        vec![NodeInfo {
            uid: node.identity.uid.clone(),
            name: node.identity.name.clone(),
            version: node.version.to_owned(),
            clients: gauge(node.metrics.clients.value()),
            users: node.users(),
            subscriptions: gauge(node.metrics.subscriptions.value()),
            channels: node.hub.channel_count(),
            uptime: node.clock.unix().saturating_sub(node.identity.started),
        }]
    }
}

fn with_presence<'r>(rules: &'r Rules, name: &'r str) -> Result<Channel<'r>, ApiError> {
    let channel = channel(rules, name)?;
    if !channel.rules.options.presence {
        return Err(ApiError::not_available(format!(
            "nobody keeps track of who is in channel {name:?}; its namespace needs presence = true"
        )));
    }
    Ok(channel)
}

fn with_history<'r>(rules: &'r Rules, name: &'r str) -> Result<Channel<'r>, ApiError> {
    let channel = channel(rules, name)?;
    if !channel.rules.options.has_history() {
        return Err(ApiError::not_available(format!(
            "channel {name:?} keeps no history; its namespace needs a history_size and a history_ttl above 0"
        )));
    }
    Ok(channel)
}
