//! An application that answers what it is told to, and remembers what it was asked and told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use antiphon_hub::Deferred;
use antiphon_hub::backend::{
    Asker, Backend, ConnectAsk, ConnectGrant, Events, Occurrence, PublishAsk, PublishGrant, RefreshAnswer,
    RpcAsk, SubRefreshAsk, SubscribeAsk, SubscribeGrant,
};
use antiphon_hub::protocol::Refusal;
use bytes::Bytes;

use super::Desk;

/// What it answers.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    pub(crate) connect: Result<ConnectGrant, Refusal>,
    pub(crate) refresh: Result<RefreshAnswer, Refusal>,
    pub(crate) subscribe: Result<SubscribeGrant, Refusal>,
    pub(crate) publish: Result<PublishGrant, Refusal>,
    pub(crate) sub_refresh: Result<RefreshAnswer, Refusal>,
    pub(crate) rpc: Result<Bytes, Refusal>,
}

/// The application. Each kind of question can be answered late: see [`Desk::slow_down`].
#[derive(Debug)]
pub(crate) struct Application {
    desk: Arc<Desk>,
    answers: Mutex<Answers>,
    asked: Mutex<Vec<String>>,
}

impl Application {
    pub(crate) fn new(desk: Arc<Desk>) -> Self {
        let answers = Answers {
            connect: Ok(ConnectGrant::default()),
            refresh: Ok(RefreshAnswer::Expired),
            subscribe: Ok(SubscribeGrant::default()),
            publish: Ok(PublishGrant::default()),
            sub_refresh: Ok(RefreshAnswer::Expired),
            rpc: Ok(Bytes::from_static(b"{}")),
        };
        Self { desk, answers: Mutex::new(answers), asked: Mutex::default() }
    }

    /// Changes what it answers.
    pub(crate) fn answers(&self, change: impl FnOnce(&mut Answers)) {
        change(&mut self.answers.lock().unwrap());
    }

    /// What it has been asked since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn answer<T: Send + 'static>(
        &self,
        kind: &'static str,
        about: String,
        pick: impl FnOnce(Answers) -> Result<T, Refusal>,
    ) -> Deferred<Result<T, Refusal>> {
        self.asked.lock().unwrap().push(about);
        let answer = pick(self.answers.lock().unwrap().clone());
        self.desk.ask(kind, "application", move || answer)
    }
}

impl Backend for Application {
    fn connect(&self, ask: ConnectAsk) -> Deferred<Result<ConnectGrant, Refusal>> {
        self.answer("connect", format!("connect {} {:?}", ask.name, ask.data), |answers| answers.connect)
    }

    fn refresh(&self, asker: Asker) -> Deferred<Result<RefreshAnswer, Refusal>> {
        self.answer("refresh", format!("refresh {}", asker.user), |answers| answers.refresh)
    }

    fn subscribe(&self, ask: SubscribeAsk) -> Deferred<Result<SubscribeGrant, Refusal>> {
        let about = format!("subscribe {} {}", ask.asker.user, ask.channel);
        self.answer("subscribe", about, |answers| answers.subscribe)
    }

    fn publish(&self, ask: PublishAsk) -> Deferred<Result<PublishGrant, Refusal>> {
        self.answer("may publish", format!("publish {} {:?}", ask.channel, ask.data), |answers| {
            answers.publish
        })
    }

    fn sub_refresh(&self, ask: SubRefreshAsk) -> Deferred<Result<RefreshAnswer, Refusal>> {
        let about = format!("sub_refresh {} {}", ask.asker.user, ask.channel);
        self.answer("sub_refresh", about, |answers| answers.sub_refresh)
    }

    fn rpc(&self, ask: RpcAsk) -> Deferred<Result<Bytes, Refusal>> {
        self.answer("rpc", format!("rpc {} {:?}", ask.method, ask.data), |answers| answers.rpc)
    }
}

/// What the application was told, one line each.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) takes_messages: AtomicBool,
    pub(crate) is_deaf: AtomicBool,
    lines: Mutex<Vec<String>>,
}

impl Told {
    /// What it has been told since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap())
    }
}

impl Events for Told {
    fn tell(&self, event: Occurrence<'_>) {
        if self.is_deaf.load(Ordering::Relaxed) {
            return;
        }
        self.lines.lock().unwrap().push(match event {
            Occurrence::Connected { asker } => format!("connected {:?}", asker.user),
            Occurrence::Disconnected { asker, disconnect } => {
                format!("disconnected {:?} {}", asker.user, disconnect.code)
            }
            Occurrence::Subscribed { channel, .. } => format!("subscribed {channel}"),
            Occurrence::Unsubscribed { channel, code, .. } => format!("unsubscribed {channel} {code}"),
            Occurrence::Message { data, .. } => format!("message {data:?}"),
            Occurrence::Occupied { channel } => format!("occupied {channel}"),
            Occurrence::Vacated { channel } => format!("vacated {channel}"),
        });
    }

    fn takes_messages(&self) -> bool {
        self.takes_messages.load(Ordering::Relaxed)
    }
}
