//! Where channels are kept: streams of publications, and the way of each to the nodes that have subscribers.
//!
//! # What must be atomic
//! [`publish`](Engine::publish) appends to the channel's stream and hands the publication to the nodes as **one act for each
//! channel**. Were it two, a subscriber that recovers between them would read a history with publication 7 in it and be handed 7
//! again, or, the other way round, be handed 8 before the history that it reads has 7. And two publishers could append as 7, 8
//! and be handed on as 8, 7: every subscriber would see a gap that is none.
//!
//! # What a subscriber may rely on
//! After [`watch`](Engine::watch) has answered, every publication of the channel is handed on. A [`history`](Engine::history)
//! that is asked for after that has every publication that was handed on before the question. So *watch first, then read, then
//! take from what was handed on meanwhile only what is newer than what was read*: nothing is lost, nothing comes twice.

pub mod memory;
#[cfg(any(test, feature = "testing"))]
pub mod suite;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::data::Data;
use crate::deferred::Deferred;
use crate::protocol::{ClientInfo, Position};

/// One publication in one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    /// The data.
    pub data: Data,
    /// Who published, where that was a client.
    pub info: Option<Arc<ClientInfo>>,
    /// Labels that filters look at.
    pub tags: BTreeMap<String, String>,
    /// Its place in the stream, from 1 on; 0 in a channel that keeps none.
    pub offset: u64,
    /// When it was published, in milliseconds since 1970.
    pub time: i64,
}

/// What is handed to the nodes with subscribers.
#[derive(Debug, Clone)]
pub enum Event {
    /// A publication.
    Publication {
        /// The publication.
        publication: Arc<Publication>,
        /// The one before it in the stream, where differences are wanted.
        previous: Option<Arc<Publication>>,
        /// The stream's epoch; empty in a channel that keeps none.
        epoch: Arc<str>,
    },
    /// Somebody joined.
    Join(Arc<ClientInfo>),
    /// Somebody left.
    Leave(Arc<ClientInfo>),
}

/// Takes what is handed on. Called in the order of each channel, with the channel locked: it must not block, nor call the engine.
pub trait Sink: Send + Sync + fmt::Debug {
    /// Passes an event on to this node's subscribers.
    fn deliver(&self, channel: &str, event: Event);
}

/// What to publish, and how.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The data.
    pub data: Data,
    /// Who publishes, where that is a client.
    pub info: Option<Arc<ClientInfo>>,
    /// Labels that filters look at.
    pub tags: BTreeMap<String, String>,
    /// What the channel keeps.
    pub keep: Keep,
    /// Whether to hand on the publication before as well.
    pub delta: bool,
    /// Publishes no more than once what has the same key.
    pub idempotency: Option<Idempotency>,
    /// Drops what is not newer than the newest.
    pub version: Option<Version>,
}

/// What a channel keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// So many publications. None with 0.
    pub size: usize,
    /// For so long. None with 0.
    pub ttl: Duration,
    /// Its epoch and offset for so long after its last use; for ever with 0.
    pub meta_ttl: Duration,
}

impl Keep {
    /// Whether publications are kept at all.
    pub fn is_some(&self) -> bool {
        self.size > 0 && !self.ttl.is_zero()
    }
}

/// How long a key is remembered where nobody says.
pub const IDEMPOTENCY_TTL: Duration = Duration::from_secs(300);

/// Publishes no more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// What is the same in each attempt, within a channel.
    pub key: String,
    /// How long the key is remembered.
    pub ttl: Duration,
}

/// The version of the state that a publication carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Grows, from 1 on; 0 is no version.
    pub number: u64,
    /// Where the counting began anew; versions of different epochs are not compared. Empty compares with any.
    pub epoch: String,
}

/// What came of a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its place, or that of the publication for whose sake it was dropped; offset 0 in a channel that keeps none.
    pub position: Position,
    /// Why it was dropped, if it was.
    pub dropped: Option<Dropped>,
}

/// Why a publication was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// Its key had been seen.
    Repeated,
    /// Its version was not newer.
    Outdated,
}

/// Which publications are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only those after this position; before it in reverse. Its epoch is not compared here.
    pub since: Option<Position>,
    /// At most so many; all there are with `None`, none with 0.
    pub limit: Option<usize>,
    /// From the newest to the oldest.
    pub reverse: bool,
    /// How long the channel's epoch and offset are kept after this use; for ever with 0.
    pub meta_ttl: Duration,
}

/// Past publications, and where the stream is: both of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// In the order that was asked for.
    pub publications: Vec<Arc<Publication>>,
    /// The stream's position.
    pub position: Position,
}

/// Why an engine could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineError(pub String);

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EngineError {}

/// Keeps channels. The module's documentation says what must be atomic.
pub trait Engine: Send + Sync + fmt::Debug {
    /// Appends to the stream of `channel` and hands on, as one act.
    fn publish(&self, channel: &str, publish: Publish) -> Deferred<Result<Published, EngineError>>;

    /// Hands on that somebody joined or left. Nothing of it is kept.
    fn announce(&self, channel: &str, event: Event) -> Deferred<Result<(), EngineError>>;

    /// Past publications. A channel without a stream gets one.
    fn history(&self, channel: &str, query: HistoryQuery) -> Deferred<Result<History, EngineError>>;

    /// Forgets the publications of `channel`; its position stays.
    fn remove_history(&self, channel: &str) -> Deferred<Result<(), EngineError>>;

    /// From when this has answered on, this node gets what happens in `channel`. Each subscription watches, and unwatches once: the
    /// engine counts them, and does the first and the last of a channel one after the other.
    fn watch(&self, channel: &str) -> Deferred<Result<(), EngineError>>;

    /// Ends one [`watch`](Self::watch); after the last this node need not get what happens in `channel`.
    fn unwatch(&self, channel: &str) -> Deferred<Result<(), EngineError>>;

    /// Forgets what has expired. Called about once a second.
    fn tick(&self) {}
}
