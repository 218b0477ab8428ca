//! An engine and a presence that answer when the test says so, and break their promises when it says so.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};

use antiphon_hub::clock::Clock;
use antiphon_hub::engine::memory::MemoryEngine;
use antiphon_hub::engine::{
    Engine, EngineError, Event, History, HistoryQuery, Keep, Publication, Publish, Published, Sink,
};
use antiphon_hub::presence::memory::MemoryPresence;
use antiphon_hub::presence::{Presence, PresenceStats};
use antiphon_hub::protocol::ClientInfo;
use antiphon_hub::{Deferred, Hub};

use super::{Desk, WorldParts};

/// Which promise of an engine is broken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    /// None.
    #[default]
    None,
    /// A publication is appended first, and handed on in another step, in whatever order.
    HandsOnLater,
    /// A publication is handed on first, and appended in another step.
    AppendsLater,
    /// `watch` answers before it has an effect.
    WatchesLate,
    /// `history` answers what there was when the channel began to be watched.
    ReadsEarly,
}

/// The engine in memory and the presence in memory, behind a desk. It hands on what happens in channels that are watched, as an
/// engine on a network does.
pub(crate) struct Slow {
    engine: Arc<MemoryEngine>,
    presence: Arc<MemoryPresence>,
    /// The same again: channels with the clients in them.
    everyone: Arc<Mutex<BTreeSet<(String, String)>>>,
    gate: Arc<Gate>,
    desk: Arc<Desk>,
    fault: Fault,
    early: Arc<Mutex<HashMap<String, History>>>,
}

/// Lets events through to the hub in channels that are watched.
struct Gate {
    hub: Arc<Hub>,
    /// Lets through everything, without a lock of its own.
    is_open: bool,
    /// What was handed on so far, whether or not anybody watched, where that is wanted.
    tape: Option<Mutex<Vec<(String, Event)>>>,
    state: Mutex<GateState>,
}

#[derive(Default)]
struct GateState {
    watches: HashMap<String, usize>,
    /// Keeps what comes until it is let through.
    holds: bool,
    drops: bool,
    held: VecDeque<(String, Event)>,
}

impl Gate {
    fn pass(&self, channel: &str, event: Event) {
        // As in the engine itself: nobody gets in between.
        let state = self.state.lock().unwrap();
        if state.watches.contains_key(channel) {
            self.hub.deliver(channel, event);
        }
    }
}

impl Sink for Gate {
    fn deliver(&self, channel: &str, event: Event) {
        if let Some(tape) = &self.tape {
            tape.lock().unwrap().push((channel.to_owned(), event.clone()));
        }
        if self.is_open {
            return self.hub.deliver(channel, event);
        }
        let mut state = self.state.lock().unwrap();
        if state.drops {
            return;
        }
        if state.holds && matches!(event, Event::Publication { .. }) {
            state.held.push_back((channel.to_owned(), event));
            return;
        }
        drop(state);
        self.pass(channel, event);
    }
}

impl Slow {
    pub(crate) fn new(
        hub: Arc<Hub>,
        clock: Arc<dyn Clock>,
        desk: Arc<Desk>,
        parts: &WorldParts,
    ) -> Arc<Self> {
        let WorldParts { fault, is_open, .. } = *parts;
        let state = GateState { holds: fault == Fault::HandsOnLater, ..GateState::default() };
        let tape = parts.is_taped.then(Mutex::default);
        let gate = Arc::new(Gate { hub, is_open, tape, state: Mutex::new(state) });
        let sink: Arc<dyn Sink> = Arc::<Gate>::clone(&gate);
        let engine = Arc::new(MemoryEngine::new(sink, clock));
        let (presence, everyone, early) = (Arc::default(), Arc::default(), Arc::default());
        Arc::new(Self { engine, presence, everyone, gate, desk, fault, early })
    }

    /// How many watch a channel.
    pub(crate) fn watches(&self) -> usize {
        self.gate.state.lock().unwrap().watches.values().sum()
    }

    /// What has been handed on since the last time, in order.
    pub(crate) fn take_tape(&self) -> Vec<(String, Event)> {
        self.gate.tape.as_ref().map(|tape| std::mem::take(&mut *tape.lock().unwrap())).unwrap_or_default()
    }

    /// How many publications wait to be handed on.
    pub(crate) fn held(&self) -> usize {
        self.gate.state.lock().unwrap().held.len()
    }

    /// Hands on one of them.
    pub(crate) fn hand_on(&self, index: usize) {
        let held = self.gate.state.lock().unwrap().held.remove(index);
        let (channel, event) = held.unwrap();
        self.gate.pass(&channel, event);
    }

    /// Who is in which channel by now.
    pub(crate) fn everyone(&self) -> BTreeSet<(String, String)> {
        self.everyone.lock().unwrap().clone()
    }

    /// Who is in a channel by now, without asking at the desk.
    pub(crate) fn present(&self, channel: &str) -> Vec<Arc<ClientInfo>> {
        now(self.presence.list(channel)).unwrap()
    }

    /// How many, likewise.
    pub(crate) fn present_stats(&self, channel: &str) -> PresenceStats {
        now(self.presence.stats(channel)).unwrap()
    }

    /// What a channel keeps by now, likewise. It is a use of the channel as any other.
    pub(crate) fn kept(&self, channel: &str, keep: Keep) -> History {
        let query = HistoryQuery { meta_ttl: keep.meta_ttl, ..HistoryQuery::default() };
        now(self.engine.history(channel, query)).unwrap()
    }
}

/// What is answered at once.
fn now<T>(deferred: Deferred<T>) -> T {
    match deferred {
        Deferred::Now(value) => value.unwrap(),
        Deferred::Later(_) => panic!("a memory answers at once"),
    }
}

/// Appends what was handed on before it was appended.
fn append(engine: &MemoryEngine, gate: &Gate, channel: &str, publish: Publish) {
    gate.state.lock().unwrap().drops = true;
    now(engine.publish(channel, publish)).unwrap();
    gate.state.lock().unwrap().drops = false;
}

fn change_watches(gate: &Gate, channel: &str, change: isize) {
    let mut state = gate.state.lock().unwrap();
    let count = state.watches.entry(channel.to_owned()).or_default();
    *count = count.checked_add_signed(change).expect("nobody unwatches who does not watch");
    if *count == 0 {
        state.watches.remove(channel);
    }
}

impl Engine for Slow {
    fn publish(&self, channel: &str, publish: Publish) -> Deferred<Result<Published, EngineError>> {
        if self.fault == Fault::AppendsLater {
            let position = self.kept(channel, publish.keep).position;
            let publication = Publication {
                data: publish.data.clone(),
                info: None,
                tags: publish.tags.clone(),
                offset: position.offset + 1,
                time: 0,
            };
            let event = Event::Publication {
                publication: Arc::new(publication),
                previous: None,
                epoch: position.epoch.as_str().into(),
            };
            self.gate.pass(channel, event);
            let (engine, gate, name) = (Arc::clone(&self.engine), Arc::clone(&self.gate), channel.to_owned());
            drop(self.desk.ask("append", "append", move || append(&engine, &gate, &name, publish)));
            let answer = Published { position, dropped: None };
            return Deferred::now(Ok(answer));
        }
        let (engine, name) = (Arc::clone(&self.engine), channel.to_owned());
        // Publishers are others than those who subscribe: they do not wait for each other.
        self.desk
            .ask("publish", &format!("{channel}, publishers"), move || now(engine.publish(&name, publish)))
    }

    fn announce(&self, channel: &str, event: Event) -> Deferred<Result<(), EngineError>> {
        let (engine, name) = (Arc::clone(&self.engine), channel.to_owned());
        self.desk.ask("announce", channel, move || now(engine.announce(&name, event)))
    }

    fn history(&self, channel: &str, query: HistoryQuery) -> Deferred<Result<History, EngineError>> {
        let (engine, name) = (Arc::clone(&self.engine), channel.to_owned());
        let early = self.early.lock().unwrap().get(channel).cloned();
        self.desk.ask("history", channel, move || match early {
            None => now(engine.history(&name, query)),
            Some(mut early) => {
                let since = query.since.unwrap_or_default().offset;
                early.publications.retain(|publication| publication.offset > since);
                early.publications.truncate(query.limit.unwrap_or(usize::MAX));
                Ok(early)
            }
        })
    }

    fn remove_history(&self, channel: &str) -> Deferred<Result<(), EngineError>> {
        let (engine, name) = (Arc::clone(&self.engine), channel.to_owned());
        self.desk.ask("remove_history", &format!("{channel}, publishers"), move || {
            now(engine.remove_history(&name))
        })
    }

    fn watch(&self, channel: &str) -> Deferred<Result<(), EngineError>> {
        if self.fault == Fault::ReadsEarly {
            let early = now(self.engine.history(channel, HistoryQuery::default())).unwrap();
            self.early.lock().unwrap().insert(channel.to_owned(), early);
        }
        let (gate, name) = (Arc::clone(&self.gate), channel.to_owned());
        let is_late = self.fault == Fault::WatchesLate;
        let subject = if is_late { "late watch" } else { channel };
        let answer = self.desk.ask("watch", subject, move || {
            change_watches(&gate, &name, 1);
            Ok(())
        });
        if is_late { Deferred::now(Ok(())) } else { answer }
    }

    fn unwatch(&self, channel: &str) -> Deferred<Result<(), EngineError>> {
        let (gate, name) = (Arc::clone(&self.gate), channel.to_owned());
        let subject = if self.fault == Fault::WatchesLate { "late watch" } else { channel };
        self.desk.ask("unwatch", subject, move || {
            change_watches(&gate, &name, -1);
            Ok(())
        })
    }

    fn tick(&self) {
        self.engine.tick();
    }
}

impl Presence for Slow {
    fn add(&self, channel: &str, info: Arc<ClientInfo>) -> Deferred<Result<(), EngineError>> {
        let (presence, name) = (Arc::clone(&self.presence), channel.to_owned());
        let everyone = Arc::clone(&self.everyone);
        self.desk.ask("add", channel, move || {
            everyone.lock().unwrap().insert((name.clone(), info.client.clone()));
            now(presence.add(&name, info))
        })
    }

    fn remove(&self, channel: &str, client: &str) -> Deferred<Result<(), EngineError>> {
        let (presence, name, client) = (Arc::clone(&self.presence), channel.to_owned(), client.to_owned());
        let everyone = Arc::clone(&self.everyone);
        self.desk.ask("remove", channel, move || {
            now(presence.remove(&name, &client)).unwrap();
            everyone.lock().unwrap().remove(&(name, client));
            Ok(())
        })
    }

    fn list(&self, channel: &str) -> Deferred<Result<Vec<Arc<ClientInfo>>, EngineError>> {
        let (presence, name) = (Arc::clone(&self.presence), channel.to_owned());
        self.desk.ask("list", channel, move || now(presence.list(&name)))
    }

    fn stats(&self, channel: &str) -> Deferred<Result<PresenceStats, EngineError>> {
        let (presence, name) = (Arc::clone(&self.presence), channel.to_owned());
        self.desk.ask("stats", channel, move || now(presence.stats(&name)))
    }
}

impl fmt::Debug for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slow").field("fault", &self.fault).finish_non_exhaustive()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}
