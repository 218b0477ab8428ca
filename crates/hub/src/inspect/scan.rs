//! The list of one worker's connections that match, made a part at a time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::clerk::LOOKS;
use super::inquiry::{Inquiry, Part, Question};
use super::{Connection, Filter};
use crate::channels::{ClientKey, Local, Member};

/// What it costs to describe a connection, where looking at one costs 1.
const DESCRIBE: usize = 8;

/// So many names of channels that are searched cost as much as looking at a connection.
const CHANNELS: usize = 8;

/// One worker's part of a list.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// The newest of those that are asked for, by their numbers; nothing for one that has gone since it was counted.
    pub(super) found: Vec<(u64, Option<Connection>)>,
    /// How many match in all.
    pub(super) total: usize,
    /// How many of them are not in front of what is asked for.
    pub(super) below: usize,
}

/// A list that is being made.
///
/// A connection keeps its place for as long as it is there, and the places are looked at in one direction: one that is there
/// throughout is seen once, whoever else comes and goes. Those that match are described at the end only, when it is known which are
/// the newest.
pub(super) struct Scan {
    inquiry: Arc<Inquiry>,
    source: Source,
    newest: BinaryHeap<Reverse<(u64, ClientKey)>>,
    listed: Listed,
    /// The newest have been found: they are described, from the last of these on.
    to_describe: Option<Vec<(u64, ClientKey)>>,
}

/// Where connections are looked for.
enum Source {
    /// Among all, below this place.
    All(usize),
    /// At these.
    Keys(Vec<ClientKey>),
    /// Among the members of the channel, below this place.
    Members(usize),
}

impl Scan {
    /// A list for a question that asks for one.
    pub(super) fn new(local: &Local, inquiry: Arc<Inquiry>) -> Option<Self> {
        let Question::List(filter) = &inquiry.question else { return None };
        let query = &filter.query;
        let source = if !query.client.is_empty() {
            Source::Keys(local.clients().key(&query.client).into_iter().collect())
        } else if !query.user.is_empty() {
            Source::Keys(local.clients().keys_of(&query.user))
        } else if !query.channel.is_empty() {
            Source::Members(usize::MAX)
        } else {
            Source::All(usize::MAX)
        };
        let (newest, listed) = (BinaryHeap::new(), Listed::default());
        Some(Self { inquiry, source, newest, listed, to_describe: None })
    }

    pub(super) fn inquiry(&self) -> &Inquiry {
        &self.inquiry
    }

    pub(super) fn is_done(&self) -> bool {
        self.to_describe.as_ref().is_some_and(Vec::is_empty)
    }

    /// Gives the list to who asked.
    pub(super) fn answer(self) {
        self.inquiry.answer(Some(Part::Listed(self.listed)));
    }

    /// Works on it for one turn. What it gives is how many connections were looked at.
    pub(super) fn go_on(&mut self, local: &Local) -> usize {
        let inquiry = Arc::clone(&self.inquiry);
        let Question::List(filter) = &inquiry.question else { return 0 };
        let mut cost = Cost::default();
        match &mut self.to_describe {
            None => self.look(local, filter, &mut cost),
            Some(keys) => {
                while !cost.is_spent()
                    && let Some((arrival, key)) = keys.pop()
                {
                    cost.add(DESCRIBE);
                    let there = local.clients().at(key).filter(|(there, _)| *there == arrival);
                    let described = there.and_then(|(_, member)| {
                        let load = member.load();
                        member.session().map(|session| session.exhibit().connection(load))
                    });
                    self.listed.found.push((arrival, described));
                }
            }
        }
        cost.looks
    }

    fn look(&mut self, local: &Local, filter: &Filter, cost: &mut Cost) {
        let Self { source, newest, listed, .. } = self;
        let mut see = |key: ClientKey, arrival: u64, member: &dyn Member| {
            cost.add(1);
            if matches(member, filter, cost) {
                listed.total += 1;
                if filter.query.after.is_none_or(|after| arrival < after) {
                    listed.below += 1;
                    newest.push(Reverse((arrival, key)));
                    if newest.len() > filter.query.limit {
                        newest.pop();
                    }
                }
            }
            if cost.is_spent() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let clients = local.clients();
        let rest = match source {
            Source::All(end) => clients.visit(*end, &mut see).map(Source::All),
            Source::Keys(keys) => loop {
                let Some(key) = keys.pop() else { break None };
                if let Some((arrival, member)) = clients.at(key)
                    && see(key, arrival, &*member).is_break()
                {
                    break Some(Source::Keys(std::mem::take(keys)));
                }
            },
            Source::Members(end) => {
                let rest = local.visit_members(&filter.query.channel, *end, &mut |member| {
                    let key = member.session().and_then(|session| clients.key(session.id()));
                    match key.and_then(|key| Some((key, clients.at(key)?.0))) {
                        Some((key, arrival)) => see(key, arrival, member),
                        None => ControlFlow::Continue(()),
                    }
                });
                rest.map(Source::Members)
            }
        };
        match rest {
            Some(rest) => self.source = rest,
            None => {
                let mut found: Vec<_> = newest.drain().map(|Reverse(found)| found).collect();
                // One that left the channel and came back may have been seen twice.
                found.sort_unstable();
                found.dedup();
                self.to_describe = Some(found);
            }
        }
    }
}

fn matches(member: &dyn Member, filter: &Filter, cost: &mut Cost) -> bool {
    if filter.is_open() {
        return true;
    }
    let Some(session) = member.session() else { return false };
    let exhibit = session.exhibit();
    if filter.is_searching() {
        cost.weigh(exhibit.channel_count() / CHANNELS);
    }
    exhibit.matches(filter)
}

/// What a turn has cost.
#[derive(Default)]
struct Cost {
    looks: usize,
    spent: usize,
}

impl Cost {
    /// One connection was looked at.
    fn add(&mut self, cost: usize) {
        self.looks += 1;
        self.spent += cost;
    }

    /// It was more work than that.
    fn weigh(&mut self, cost: usize) {
        self.spent += cost;
    }

    fn is_spent(&self) -> bool {
        self.spent >= LOOKS
    }
}
