//! What really happened in each channel, as the engine handed it on, and how far a subscriber has come in it.

use std::collections::{BTreeMap, HashMap};

use antiphon_hub::engine::Event;
use antiphon_hub::filter::FilterNode;
use antiphon_hub::protocol::Position;
use bytes::Bytes;

/// Everything that was published.
#[derive(Default)]
pub(crate) struct Truth {
    channels: HashMap<String, Past>,
}

/// What was published in one channel.
#[derive(Default)]
pub(crate) struct Past {
    /// What was kept, with an offset.
    pub(crate) kept: Vec<Entry>,
    /// What was not.
    pub(crate) passing: Vec<Entry>,
    /// Where each stream begins in `kept`.
    epochs: BTreeMap<String, usize>,
    /// Where each publication is.
    places: HashMap<Bytes, (bool, usize)>,
    /// The newest of each client, by its number: a client's are published in the order in which it made them.
    newest: HashMap<String, u64>,
}

pub(crate) struct Entry {
    pub(crate) offset: u64,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Truth {
    /// Writes down what was handed on.
    pub(crate) fn add(&mut self, tape: Vec<(String, Event)>) {
        for (channel, event) in tape {
            let Event::Publication { publication, epoch, .. } = event else { continue };
            let past = self.channels.entry(channel.clone()).or_default();
            let is_kept = publication.offset > 0;
            let list = if is_kept { &mut past.kept } else { &mut past.passing };
            let place = (is_kept, list.len());
            if is_kept && !past.epochs.contains_key(&*epoch) {
                assert_eq!(publication.offset, 1, "a stream in {channel} begins with 1");
                past.epochs.insert(epoch.to_string(), list.len());
            } else if is_kept {
                let before = list.last().unwrap().offset;
                assert_eq!(publication.offset, before + 1, "the stream in {channel} goes on");
            }
            if let Some(info) = &publication.info {
                let number = number(publication.data.bytes());
                let before = past.newest.insert(info.client.clone(), number);
                assert!(
                    before < Some(number),
                    "{} publishes {number} in {channel} after {before:?}",
                    info.client
                );
            }
            list.push(Entry { offset: publication.offset, tags: publication.tags.clone() });
            let other = past.places.insert(publication.data.bytes().clone(), place);
            assert!(other.is_none(), "each publication is another: {:?}", publication.data);
        }
    }

    pub(crate) fn past(&mut self, channel: &str) -> &Past {
        self.channels.entry(channel.to_owned()).or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.channels.values().map(|past| past.kept.len() + past.passing.len()).sum()
    }
}

/// The number in the data of a publication.
fn number(data: &Bytes) -> u64 {
    let data: serde_json::Value = serde_json::from_slice(data).unwrap();
    data["number"].as_u64().unwrap()
}

impl Past {
    /// How much there is.
    pub(crate) fn lengths(&self) -> Lengths {
        Lengths { kept: self.kept.len(), passing: self.passing.len() }
    }

    /// The place of what comes after a position.
    fn after(&self, position: &Position) -> usize {
        match self.epochs.get(&position.epoch) {
            Some(begin) => begin + position.offset as usize,
            // Of this stream nothing has been published yet.
            None => self.kept.len(),
        }
    }

    /// The epoch of the newest that was kept.
    pub(crate) fn epoch(&self) -> Option<&str> {
        self.epochs.iter().max_by_key(|(_, begin)| **begin).map(|(epoch, _)| epoch.as_str())
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lengths {
    pub(crate) kept: usize,
    pub(crate) passing: usize,
}

/// Which publication a subscriber must be given next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// This one.
    At(usize),
    /// One from the first of these on, and none after the second may be left out: the subscription began in between.
    Between(usize, usize),
}

impl Next {
    /// The subscriber is given one, `passes` saying which it wants at all.
    fn take(&mut self, place: usize, list: &[Entry], passes: &dyn Fn(&Entry) -> bool) -> Result<(), String> {
        let (least, most) = match *self {
            Self::At(place) => (place, place),
            Self::Between(least, most) => (least, most),
        };
        *self = Self::At(place + 1);
        if place < least {
            return Err(format!("number {place} came again, or late: {least} was due"));
        }
        match list.get(most..place).unwrap_or_default().iter().position(passes) {
            Some(missing) => Err(format!("number {place} came, and {} has not", most + missing)),
            None => Ok(()),
        }
    }

    /// The first that it has not been given, of all there are.
    fn missing(self, list: &[Entry], passes: &dyn Fn(&Entry) -> bool) -> Option<usize> {
        let (Self::At(from) | Self::Between(_, from)) = self;
        list.get(from..).unwrap_or_default().iter().position(passes).map(|at| from + at)
    }
}

/// How far a subscriber has come in a channel.
#[derive(Debug, Clone)]
pub(crate) struct Follow {
    kept: Next,
    passing: Next,
    filter: Option<FilterNode>,
    /// The stream that it has a place in.
    pub(crate) epoch: Option<String>,
    /// Something of the stream before may have been handed on after the client asked to be let in.
    pub(crate) is_turn: bool,
}

impl Follow {
    /// From a place in the stream, or, where there is none, from between what there was when the client asked to be let in and
    /// what there was when it heard that it was.
    pub(crate) fn new(
        past: &Past,
        position: Option<&Position>,
        asked: Lengths,
        filter: Option<FilterNode>,
    ) -> Self {
        let now = past.lengths();
        let begin = position.and_then(|position| past.epochs.get(&position.epoch));
        Self {
            is_turn: begin.copied().unwrap_or(now.kept) > asked.kept,
            kept: position.map_or(Next::Between(asked.kept, now.kept), |it| Next::At(past.after(it))),
            passing: Next::Between(asked.passing, now.passing),
            filter,
            epoch: position.map(|position| position.epoch.clone()),
        }
    }

    /// What comes first is the newest of what is kept, as it was when the client asked or later.
    pub(crate) fn expect_newest(&mut self, asked: Lengths) {
        self.kept = Next::Between(asked.kept.saturating_sub(1), usize::MAX);
    }

    /// The subscriber is given a publication.
    pub(crate) fn take(&mut self, past: &Past, offset: u64, data: &Bytes) -> Result<(), String> {
        let Some((is_kept, place)) = past.places.get(data) else {
            return Err(format!("{data:?} was never published"));
        };
        let filter = self.filter.take();
        let passes = |entry: &Entry| filter.as_ref().is_none_or(|filter| filter.matches(&entry.tags));
        let list = if *is_kept { &past.kept } else { &past.passing };
        let next = if *is_kept { &mut self.kept } else { &mut self.passing };
        let outcome = if list[*place].offset != offset {
            Err(format!("it came with offset {offset}, and has {}", list[*place].offset))
        } else if !passes(&list[*place]) {
            Err("it does not pass the filter".to_owned())
        } else {
            next.take(*place, list, &passes)
        };
        self.filter = filter;
        outcome.map_err(|why| format!("{why}: {data:?}"))
    }

    /// What it has not been given, of all there is.
    pub(crate) fn missing(&self, past: &Past) -> Option<String> {
        let passes = |entry: &Entry| self.filter.as_ref().is_none_or(|filter| filter.matches(&entry.tags));
        let kept = self.kept.missing(&past.kept, &passes).map(|place| format!("number {place} of the kept"));
        kept.or_else(|| {
            let missing = self.passing.missing(&past.passing, &passes);
            missing.map(|place| format!("number {place} of those that are not kept"))
        })
    }
}
