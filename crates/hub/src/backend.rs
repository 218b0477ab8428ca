//! What the application decides when it is asked: the hooks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::data::Data;
use crate::deferred::Deferred;
use crate::protocol::{Disconnect, Encoding, Refusal};

/// Who a question is about.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The connection's id.
    pub client: Arc<str>,
    /// The user's id; empty for an anonymous one, and before `connect`.
    pub user: Arc<str>,
    /// `websocket`, `http_stream`, ...
    pub transport: &'static str,
    /// How the client writes commands.
    pub encoding: Encoding,
    /// What the connection's token or hook keeps about it, which no client sees. Empty where there is none.
    pub meta: Bytes,
    /// The headers of the request that the connection began with, those that hooks are given: names in lower case.
    pub headers: Arc<[(Box<str>, Box<str>)]>,
    /// What the client said it would send as headers, in `connect`.
    pub emulated_headers: Arc<BTreeMap<String, String>>,
}

/// Whether somebody may connect.
#[derive(Debug, Clone)]
pub struct ConnectAsk {
    /// Who asks.
    pub asker: Asker,
    /// From the client.
    pub data: Bytes,
    /// The name of the client's program.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Channels that the client was subscribed to by the server before.
    pub channels: Vec<String>,
}

/// Somebody may connect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConnectGrant {
    /// As whom. Empty is anonymous.
    pub user: String,
    /// When the connection expires, in seconds since 1970; 0 never.
    pub expire_at: u64,
    /// What others see of the connection: JSON, or bytes.
    pub info: Bytes,
    /// For the client.
    pub data: Bytes,
    /// Kept with the connection, and given to later hooks.
    pub meta: Bytes,
    /// Channels to subscribe the client to.
    pub subs: BTreeMap<String, SubscribeGrant>,
}

/// What a subscription is made of, where a token or the application says so.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SubscribeGrant {
    /// When the subscription expires, in seconds since 1970; 0 never.
    pub expire_at: u64,
    /// What others see of the subscription.
    pub info: Bytes,
    /// For the client.
    pub data: Bytes,
    /// What differs from the channel's options.
    pub overrides: Overrides,
}

/// What differs from the channel's options in one subscription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Keep track of it.
    pub presence: Option<bool>,
    /// Tell others of it.
    pub join_leave: Option<bool>,
    /// Tell it of others.
    pub force_push_join_leave: Option<bool>,
    /// Let it recover what it missed.
    pub force_recovery: Option<bool>,
    /// Notice what it missed.
    pub force_positioning: Option<bool>,
}

/// Whether a connection goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum RefreshAnswer {
    /// It has expired.
    Expired,
    /// It goes on until then, in seconds since 1970; 0 for ever.
    Goes {
        /// Until when.
        expire_at: u64,
        /// What others see of it from now on; as before where it is empty.
        info: Bytes,
        /// What is kept with it from now on; as before where it is empty.
        meta: Bytes,
    },
}

/// Whether somebody may subscribe.
#[derive(Debug, Clone)]
pub struct SubscribeAsk {
    /// Which backend.
    pub proxy: Arc<str>,
    /// Who asks.
    pub asker: Asker,
    /// To what.
    pub channel: String,
    /// The token that was shown, for the application to read.
    pub token: String,
    /// From the client.
    pub data: Bytes,
}

/// Whether somebody may publish.
#[derive(Debug, Clone)]
pub struct PublishAsk {
    /// Which backend.
    pub proxy: Arc<str>,
    /// Who asks.
    pub asker: Asker,
    /// Where.
    pub channel: String,
    /// What.
    pub data: Data,
}

/// Somebody may publish.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PublishGrant {
    /// Instead of what the client sent.
    pub data: Option<Data>,
    /// Keep nothing of it.
    pub skip_history: bool,
    /// Labels that filters look at.
    pub tags: BTreeMap<String, String>,
    /// Publish once only under this key; empty is none.
    pub idempotency_key: String,
    /// Send it as its difference to the publication before.
    pub delta: bool,
    /// Drop it where the channel has this version or a newer one; 0 is none.
    pub version: u64,
    /// What `version` counts in; empty is none.
    pub version_epoch: String,
}

/// Whether a subscription goes on.
#[derive(Debug, Clone)]
pub struct SubRefreshAsk {
    /// Which backend.
    pub proxy: Arc<str>,
    /// Who asks.
    pub asker: Asker,
    /// In which channel.
    pub channel: String,
}

/// A call.
#[derive(Debug, Clone)]
pub struct RpcAsk {
    /// Which backend.
    pub proxy: Arc<str>,
    /// Who calls.
    pub asker: Asker,
    /// What.
    pub method: String,
    /// With what.
    pub data: Bytes,
}

/// The application, as the hub asks it.
///
/// **Every question is answered, and in bounded time**: a backend that hangs, fails or talks nonsense is an
/// [`INTERNAL`](crate::protocol::ClientError::INTERNAL) error, which is temporary, never a connection that is stuck.
pub trait Backend: Send + Sync + fmt::Debug {
    /// May somebody connect?
    fn connect(&self, ask: ConnectAsk) -> Deferred<Result<ConnectGrant, Refusal>>;
    /// Does a connection go on?
    fn refresh(&self, asker: Asker) -> Deferred<Result<RefreshAnswer, Refusal>>;
    /// May somebody subscribe?
    fn subscribe(&self, ask: SubscribeAsk) -> Deferred<Result<SubscribeGrant, Refusal>>;
    /// May somebody publish?
    fn publish(&self, ask: PublishAsk) -> Deferred<Result<PublishGrant, Refusal>>;
    /// Does a subscription go on?
    fn sub_refresh(&self, ask: SubRefreshAsk) -> Deferred<Result<RefreshAnswer, Refusal>>;
    /// What does a call come to?
    fn rpc(&self, ask: RpcAsk) -> Deferred<Result<Bytes, Refusal>>;
}

/// Takes word of what has happened. It must not block: what it cannot take at once it keeps, within limits.
pub trait Events: Send + Sync + fmt::Debug {
    /// Something happened.
    fn tell(&self, event: Occurrence<'_>);

    /// Whether it wants the messages of clients; without that, a client that sends one is disconnected.
    fn takes_messages(&self) -> bool {
        false
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Occurrence<'a> {
    /// A client connected.
    Connected {
        /// Who.
        asker: &'a Asker,
    },
    /// A client that had connected is gone.
    Disconnected {
        /// Who.
        asker: &'a Asker,
        /// Why.
        disconnect: &'a Disconnect,
    },
    /// A client subscribed.
    Subscribed {
        /// Who.
        asker: &'a Asker,
        /// To what.
        channel: &'a str,
    },
    /// A client is not subscribed any more.
    Unsubscribed {
        /// Who.
        asker: &'a Asker,
        /// To what.
        channel: &'a str,
        /// Why.
        code: u32,
    },
    /// A client sent a message.
    Message {
        /// Who.
        asker: &'a Asker,
        /// What.
        data: &'a Bytes,
    },
    /// A channel has its first subscriber.
    Occupied {
        /// Which.
        channel: &'a str,
    },
    /// A channel has lost its last subscriber.
    Vacated {
        /// Which.
        channel: &'a str,
    },
}
