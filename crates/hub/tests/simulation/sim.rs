//! The simulated world: clients, their connections, and what is known of them from outside of the hub.

use std::collections::{BTreeMap, BTreeSet};

use antiphon_hub::protocol::{Disconnect, Encoding};

use crate::common::{Heard, Peer, Random, World, WorldParts};
use crate::mind::{Change, Mind};
use crate::realm::{self, Climate};
use crate::truth::Truth;

pub(crate) const WORKERS: u16 = 3;

/// So many messages wait for a client that does not read; with more it is disconnected.
const UNREAD: usize = 5;

pub(crate) struct Sim {
    pub(crate) world: World,
    pub(crate) random: Random,
    pub(crate) truth: Truth,
    pub(crate) climate: Climate,
    /// Engine and application answer late.
    pub(crate) is_slow: bool,
    pub(crate) clients: Vec<Client>,
    /// By number.
    pub(crate) links: BTreeMap<u64, Link>,
    /// Who is in each channel, by the connection's id, as far as the clients have been told.
    pub(crate) members: BTreeMap<String, BTreeMap<String, Inhabitant>>,
    /// Connections whose clients did not read, when that was last looked at.
    pub(crate) sleepers: Vec<u64>,
    /// How many connections each user has.
    pub(crate) users: BTreeMap<String, usize>,
    pub(crate) channels: Vec<String>,
    /// Channels in which something has changed since they were looked at.
    pub(crate) touched: BTreeSet<String>,
    pub(crate) step: u64,
    pub(crate) published: u64,
    pub(crate) told: Tally,
}

/// What has happened, for people to see that enough has.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) deliveries: u64,
    pub(crate) connects: u64,
    pub(crate) subscriptions: u64,
    /// Those that recovered something.
    pub(crate) recovered: u64,
    pub(crate) unrecovered: u64,
    pub(crate) lost: u64,
    /// Sessions that went on, and commands that had to be sent again for it.
    pub(crate) resumed: u64,
    pub(crate) sent_again: u64,
    pub(crate) disconnects: BTreeMap<u32, u64>,
}

/// Somebody, who may have a connection.
pub(crate) struct Client {
    pub(crate) user: String,
    pub(crate) encoding: Encoding,
    /// What it knows, over all its connections.
    pub(crate) mind: Mind,
    pub(crate) link: Option<u64>,
}

/// A connection.
pub(crate) struct Link {
    pub(crate) peer: Peer,
    pub(crate) owner: usize,
    pub(crate) user: String,
    pub(crate) info: String,
    /// When it expires, in seconds since 1970, where the client prolongs it.
    pub(crate) expire_at: u64,
    /// When its subscriptions do.
    pub(crate) channels_expire_at: BTreeMap<String, u64>,
    pub(crate) mood: Mood,
    is_connected: bool,
    /// What the client would know if it had read everything, where it has not.
    pub(crate) ahead: Option<Mind>,
    pub(crate) unread: Vec<Heard>,
    /// The server has noticed that nobody listens, and waits.
    pub(crate) is_detached: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// The client reads what comes, and answers pings.
    Reads,
    /// It does not read for now.
    Sleeps,
    /// It has gone without a word.
    Gone,
}

/// Somebody in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inhabitant {
    pub(crate) user: String,
    pub(crate) info: String,
    /// Since which step.
    pub(crate) since: u64,
}

impl Sim {
    pub(crate) fn new(seed: u64, clients: usize, climate: Climate, is_slow: bool) -> Self {
        let parts = WorldParts { workers: WORKERS, is_taped: true, ..WorldParts::default() };
        let world = World::with(WorldParts { book: realm::book(climate), ..parts });
        world.told.is_deaf.store(true, std::sync::atomic::Ordering::Relaxed);
        let client = |number: usize| {
            let encoding = if number.is_multiple_of(2) { Encoding::Json } else { Encoding::Protobuf };
            // Some are anonymous, and some users have several tabs.
            let user = if number.is_multiple_of(10) { String::new() } else { format!("u{}", number / 3) };
            Client { user, encoding, mind: Mind::new(encoding), link: None }
        };
        Self {
            world,
            random: Random::new(seed),
            truth: Truth::default(),
            climate,
            is_slow,
            clients: (0..clients).map(client).collect(),
            links: BTreeMap::new(),
            members: BTreeMap::new(),
            sleepers: Vec::new(),
            users: BTreeMap::new(),
            channels: realm::channels(),
            touched: BTreeSet::new(),
            step: 0,
            published: 0,
            told: Tally::default(),
        }
    }

    /// A connection for a client.
    pub(crate) fn link(&mut self, owner: usize, info: String, expire_at: u64) -> u64 {
        let client = &mut self.clients[owner];
        client.mind.reconnect();
        let peer = Peer::new(&self.world, self.random.below(WORKERS.into()), client.encoding);
        let number = peer.number;
        client.link = Some(number);
        let link = Link {
            peer,
            owner,
            user: client.user.clone(),
            info,
            expire_at,
            channels_expire_at: BTreeMap::new(),
            mood: Mood::Reads,
            is_connected: false,
            ahead: None,
            unread: Vec::new(),
            is_detached: false,
        };
        self.links.insert(number, link);
        number
    }

    /// What was written to a connection so far, as its client would know it.
    pub(crate) fn mind(&self, number: u64) -> &Mind {
        let link = &self.links[&number];
        link.ahead.as_ref().unwrap_or(&self.clients[link.owner].mind)
    }

    /// A turn of a connection's task.
    pub(crate) fn turn(&mut self, number: u64) {
        if let Some(link) = self.links.get_mut(&number) {
            link.peer.turn(&self.world);
        }
        self.hear(number);
    }

    /// Everybody does what there is to do, until there is nothing any more.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1000 {
            for local in &self.world.locals {
                local.deliver();
            }
            self.world.run_detached();
            let rung = self.world.take_rung();
            rung.iter().for_each(|number| self.turn(*number));
            let has_mail = (0..WORKERS.into()).any(|worker| self.world.has_mail(worker));
            if rung.is_empty() && !has_mail {
                return;
            }
        }
        panic!("the simulation does not come to rest");
    }

    /// One thing happens where everything takes its time. What it was.
    pub(crate) fn act_late(&mut self) -> String {
        let what = match self.random.below(100) {
            0..30 => self.act(),
            30..50 => {
                let numbers: Vec<_> = self.links.keys().copied().collect();
                if numbers.is_empty() {
                    return "nobody is there".to_owned();
                }
                let number = *self.random.pick(&numbers);
                self.turn(number);
                format!("connection {number} has a turn")
            }
            50..60 => {
                let worker = self.random.below(WORKERS.into());
                self.world.locals[worker].deliver();
                format!("worker {worker} delivers")
            }
            60..80 => {
                let subjects = self.world.desk.subjects();
                if subjects.is_empty() {
                    return "nothing is asked".to_owned();
                }
                let subject = self.random.pick(&subjects);
                let (kind, number) = self.world.desk.serve(subject);
                format!("{kind} of {subject} is done, answer {number}")
            }
            _ => {
                let served = self.world.desk.served();
                if served.is_empty() {
                    return "nothing is answered".to_owned();
                }
                let number = *self.random.pick(&served);
                self.world.desk.hand_out(number);
                self.turn_busy();
                format!("answer {number} arrives")
            }
        };
        let rung = self.world.take_rung();
        rung.into_iter().for_each(|number| self.hear(number));
        what
    }

    fn turn_busy(&mut self) {
        let busy: Vec<_> =
            self.links.iter().filter(|(_, link)| link.peer.is_busy()).map(|(number, _)| *number).collect();
        busy.into_iter().for_each(|number| self.turn(number));
    }

    /// Everything that takes its time is done, and everybody has had a turn.
    pub(crate) fn rest(&mut self) {
        for _ in 0..100_000 {
            while self.world.desk.do_next().is_some() {}
            self.world.desk.served().into_iter().for_each(|number| self.world.desk.hand_out(number));
            let numbers: Vec<_> = self.links.keys().copied().collect();
            numbers.into_iter().for_each(|number| self.turn(number));
            self.settle();
            if self.world.desk.subjects().is_empty() && self.world.desk.served().is_empty() {
                return;
            }
        }
        panic!("the simulation does not come to rest");
    }

    /// Takes what has been written to a connection.
    pub(crate) fn hear(&mut self, number: u64) {
        self.truth.add(self.world.engine.take_tape());
        let Some(link) = self.links.get_mut(&number) else { return };
        let mut heard = link.peer.take();
        let was = heard.len();
        heard.retain(|heard| !matches!(heard, Heard::Drop(_)));
        let is_dropped = heard.len() < was;
        self.told.deliveries += heard.len() as u64;
        let mind = link.ahead.as_mut().unwrap_or(&mut self.clients[link.owner].mind);
        let changes = mind.hear(&mut self.truth, &heard);
        let pings = std::mem::take(&mut mind.view.pings);
        if let (false, Some(client)) = (link.is_connected, &mind.view.client) {
            assert_eq!(**client, **link.peer.session().id(), "a client is told its id");
            link.peer.tap();
            link.is_connected = true;
            *self.users.entry(link.user.clone()).or_default() += 1;
            self.told.connects += 1;
        }
        if link.mood == Mood::Reads {
            // Each ping is answered.
            for _ in 0..pings {
                link.peer.receive(mind.view.pong());
            }
        }
        let pongs = if link.mood == Mood::Reads { pings } else { 0 };
        if link.mood == Mood::Sleeps && !link.is_detached {
            link.unread.extend(heard);
        }
        self.note(number, changes);
        if is_dropped {
            self.detach(number);
        }
        if !self.links.contains_key(&number) {
            // It had no session to wait in.
        } else if self.links[&number].peer.session().is_ended() {
            self.unlink(number);
        } else if pongs > 0 {
            self.turn(number);
        } else {
            self.overrun(number);
        }
    }

    /// The transport ends a connection whose client is too slow.
    fn overrun(&mut self, number: u64) {
        let Some(link) = self.links.get_mut(&number) else { return };
        if link.unread.len() > UNREAD {
            link.peer.end(Disconnect::SLOW);
            // Of what was written the client still gets some.
            let read = self.random.below(link.unread.len());
            let owner = link.owner;
            let unread: Vec<_> = link.unread.drain(..).take(read).collect();
            self.clients[owner].mind.hear(&mut self.truth, &unread);
            self.hear(number);
        }
    }

    fn note(&mut self, number: u64, changes: Vec<Change>) {
        let link = &self.links[&number];
        for change in changes {
            let id = link.peer.session().id().to_string();
            match change {
                Change::In { channel, recovered } => {
                    let inhabitant =
                        Inhabitant { user: link.user.clone(), info: link.info.clone(), since: self.step };
                    let before = self.members.entry(channel.clone()).or_default().insert(id, inhabitant);
                    assert!(before.is_none(), "{channel} is joined twice");
                    self.touched.insert(channel);
                    self.told.subscriptions += 1;
                    self.told.recovered += u64::from(recovered);
                }
                Change::Out(channel, code) => {
                    self.told.lost += u64::from(code == Some(2500));
                    leave(&mut self.members, &channel, &id);
                    self.touched.insert(channel);
                }
                Change::Unrecovered { channel, since } => {
                    self.told.unrecovered += 1;
                    self.check_unrecovered(&channel, &since);
                }
            }
        }
    }

    /// A connection has ended.
    fn unlink(&mut self, number: u64) {
        let mind = self.mind(number);
        let left: Vec<_> = mind.view.channels().map(str::to_owned).collect();
        let code = mind.view.ended.as_ref().map_or(0, |ended| ended.code);
        *self.told.disconnects.entry(code).or_default() += 1;
        let known = [3000, 3005, 3008, 3011, 3012];
        assert!(known.contains(&code), "a client was disconnected with {code}");
        let link = self.links.remove(&number).unwrap();
        for channel in left {
            leave(&mut self.members, &channel, link.peer.session().id());
            self.touched.insert(channel);
        }
        if link.is_connected {
            let count = self.users.get_mut(&link.user).unwrap();
            *count -= 1;
            if *count == 0 {
                self.users.remove(&link.user);
            }
        }
        let client = &mut self.clients[link.owner];
        if client.link == Some(number) {
            client.link = None;
        }
    }

    /// The client does not read any more, or has gone.
    pub(crate) fn turn_away(&mut self, number: u64, mood: Mood) {
        let link = self.links.get_mut(&number).unwrap();
        let client = &mut self.clients[link.owner];
        link.mood = mood;
        if mood == Mood::Sleeps {
            self.sleepers.push(number);
        }
        link.ahead.get_or_insert_with(|| client.mind.clone());
        if mood == Mood::Gone {
            client.link = None;
        }
    }

    /// The client reads what it has missed, and goes on.
    pub(crate) fn turn_back(&mut self, number: u64) {
        let link = self.links.get_mut(&number).unwrap();
        link.mood = Mood::Reads;
        link.ahead = None;
        let unread = std::mem::take(&mut link.unread);
        let mind = &mut self.clients[link.owner].mind;
        mind.hear(&mut self.truth, &unread);
        for _ in 0..std::mem::take(&mut mind.view.pings) {
            link.peer.receive(mind.view.pong());
        }
        self.turn(number);
    }

    /// The connection ends, and the client knows.
    pub(crate) fn hang_up(&mut self, number: u64) {
        self.links.get_mut(&number).unwrap().peer.hang_up();
        self.hear(number);
    }

    /// Everybody goes, and nothing is left.
    pub(crate) fn end(mut self) {
        self.links.values_mut().for_each(|link| link.peer.hang_up());
        self.world.assert_vacant();
    }

    /// The connections with a user.
    pub(crate) fn links_of(&self, user: &str) -> Vec<u64> {
        let links = self.links.iter().filter(|(_, link)| link.user == user && link.is_connected);
        links.map(|(number, _)| *number).collect()
    }

    pub(crate) fn connected(&self) -> impl Iterator<Item = (&u64, &Link)> {
        self.links.iter().filter(|(_, link)| link.is_connected)
    }
}

fn leave(members: &mut BTreeMap<String, BTreeMap<String, Inhabitant>>, channel: &str, id: &str) {
    let here = members.get_mut(channel).unwrap();
    here.remove(id).unwrap();
    if here.is_empty() {
        members.remove(channel);
    }
}
