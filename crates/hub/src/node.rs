//! What all sessions of a process share.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use tracing::{Instrument as _, Span};

use crate::api::Api;
use crate::auth::{Revocations, Verifier};
use crate::backend::{Backend, Events};
use crate::census::Census;
use crate::channels::Hub;
use crate::clock::Clock;
use crate::cluster::{Alone, Cluster};
use crate::deferred::Deferred;
use crate::directory::Directory;
use crate::engine::{Engine, EngineError, Publish, Published};
use crate::inspect::{Inspection, Inspector};
use crate::metrics::Metrics;
use crate::presence::Presence;
use crate::rules::Rules;
use crate::trace;

/// Revocations that are kept at most.
const REVOCATIONS: usize = 100_000;

/// Runs a future that nobody waits for.
pub type Detach = Box<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

/// What a node is made of.
pub struct NodeParts {
    /// What clients may do.
    pub rules: Rules,
    /// Who checks tokens.
    pub keys: Keys,
    /// Keeps channels; it hands on to `hub`.
    pub engine: Arc<dyn Engine>,
    /// Keeps track of who is in channels.
    pub presence: Arc<dyn Presence>,
    /// The application, where it is asked.
    pub backend: Arc<dyn Backend>,
    /// The application, where it is told.
    pub events: Arc<dyn Events>,
    /// The workers' mailboxes.
    pub hub: Arc<Hub>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Runs what nobody waits for.
    pub detach: Detach,
    /// The server's version, as clients are told.
    pub version: &'static str,
}

/// Who checks tokens.
#[derive(Debug)]
pub struct Keys {
    /// Those of connections.
    pub connect: Arc<Verifier>,
    /// Those of subscriptions.
    pub subscribe: Arc<Verifier>,
}

/// What all sessions of a process share.
pub struct Node {
    rules: ArcSwap<Rules>,
    keys: ArcSwap<Keys>,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) presence: Arc<dyn Presence>,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) events: Arc<dyn Events>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) census: Census,
    /// Connections that have come, to tell which of two came first.
    pub(crate) arrivals: AtomicU64,
    pub(crate) directory: Directory,
    pub(crate) inspection: Inspection,
    cluster: Arc<dyn Cluster>,
    pub(crate) revocations: Revocations,
    pub(crate) version: &'static str,
    pub(crate) identity: Identity,
    detach: Detach,
}

/// Which node it is.
#[derive(Debug)]
pub(crate) struct Identity {
    /// Another one each time that a process starts.
    pub(crate) uid: String,
    /// For people.
    pub(crate) name: String,
    /// When it was made, in seconds since 1970.
    pub(crate) started: u64,
}

impl Identity {
    fn new(clock: &dyn Clock) -> Self {
        // Nothing secret: two hashers with keys of their own tell nodes apart.
        let half = || RandomState::new().hash_one(clock.unix_ms());
        let uid = format!("{:016x}{:016x}", half(), half());
        Self { name: uid.clone(), uid, started: clock.unix() }
    }
}

impl Node {
    /// A node.
    pub fn new(parts: NodeParts) -> Self {
        parts.hub.report_to(Arc::clone(&parts.events), Arc::clone(&parts.clock));
        Self {
            rules: ArcSwap::from_pointee(parts.rules),
            keys: ArcSwap::from_pointee(parts.keys),
            engine: parts.engine,
            presence: parts.presence,
            backend: parts.backend,
            events: parts.events,
            hub: parts.hub,
            metrics: Arc::default(),
            census: Census::default(),
            arrivals: AtomicU64::default(),
            directory: Directory::default(),
            inspection: Inspection::default(),
            cluster: Arc::new(Alone),
            revocations: Revocations::new(REVOCATIONS, Arc::clone(&parts.clock)),
            identity: Identity::new(&*parts.clock),
            clock: parts.clock,
            version: parts.version,
            detach: parts.detach,
        }
    }

    /// The node with a name for people. Without one, its id is its name.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.identity.name);
        self
    }

    /// The node among others. Without this it has none.
    #[must_use]
    pub fn with_cluster(mut self, cluster: Arc<dyn Cluster>) -> Self {
        self.cluster = cluster;
        self
    }

    /// The way to other nodes.
    pub fn cluster(&self) -> &Arc<dyn Cluster> {
        &self.cluster
    }

    /// What clients may do now.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    pub(crate) fn keys(&self) -> Arc<Keys> {
        self.keys.load_full()
    }

    /// What clients may do from now on, and who checks tokens. Subscriptions that there are stay as they are.
    pub fn reload(&self, rules: Rules, keys: Keys) {
        self.rules.store(Arc::new(rules));
        self.keys.store(Arc::new(keys));
    }

    /// What it counts.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The workers' mailboxes.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Where the sessions are that somebody may ask for.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Its id: another one each time that a process starts.
    pub fn uid(&self) -> &str {
        &self.identity.uid
    }

    /// Tokens that are not taken any more.
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// How many users are connected.
    pub fn users(&self) -> usize {
        self.census.users()
    }

    /// Forgets what has expired. To be called about once a second.
    pub fn tick(&self) {
        self.engine.tick();
        self.revocations.tick();
        self.directory.tick(self.clock.unix());
        self.inspection.traces.tick(self.clock.unix_ms());
    }

    /// What the application may do, however it asks.
    pub fn api(&self) -> Api<'_> {
        Api::new(self)
    }

    /// What an operator may see of its connections.
    pub fn inspector(&self) -> Inspector<'_> {
        Inspector::new(self)
    }

    /// Publishes. The caller's worker delivers what is for its own members when its turn ends.
    pub fn publish(&self, channel: &str, publish: Publish) -> Deferred<Result<Published, EngineError>> {
        self.metrics.publications.add(1);
        let span = trace::publish(channel, &publish);
        if span.is_disabled() {
            return self.engine.publish(channel, publish);
        }
        let entered = span.enter();
        let engine = trace::engine(channel);
        match engine.in_scope(|| self.engine.publish(channel, publish)) {
            Deferred::Now(outcome) => {
                outcome.iter().for_each(|outcome| trace::published(&span, outcome));
                Deferred::Now(outcome)
            }
            Deferred::Later(future) => {
                drop(entered);
                let answered = async move {
                    let outcome = future.instrument(engine).await;
                    trace::published(&Span::current(), &outcome);
                    outcome
                };
                Deferred::later(answered.instrument(span))
            }
        }
    }

    /// Lets an answer come that nobody waits for.
    pub(crate) fn detach(&self, deferred: Deferred<Result<(), EngineError>>) {
        match deferred {
            Deferred::Now(Some(Err(error))) => tracing::warn!(%error, "an engine failed"),
            Deferred::Now(_) => {}
            Deferred::Later(future) => (self.detach)(Box::pin(async move {
                if let Err(error) = future.await {
                    tracing::warn!(%error, "an engine failed");
                }
            })),
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("engine", &self.engine).finish_non_exhaustive()
    }
}
