//! A node whose engine fails or dawdles in some channels, and members that remember what they were given.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use antiphon_proto::Prepared;
use bytes::Bytes;

use crate::auth::{Fetch, TokenOptions, Verifier};
use crate::backend::{
    Asker, Backend, ConnectAsk, ConnectGrant, Events, Occurrence, PublishAsk, PublishGrant, RefreshAnswer,
    RpcAsk, SubRefreshAsk, SubscribeAsk, SubscribeGrant,
};
use crate::channels::{Control, Local, Member, Membership, Wants};
use crate::clock::ManualClock;
use crate::data::Data;
use crate::deferred::Deferred;
use crate::engine::memory::MemoryEngine;
use crate::engine::{Engine, EngineError, Event, History, HistoryQuery, Publish, Published};
use crate::options::{ChannelOptions, DataFormat, Namespace};
use crate::presence::memory::MemoryPresence;
use crate::protocol::{ClientError, Encoding, Refusal};
use crate::rules::{RuleBook, Rules};
use crate::{Hub, Keys, Node, NodeParts, Span};

/// When tests begin, in seconds since 1970.
pub(super) const NOW: u64 = 1_700_000_000;

pub(super) struct Rig {
    pub(super) node: Node,
    pub(super) local: Rc<Local>,
    pub(super) clock: Arc<ManualClock>,
}

impl Rig {
    /// With the namespaces `kept` (history of 3, presence), `json` (objects only), `late` and `broken` (as `kept`, with an engine
    /// that answers later or not at all), and nothing outside of them but publications.
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::at(NOW * 1000));
        let hub = Arc::new(Hub::new(1));
        let engine = MemoryEngine::new(Arc::<Hub>::clone(&hub), Arc::<ManualClock>::clone(&clock));
        let kept = ChannelOptions {
            history_size: 3,
            history_ttl: Span::seconds(60),
            presence: true,
            ..ChannelOptions::default()
        };
        let json = ChannelOptions {
            publication_data_format: Some(DataFormat::JsonObject),
            ..ChannelOptions::default()
        };
        let namespaces = [("kept", &kept), ("late", &kept), ("broken", &kept), ("json", &json)];
        let namespaces = namespaces
            .map(|(name, options)| Namespace { name: name.to_owned(), options: options.clone() })
            .to_vec();
        let rules = Rules::new(RuleBook { namespaces, ..RuleBook::default() }).unwrap();
        let options = TokenOptions::default();
        let verifier = Verifier::new(&options, Arc::new(Nobody), Arc::<ManualClock>::clone(&clock)).unwrap();
        let verifier = Arc::new(verifier);
        let node = Node::new(NodeParts {
            rules,
            keys: Keys { connect: Arc::clone(&verifier), subscribe: verifier },
            engine: Arc::new(Moody(engine)),
            presence: Arc::new(MemoryPresence::new()),
            backend: Arc::new(Nobody),
            events: Arc::new(Nobody),
            hub: Arc::clone(&hub),
            clock: Arc::<ManualClock>::clone(&clock),
            detach: Box::new(|_| {}),
            version: "1.2.3",
        });
        let local = Local::new(hub, Arc::clone(node.metrics()), 0);
        Self { node, local, clock }
    }

    /// A member of a channel, for as long as the membership is held.
    pub(super) fn join(&self, channel: &str) -> (Rc<Listener>, Membership) {
        let member = Rc::<Listener>::default();
        let wants = Wants { encoding: Some(Encoding::Json), join_leave: false, delta: false, filter: None };
        let membership = self.local.join(channel, Rc::<Listener>::clone(&member), wants, false);
        (member, membership)
    }

    /// A client that orders reach.
    pub(super) fn client(&self, id: &str, user: &str) -> Rc<Listener> {
        let member = Rc::<Listener>::default();
        self.local.enter(&id.into(), &user.into(), 0, Rc::<Listener>::clone(&member));
        member
    }
}

/// Remembers what it was given.
#[derive(Default)]
pub(super) struct Listener {
    pub(super) frames: Cell<usize>,
    pub(super) orders: RefCell<Vec<Arc<Control>>>,
}

impl Member for Listener {
    fn queue(&self, _: &Prepared) -> bool {
        self.frames.set(self.frames.get() + 1);
        true
    }

    fn flush(&self) {}

    fn lost(&self, _: &str) {}

    fn order(&self, control: &Arc<Control>) {
        self.orders.borrow_mut().push(Arc::clone(control));
    }
}

/// Keeps channels in memory, but answers later for those in `late`, and never well for those in `broken`.
#[derive(Debug)]
struct Moody(MemoryEngine);

fn mood<T: Send + Unpin + 'static>(
    channel: &str,
    answer: impl FnOnce() -> Deferred<Result<T, EngineError>>,
) -> Deferred<Result<T, EngineError>> {
    if channel.starts_with("broken:") {
        return Deferred::now(Err(EngineError("the disk is full".into())));
    }
    let answer = answer();
    if !channel.starts_with("late:") {
        return answer;
    }
    Deferred::later(async {
        let mut turns = 0;
        std::future::poll_fn(|cx| {
            turns += 1;
            cx.waker().wake_by_ref();
            if turns > 3 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        answer.await
    })
}

impl Engine for Moody {
    fn publish(&self, channel: &str, publish: Publish) -> Deferred<Result<Published, EngineError>> {
        mood(channel, || self.0.publish(channel, publish))
    }

    fn announce(&self, channel: &str, event: Event) -> Deferred<Result<(), EngineError>> {
        self.0.announce(channel, event)
    }

    fn history(&self, channel: &str, query: HistoryQuery) -> Deferred<Result<History, EngineError>> {
        mood(channel, || self.0.history(channel, query))
    }

    fn remove_history(&self, channel: &str) -> Deferred<Result<(), EngineError>> {
        mood(channel, || self.0.remove_history(channel))
    }

    fn watch(&self, channel: &str) -> Deferred<Result<(), EngineError>> {
        self.0.watch(channel)
    }

    fn unwatch(&self, channel: &str) -> Deferred<Result<(), EngineError>> {
        self.0.unwatch(channel)
    }
}

/// An application that answers nothing.
#[derive(Debug)]
struct Nobody;

fn no<T>() -> Deferred<Result<T, Refusal>> {
    Deferred::now(Err(ClientError::NOT_AVAILABLE.into()))
}

impl Backend for Nobody {
    fn connect(&self, _: ConnectAsk) -> Deferred<Result<ConnectGrant, Refusal>> {
        no()
    }

    fn refresh(&self, _: Asker) -> Deferred<Result<RefreshAnswer, Refusal>> {
        no()
    }

    fn subscribe(&self, _: SubscribeAsk) -> Deferred<Result<SubscribeGrant, Refusal>> {
        no()
    }

    fn publish(&self, _: PublishAsk) -> Deferred<Result<PublishGrant, Refusal>> {
        no()
    }

    fn sub_refresh(&self, _: SubRefreshAsk) -> Deferred<Result<RefreshAnswer, Refusal>> {
        no()
    }

    fn rpc(&self, _: RpcAsk) -> Deferred<Result<Bytes, Refusal>> {
        no()
    }
}

impl Events for Nobody {
    fn tell(&self, _: Occurrence<'_>) {}
}

impl Fetch for Nobody {
    fn fetch(&self, _: &str) -> Deferred<Result<Bytes, String>> {
        Deferred::now(Err("there is no network".into()))
    }
}

/// Data in JSON.
pub(super) fn json(text: &'static str) -> Data {
    Data::Json(Bytes::from_static(text.as_bytes()))
}

/// So many seconds.
pub(super) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
