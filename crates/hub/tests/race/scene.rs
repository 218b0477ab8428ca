//! Clients that subscribe, recover and leave while others publish: the steps, and what must hold.

use std::collections::BTreeMap;

use antiphon_hub::backend::SubscribeGrant;
use antiphon_hub::engine::{Engine as _, Keep};
use antiphon_hub::options::{ChannelOptions, ClientOptions, DeltaType};
use antiphon_hub::protocol::{ConnectRequest, Encoding, Position, SubscribeRequest, Unsubscribed};
use antiphon_hub::rules::RuleBook;
use antiphon_hub::{Control, Order, Span, Whom};

use crate::common::{Fault, Peer, Seen, View, World, WorldParts, json, publish};
use crate::explore::Schedule;

const CHANNEL: &str = "race";

/// What happens once, at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upset {
    /// The history is removed.
    Removal,
    /// The stream is forgotten and begins anew.
    Rebirth,
}

/// What a scene is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plot {
    pub(crate) encoding: Encoding,
    /// Publications before anything else happens.
    pub(crate) before: u64,
    /// The offset that the first client recovers from; `None` where it has never been there.
    pub(crate) since: Option<u64>,
    /// Publications while the clients come and go.
    pub(crate) publications: u64,
    /// What the channel keeps.
    pub(crate) size: usize,
    /// Clients, each on a worker of its own.
    pub(crate) clients: u16,
    /// How often the first client leaves and comes back.
    pub(crate) returns: u8,
    /// It sends all of these commands at once.
    pub(crate) pipelines: bool,
    /// The server subscribes it.
    pub(crate) by_order: bool,
    /// Subscriptions have a place in the stream.
    pub(crate) is_positioned: bool,
    pub(crate) upset: Option<Upset>,
    pub(crate) presence: bool,
    pub(crate) delta: bool,
    /// What the engine takes its time for.
    pub(crate) slow: &'static [&'static str],
    pub(crate) fault: Fault,
    /// The transport writes what there is to say in a step of its own.
    pub(crate) says_late: bool,
}

impl Default for Plot {
    fn default() -> Self {
        Self {
            encoding: Encoding::Json,
            before: 0,
            since: Some(0),
            publications: 3,
            size: 100,
            clients: 1,
            returns: 0,
            pipelines: false,
            by_order: false,
            is_positioned: true,
            upset: None,
            presence: false,
            delta: false,
            slow: &["watch", "history"],
            fault: Fault::None,
            says_late: true,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Publish,
    Upset,
    /// A client sends what it has to say.
    Act(usize),
    /// A transport's task has a turn.
    Work(usize),
    /// It writes what there is to say.
    Say(usize),
    /// A worker delivers.
    Deliver(usize),
    /// The engine does what it was asked.
    Serve(String),
    /// Its answer arrives.
    Answer(u64),
    /// A broken engine hands on what it has appended.
    HandOn(usize),
}

struct Actor {
    peer: Peer,
    view: View,
    /// What it is still to do.
    returns: u8,
    is_ordered: bool,
    /// There may be something to say.
    is_unsaid: bool,
    /// Where it was when it last asked to be let in.
    since: u64,
    /// How much had been published when the subscription began, where it has no place in the stream.
    from: Option<u64>,
}

/// One run of a plot.
struct Scene<'a> {
    plot: &'a Plot,
    world: World,
    keep: Keep,
    actors: Vec<Actor>,
    publications: u64,
    upset: Option<Upset>,
    /// What was published, by epoch and offset.
    truth: BTreeMap<(String, u64), String>,
}

/// Runs the plot in one order of its steps, and checks what each client was given.
///
/// # Panics
/// When that is not what it should be.
pub(crate) fn run(plot: &Plot, schedule: &mut Schedule) {
    let mut scene = Scene::new(plot);
    for _ in 0..1000 {
        let mut steps = scene.steps();
        if steps.is_empty() {
            return scene.check_end();
        }
        let step = steps.swap_remove(schedule.choose(steps.len()));
        schedule.note(|| format!("{step:?}"));
        scene.take(&step);
        scene.hear(schedule);
    }
    panic!("the scene does not end");
}

fn book(plot: &Plot) -> RuleBook {
    let options = ChannelOptions {
        presence: plot.presence,
        history_size: plot.size,
        history_ttl: Span::seconds(60),
        history_meta_ttl: Span::seconds(60),
        allow_recovery: true,
        force_recovery: plot.by_order,
        allowed_delta_types: vec![DeltaType::Fossil],
        delta_publish: plot.delta,
        ..ChannelOptions::default()
    };
    let client = ClientOptions { insecure: true, ..ClientOptions::default() };
    RuleBook { client, without_namespace: options, ..RuleBook::default() }
}

impl<'a> Scene<'a> {
    fn new(plot: &'a Plot) -> Self {
        let world = World::with(WorldParts {
            book: book(plot),
            workers: plot.clients,
            fault: plot.fault,
            ..WorldParts::default()
        });
        let actors = (0..usize::from(plot.clients)).map(|number| {
            let mut view = View::new(plot.encoding);
            let mut peer = Peer::new(&world, number, plot.encoding);
            peer.receive(view.connect(ConnectRequest::default()));
            peer.turn(&world);
            view.hear_all(&peer.take());
            let returns = if number == 0 { plot.returns } else { 0 };
            Actor { peer, view, returns, is_ordered: false, is_unsaid: false, since: 0, from: None }
        });
        let mut scene = Scene {
            plot,
            keep: world.keep(CHANNEL),
            actors: actors.collect(),
            world,
            publications: plot.publications,
            upset: plot.upset,
            truth: BTreeMap::new(),
        };
        for _ in 0..plot.before {
            scene.publish();
        }
        if let Some(offset) = plot.since {
            let epoch = scene.end().epoch;
            scene.actors[0].view.assume(CHANNEL, Position { offset, epoch });
        }
        scene.world.desk.slow_down(plot.slow);
        scene
    }

    /// What can happen next.
    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.publications > 0 {
            steps.push(Step::Publish);
        }
        if self.upset.is_some() {
            steps.push(Step::Upset);
        }
        for (number, actor) in self.actors.iter().enumerate() {
            if actor.has_wish() {
                steps.push(Step::Act(number));
            }
            if actor.peer.has_turn() {
                steps.push(Step::Work(number));
            }
            if actor.is_unsaid {
                steps.push(Step::Say(number));
            }
            if self.world.has_mail(actor.peer.worker) {
                steps.push(Step::Deliver(number));
            }
        }
        steps.extend(self.world.desk.subjects().into_iter().map(Step::Serve));
        steps.extend(self.world.desk.served().into_iter().map(Step::Answer));
        steps.extend((0..self.world.engine.held()).map(Step::HandOn));
        steps
    }

    fn take(&mut self, step: &Step) {
        let now = self.world.now();
        match step {
            Step::Publish => {
                self.publications -= 1;
                self.publish();
            }
            Step::Upset => match self.upset.take().unwrap() {
                Upset::Removal => drop(self.world.engine.remove_history(CHANNEL)),
                Upset::Rebirth => self.world.pass(61.0),
            },
            Step::Act(number) if self.plot.by_order => self.order(*number),
            Step::Act(number) => self.actors[*number].act(self.plot),
            Step::Work(number) => {
                let actor = &mut self.actors[*number];
                actor.peer.work(now);
                actor.is_unsaid = true;
            }
            Step::Say(number) => {
                let actor = &mut self.actors[*number];
                actor.peer.say();
                actor.is_unsaid = false;
            }
            Step::Deliver(number) => self.world.locals[*number].deliver(),
            Step::Serve(subject) => drop(self.world.desk.serve(subject)),
            Step::Answer(number) => {
                self.world.desk.hand_out(*number);
                for actor in self.actors.iter_mut().filter(|actor| actor.peer.is_busy()) {
                    actor.peer.work(now);
                    actor.is_unsaid = true;
                }
            }
            Step::HandOn(index) => self.world.engine.hand_on(*index),
        }
        if !self.plot.says_late {
            for actor in &mut self.actors {
                actor.peer.say();
                actor.is_unsaid = false;
            }
        }
    }

    fn publish(&mut self) {
        let number = self.truth.len();
        // Long enough that differences are shorter.
        let data = format!(r#""the publication number {number}, which says what they all say""#);
        let mut publish = publish(json(&data), self.keep);
        publish.delta = self.plot.delta;
        drop(self.world.node.publish(CHANNEL, publish));
        let position = self.end();
        let offset = if self.plot.fault == Fault::AppendsLater { number as u64 + 1 } else { position.offset };
        self.truth.insert((position.epoch, offset), data);
    }

    /// Where the stream is.
    fn end(&self) -> Position {
        self.world.engine.kept(CHANNEL, self.keep).position
    }

    /// The server subscribes a client.
    fn order(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        actor.is_ordered = true;
        let whom = Whom { client: actor.view.client.clone(), ..Whom::default() };
        let since = actor.view.position(CHANNEL).cloned();
        let order = Order::Subscribe { channel: CHANNEL.to_owned(), grant: SubscribeGrant::default(), since };
        self.world.node.hub().control(Control { whom, order });
    }

    /// The clients read what has been written. Each [`View`] checks that one follows the other; here, what it is.
    fn hear(&mut self, schedule: &mut Schedule) {
        let end = self.end().offset;
        let upset = self.plot.upset.filter(|_| self.upset.is_none());
        for (number, actor) in self.actors.iter_mut().enumerate() {
            actor.view.hear_all(&actor.peer.take());
            let Some(seen) = actor.view.take_seen().remove(CHANNEL) else { continue };
            for seen in seen {
                schedule.note(|| format!("  client {number}: {seen:?}"));
                actor.check(&self.truth, end, &seen);
                actor.check_loss(self.plot, upset, &seen);
            }
        }
    }

    /// Nothing can happen any more: everybody is there, and has everything.
    fn check_end(self) {
        let end = self.end();
        for actor in &self.actors {
            assert!(!actor.view.is_waiting(), "a command is never answered");
            assert!(actor.view.is_subscribed(CHANNEL), "at the end the client is there");
            match actor.view.position(CHANNEL) {
                Some(position) if end.offset > 0 => {
                    assert_eq!(*position, end, "at the end the client has everything")
                }
                Some(_) => {}
                None => assert!(actor.from >= Some(end.offset), "at the end the client has everything"),
            }
        }
        let Scene { plot, world, mut actors, .. } = self;
        assert_eq!(world.engine.everyone().len(), usize::from(plot.presence) * actors.len());
        actors.iter_mut().for_each(|actor| actor.peer.hang_up());
        world.desk.slow_down(&[]);
        world.assert_vacant();
    }
}

impl Actor {
    /// Whether something is to be done for it: it comes, it comes back, or it goes.
    fn has_wish(&self) -> bool {
        !self.view.is_waiting() && !self.is_ordered && (!self.view.is_subscribed(CHANNEL) || self.returns > 0)
    }

    fn act(&mut self, plot: &Plot) {
        let request = SubscribeRequest {
            channel: CHANNEL.to_owned(),
            recoverable: plot.is_positioned,
            delta: if plot.delta { "fossil".to_owned() } else { String::new() },
            ..SubscribeRequest::default()
        };
        self.since = self.view.position(CHANNEL).map_or(0, |position| position.offset);
        if !self.view.is_subscribed(CHANNEL) {
            self.peer.receive(self.view.subscribe(request.clone()));
            if !plot.pipelines {
                return;
            }
        }
        while self.returns > 0 {
            self.returns -= 1;
            self.peer.receive(self.view.unsubscribe(CHANNEL));
            if !plot.pipelines {
                return;
            }
            self.peer.receive(self.view.subscribe(request.clone()));
        }
    }

    /// What the client is told is true.
    fn check(&mut self, truth: &BTreeMap<(String, u64), String>, end: u64, seen: &Seen) {
        match seen {
            Seen::Publication { offset, data } => {
                let said = truth.iter().find(|(_, said)| said.as_bytes() == data);
                let ((epoch, at), _) = said.expect("it was published");
                assert_eq!(at, offset, "it is not publication {offset}");
                match self.view.position(CHANNEL) {
                    Some(position) => assert_eq!(position.epoch, *epoch, "it is of another stream"),
                    None => {
                        let from = self.from.unwrap();
                        assert!(*offset <= from + 1, "{offset} came, and {} has not", from + 1);
                        self.from = Some(from.max(*offset));
                    }
                }
            }
            Seen::Start { .. } => self.from = Some(end),
            Seen::Refused(code) => panic!("refused: {code}"),
            Seen::Join(_) | Seen::Leave(_) | Seen::Left | Seen::End(_) => {}
        }
    }

    /// It is told that it has missed something if and only if it has.
    fn check_loss(&self, plot: &Plot, upset: Option<Upset>, seen: &Seen) {
        match seen {
            Seen::Start { at, recovered: Some(false) } => {
                let is_gone = match upset {
                    None => at.offset - self.since > plot.size as u64,
                    Some(Upset::Removal) => at.offset > self.since,
                    Some(Upset::Rebirth) => true,
                };
                assert!(is_gone, "everything was there, and was not recovered");
            }
            Seen::End(code) => {
                assert_eq!(*code, Unsubscribed::INSUFFICIENT_STATE.code);
                assert_eq!(upset, Some(Upset::Rebirth), "nothing was missed, and the client was told so");
            }
            _ => {}
        }
    }
}
