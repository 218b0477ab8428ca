//! The suite takes engines as they come on a network: late, and from threads of their own.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::task::{Poll, Waker};
use std::thread;

use super::all;
use crate::clock::ManualClock;
use crate::deferred::Deferred;
use crate::engine::memory::MemoryEngine;
use crate::engine::{Engine, EngineError, Event, History, HistoryQuery, Publish, Published, Sink};

/// An engine whose answers come the second time that they are asked for.
#[derive(Debug)]
struct Late {
    engine: Arc<MemoryEngine>,
    sleeping: Sender<Waker>,
}

impl Late {
    fn new(sink: Arc<dyn Sink>, clock: Arc<ManualClock>) -> Self {
        let (events, handed_on) = channel::<(String, Event)>();
        thread::spawn(move || handed_on.iter().for_each(|(channel, event)| sink.deliver(&channel, event)));
        let (sleeping, wakers) = channel::<Waker>();
        thread::spawn(move || wakers.iter().for_each(Waker::wake));
        Self { engine: Arc::new(MemoryEngine::new(Arc::new(Queue(events)), clock)), sleeping }
    }

    fn late<T: Send + Unpin + 'static>(
        &self,
        ask: impl Fn(&MemoryEngine) -> Deferred<T> + Send + 'static,
    ) -> Deferred<T> {
        let (engine, sleeping, mut asked) = (Arc::clone(&self.engine), self.sleeping.clone(), false);
        let second_time = std::future::poll_fn(move |cx| {
            if asked {
                return Poll::Ready(());
            }
            asked = true;
            sleeping.send(cx.waker().clone()).unwrap();
            Poll::Pending
        });
        Deferred::later(async move {
            second_time.await;
            ask(&engine).await
        })
    }
}

/// Hands on later, in the order of the engine.
#[derive(Debug)]
struct Queue(Sender<(String, Event)>);

impl Sink for Queue {
    fn deliver(&self, channel: &str, event: Event) {
        self.0.send((channel.to_owned(), event)).unwrap();
    }
}

impl Engine for Late {
    fn publish(&self, channel: &str, publish: Publish) -> Deferred<Result<Published, EngineError>> {
        let channel = channel.to_owned();
        self.late(move |engine| engine.publish(&channel, publish.clone()))
    }

    fn announce(&self, channel: &str, event: Event) -> Deferred<Result<(), EngineError>> {
        let channel = channel.to_owned();
        self.late(move |engine| engine.announce(&channel, event.clone()))
    }

    fn history(&self, channel: &str, query: HistoryQuery) -> Deferred<Result<History, EngineError>> {
        let channel = channel.to_owned();
        self.late(move |engine| engine.history(&channel, query.clone()))
    }

    fn remove_history(&self, channel: &str) -> Deferred<Result<(), EngineError>> {
        let channel = channel.to_owned();
        self.late(move |engine| engine.remove_history(&channel))
    }

    fn watch(&self, channel: &str) -> Deferred<Result<(), EngineError>> {
        let channel = channel.to_owned();
        self.late(move |engine| engine.watch(&channel))
    }

    fn unwatch(&self, channel: &str) -> Deferred<Result<(), EngineError>> {
        let channel = channel.to_owned();
        self.late(move |engine| engine.unwatch(&channel))
    }

    fn tick(&self) {
        self.engine.tick();
    }
}

#[test]
fn an_engine_may_answer_and_hand_on_late() {
    all(|sink, clock| Arc::new(Late::new(sink, clock)));
}
