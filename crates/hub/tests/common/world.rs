//! A node in virtual time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::{Deref, Range};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use antiphon_hub::auth::{Fetch, TokenOptions, Verifier, sign};
use antiphon_hub::clock::{Clock as _, ManualClock};
use antiphon_hub::data::Data;
use antiphon_hub::engine::{Keep, Publish, Published};
use antiphon_hub::rules::{RuleBook, Rules};
use antiphon_hub::{Deferred, Hub, Keys, Local, Node, NodeParts, Seed, WorkerId};
use bytes::Bytes;
use serde_json::Value;

use super::{Application, Desk, Fault, Peer, Slow, Told};

/// When every world begins, in milliseconds since 1970.
pub(crate) const BEGIN: u64 = 1_800_000_000_000;

/// What tokens are signed with.
pub(crate) const SECRET: &str = "secret";

type Detached = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A node, and what it stands on: what threads may share.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) node: Arc<Node>,
    pub(crate) engine: Arc<Slow>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) application: Arc<Application>,
    pub(crate) told: Arc<Told>,
    pub(crate) clock: Arc<ManualClock>,
    detached: Arc<Mutex<Vec<Detached>>>,
    begin: Instant,
}

/// A stage with workers.
pub(crate) struct World {
    stage: Stage,
    pub(crate) locals: Vec<Rc<Local>>,
    first: WorkerId,
    seeds: Cell<u64>,
    rung: Rc<RefCell<BTreeSet<u64>>>,
}

/// What a world is made of.
#[derive(Default)]
pub(crate) struct WorldParts {
    pub(crate) book: RuleBook,
    pub(crate) workers: WorkerId,
    pub(crate) fault: Fault,
    /// The engine passes on everything, whether it is watched or not, as the one in memory does.
    pub(crate) is_open: bool,
    /// What is handed on is written down.
    pub(crate) is_taped: bool,
}

/// There is nothing to fetch.
#[derive(Debug)]
struct Nothing;

impl Fetch for Nothing {
    fn fetch(&self, url: &str) -> Deferred<Result<Bytes, String>> {
        Deferred::now(Err(format!("nothing is at {url}")))
    }
}

impl Stage {
    pub(crate) fn new(parts: WorldParts) -> Self {
        let clock = Arc::new(ManualClock::at(BEGIN));
        let hub = Arc::new(Hub::new(parts.workers));
        let desk = Arc::<Desk>::default();
        let engine = Slow::new(Arc::clone(&hub), clock.clone(), Arc::clone(&desk), &parts);
        let application = Arc::new(Application::new(Arc::clone(&desk)));
        let told = Arc::<Told>::default();
        let detached: Arc<Mutex<Vec<Detached>>> = Arc::default();
        let later = Arc::clone(&detached);
        let verifier = Arc::new(Verifier::new(&tokens(), Arc::new(Nothing), clock.clone()).unwrap());
        let node = Arc::new(Node::new(NodeParts {
            rules: Rules::new(parts.book).unwrap(),
            keys: Keys { connect: Arc::clone(&verifier), subscribe: verifier },
            engine: engine.clone(),
            presence: engine.clone(),
            backend: application.clone(),
            events: told.clone(),
            hub,
            clock: clock.clone(),
            detach: Box::new(move |future| later.lock().unwrap().push(future)),
            version: "test",
        }));
        Self { node, engine, desk, application, told, clock, detached, begin: Instant::now() }
    }
}

impl Deref for World {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl World {
    /// With one worker.
    pub(crate) fn new(book: RuleBook) -> Self {
        Self::with(WorldParts { book, workers: 1, ..WorldParts::default() })
    }

    pub(crate) fn with(parts: WorldParts) -> Self {
        let workers = parts.workers;
        Self::on(Stage::new(parts), 0..workers)
    }

    /// With some of the stage's workers. Their places in `locals` count from the first of them.
    pub(crate) fn on(stage: Stage, workers: Range<WorkerId>) -> Self {
        let first = workers.start;
        let locals = workers
            .map(|worker| Local::new(Arc::clone(stage.node.hub()), Arc::clone(stage.node.metrics()), worker))
            .collect();
        Self { stage, locals, first, seeds: Cell::new(u64::from(first) << 32), rung: Rc::default() }
    }

    /// The time of the sessions.
    pub(crate) fn now(&self) -> Instant {
        self.begin + Duration::from_millis(self.clock.unix_ms() - BEGIN)
    }

    /// The time of day, in milliseconds since 1970.
    pub(crate) fn unix_ms(&self) -> u64 {
        self.clock.unix_ms()
    }

    /// The time of day, in seconds since 1970.
    pub(crate) fn unix(&self) -> u64 {
        self.clock.unix()
    }

    /// Lets time pass, in seconds.
    pub(crate) fn pass(&self, seconds: f64) {
        self.clock.advance((seconds * 1000.0) as u64);
    }

    /// The connections that something has come for since the last time, by number.
    pub(crate) fn take_rung(&self) -> BTreeSet<u64> {
        self.rung.take()
    }

    /// A number for a connection, and what its number goes into when something has come for it.
    pub(crate) fn number(&self) -> (u64, Rc<RefCell<BTreeSet<u64>>>) {
        (self.seeds.replace(self.seeds.get() + 1), Rc::clone(&self.rung))
    }

    /// What a session takes for random: an id, and the first ping after half of the interval of 25 s.
    pub(crate) fn seed(number: u64) -> Seed {
        let id = u128::from(number).to_be_bytes();
        Seed { id, secret: id, spread: 12_500_000_000 }
    }

    /// Lets run what nobody waits for.
    pub(crate) fn run_detached(&self) {
        let mut cx = Context::from_waker(Waker::noop());
        self.detached.lock().unwrap().retain_mut(|future| future.as_mut().poll(&mut cx).is_pending());
    }

    /// Delivers, and gives everybody a turn, until nothing is left to do for any worker.
    pub(crate) fn settle(&self, peers: &mut [&mut Peer]) {
        for _ in 0..100 {
            self.locals.iter().for_each(|local| local.deliver());
            self.run_detached();
            peers.iter_mut().for_each(|peer| peer.turn(self));
            let has_mail = (0..self.locals.len()).any(|worker| self.has_mail(worker));
            if !has_mail && peers.iter().all(|peer| !peer.has_turn()) {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    /// Whether something waits for a worker.
    pub(crate) fn has_mail(&self, worker: usize) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.node.hub().poll_some(self.first + worker as WorkerId, &mut cx).is_ready()
    }

    /// Publishes as the server API does.
    pub(crate) fn publish(&self, channel: &str, publish: Publish) -> Published {
        match self.node.publish(channel, publish) {
            Deferred::Now(published) => published.unwrap().unwrap(),
            Deferred::Later(_) => panic!("this world's engine is slow"),
        }
    }

    /// What a channel keeps.
    pub(crate) fn keep(&self, channel: &str) -> Keep {
        self.node.rules().channel(channel).unwrap().rules.keep
    }

    /// Nothing is left of any client. What was given back may still wait at the desk.
    pub(crate) fn assert_vacant(&self) {
        while self.desk.do_next().is_some() {}
        self.run_detached();
        self.locals.iter().for_each(|local| local.deliver());
        assert_eq!(self.node.hub().channel_count(), 0, "channels have members");
        assert_eq!(self.node.users(), 0, "users are counted");
        assert_eq!(self.engine.everyone(), BTreeSet::new(), "clients are present");
        assert_eq!(self.engine.watches(), 0, "channels are watched");
        let metrics = self.node.metrics();
        assert_eq!(
            (metrics.clients.value(), metrics.subscriptions.value()),
            (0, 0),
            "clients, subscriptions"
        );
        assert!(self.detached.lock().unwrap().is_empty(), "something never came to an end");
    }
}

fn tokens() -> TokenOptions {
    TokenOptions { hmac_secret_key: SECRET.into(), ..TokenOptions::default() }
}

/// A token that says `claims`.
pub(crate) fn token(claims: &Value) -> String {
    sign(&tokens(), claims).unwrap()
}

/// Data in JSON.
pub(crate) fn json(text: &str) -> Data {
    Data::Json(text.to_owned().into())
}

/// A publication as the server API makes it.
pub(crate) fn publish(data: Data, keep: Keep) -> Publish {
    Publish {
        data,
        info: None,
        tags: Default::default(),
        keep,
        delta: false,
        idempotency: None,
        version: None,
    }
}
