//! The client protocol on the wire: Centrifugo's client protocol v2, in JSON and in Protobuf.
//!
//! A message holds one or more items: in JSON one a line, in Protobuf each behind its length as a varint. A client sends
//! [`Command`]s, a server [`Reply`]s with the same id, pushes (replies without an id) and pings (empty replies), which the client
//! answers with an empty command.
//!
//! One set of structs serves both encodings: `prost` derives the one, `serde` the other. Only this module and
//! [`options`](crate::options) know the names of fields.

mod code;
mod codec;
mod command;
mod emulation;
mod json;
mod raw;
mod reply;

use serde::{Deserialize, Serialize};

pub use code::{ClientError, Disconnect, Refusal, Unsubscribed};
pub use codec::{Encoding, MAX_COMMANDS, MAX_PARTS, Malformed, Writer};
pub use command::{
    ChannelRequest, Command, ConnectRequest, Empty, HistoryRequest, PublishRequest, RefreshRequest,
    RpcRequest, SendRequest, SubRefreshRequest, SubscribeRequest,
};
pub use emulation::{EmulationRequest, PollRequest};
pub use reply::{
    ClientInfo, ConnectResult, DisconnectPush, ErrorReply, HistoryResult, MessagePush, Presence,
    PresenceResult, PresenceStatsResult, Publication, Push, RefreshPush, RefreshResult, Reply, RpcResult,
    ServerSub, SubRefreshResult, SubscribePush, SubscribeResult, UnsubscribePush,
};

pub(crate) use json::nullable;

/// A place in a channel's stream.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Position {
    /// How many publications the stream has had.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "nullable")]
    pub offset: u64,
    /// Which stream it is: a channel that lost its history begins another one.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "nullable")]
    pub epoch: String,
}

/// Whether a field need not be written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl From<ClientError> for ErrorReply {
    fn from(error: ClientError) -> Self {
        Self { code: error.code, message: error.message.into_owned(), temporary: error.temporary }
    }
}
