//! What the application may do from outside: publish, look into channels, order clients about.
//!
//! Whoever may use it may do everything: no client's right is asked about. What is checked is that an operation makes sense: that
//! a channel's name can be one, that its namespace keeps what is asked for, that the data has its format.

mod channels;
mod clients;
mod pattern;
mod publish;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::engine::EngineError;
use crate::node::Node;
use crate::protocol::ClientError;
use crate::rules::{Channel, Rules};

pub use channels::NodeInfo;
pub use publish::{BROADCAST_CHANNELS, IDEMPOTENCY, Message, PATTERN_CHANNELS};

/// What the application may do on a node, from [`Node::api`](Node::api).
///
/// Operations on channels answer when they are done. Orders to clients (`subscribe`, `unsubscribe`, `disconnect`, `refresh`)
/// answer when they are on their way: whether any client is there for them is not known.
#[derive(Debug, Clone, Copy)]
pub struct Api<'a> {
    node: &'a Node,
}

/// Why an operation was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// What kind of fault it is.
    pub error: ClientError,
    /// A sentence for people that names the thing, the value and the limit.
    pub detail: String,
}

impl<'a> Api<'a> {
    pub(crate) fn new(node: &'a Node) -> Self {
        Self { node }
    }
}

impl ApiError {
    fn bad_request(detail: impl Into<String>) -> Self {
        Self { error: ClientError::BAD_REQUEST, detail: detail.into() }
    }

    fn not_available(detail: impl Into<String>) -> Self {
        Self { error: ClientError::NOT_AVAILABLE, detail: detail.into() }
    }

    fn limit_exceeded(detail: impl Into<String>) -> Self {
        Self { error: ClientError::LIMIT_EXCEEDED, detail: detail.into() }
    }

    /// What went wrong in the engine is for the log.
    fn internal(channel: &str, error: &EngineError) -> Self {
        tracing::error!(channel, %error, "the engine failed the server API");
        let detail = format!("channel {channel:?} could not be reached; the server's log says why");
        Self { error: ClientError::INTERNAL, detail }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.detail)
    }
}

impl std::error::Error for ApiError {}

/// The channel of a name.
fn channel<'r>(rules: &'r Rules, name: &'r str) -> Result<Channel<'r>, ApiError> {
    if name.is_empty() {
        return Err(ApiError::bad_request("a channel is needed, and its name is empty"));
    }
    rules.channel(name).map_err(|error| {
        let detail = if error == ClientError::UNKNOWN_CHANNEL {
            format!("there is no namespace for channel {name:?}; add it to the configuration, or mend the name")
        } else {
            let shown: String = name.chars().take(64).collect();
            let length = name.len();
            format!(
                "channel {shown:?} ({length} bytes) cannot be: the name is too long, or has characters that its \
                 namespace does not allow"
            )
        };
        ApiError { error, detail }
    })
}
