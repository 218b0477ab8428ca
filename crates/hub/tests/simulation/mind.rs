//! A client's knowledge, with what it must come to.

use std::collections::BTreeMap;

use antiphon_hub::protocol::{Encoding, Position, SubscribeRequest, Unsubscribed};
use bytes::Bytes;

use crate::common::{Heard, Seen, View};
use crate::truth::{Follow, Lengths, Truth};

/// What a client knows, what it asked for, and how far it has come in each channel.
#[derive(Clone)]
pub(crate) struct Mind {
    pub(crate) view: View,
    asked: BTreeMap<String, Asked>,
    follows: BTreeMap<String, Follow>,
    /// Who joined and left since the subscription began: whether each is there.
    others: BTreeMap<String, BTreeMap<String, bool>>,
}

/// What it asked for when it last asked to be let into a channel.
#[derive(Clone, Default)]
struct Asked {
    request: SubscribeRequest,
    since: Option<Position>,
    lengths: Lengths,
}

/// What came of what it heard.
#[derive(Debug)]
pub(crate) enum Change {
    /// It is in a channel.
    In {
        channel: String,
        /// It was given what it had missed.
        recovered: bool,
    },
    /// It is so without what it asked to recover.
    Unrecovered { channel: String, since: Position },
    /// It is in a channel no longer. The server's reason, if that was the server's doing.
    Out(String, Option<u32>),
}

impl Mind {
    pub(crate) fn new(encoding: Encoding) -> Self {
        Self {
            view: View::new(encoding),
            asked: BTreeMap::new(),
            follows: BTreeMap::new(),
            others: BTreeMap::new(),
        }
    }

    /// The connection has ended, and another begins.
    pub(crate) fn reconnect(&mut self) {
        self.view.reconnect();
        self.asked.clear();
        self.follows.clear();
        self.others.clear();
    }

    /// Asks to be let into a channel.
    pub(crate) fn subscribe(&mut self, truth: &mut Truth, request: SubscribeRequest) -> Bytes {
        let channel = request.channel.clone();
        let since = self.view.position(&channel).filter(|_| request.recoverable).cloned();
        let lengths = truth.past(&channel).lengths();
        self.asked.insert(channel, Asked { request: request.clone(), since, lengths });
        self.view.subscribe(request)
    }

    /// Takes what has been written. What is wrong with it ends the test.
    pub(crate) fn hear(&mut self, truth: &mut Truth, heard: &[Heard]) -> Vec<Change> {
        heard.iter().for_each(|heard| self.view.hear(heard));
        let mut changes = Vec::new();
        for (channel, seen) in self.view.take_seen() {
            for (index, seen_here) in seen.iter().enumerate() {
                let is_newest = matches!(seen.get(index + 1), Some(Seen::Publication { .. }));
                self.see(truth, &channel, seen_here, is_newest, &mut changes);
            }
        }
        changes
    }

    fn see(
        &mut self,
        truth: &mut Truth,
        channel: &str,
        seen: &Seen,
        is_newest: bool,
        changes: &mut Vec<Change>,
    ) {
        let past = truth.past(channel);
        match seen {
            Seen::Start { at, recovered } => {
                let told = *recovered;
                let asked = self.asked.remove(channel).unwrap_or_default();
                let has_place = self.view.position(channel).is_some();
                let position = has_place.then_some(at);
                let mut follow = Follow::new(past, position, asked.lengths, asked.request.tf.clone());
                if channel.starts_with("cache") && *recovered == Some(true) && is_newest {
                    follow.expect_newest(asked.lengths);
                }
                self.follows.insert(channel.to_owned(), follow);
                self.others.remove(channel);
                let recovered = *recovered == Some(true) && is_newest;
                changes.push(Change::In { channel: channel.to_owned(), recovered });
                if let (Some(false), Some(since)) = (told, asked.since) {
                    changes.push(Change::Unrecovered { channel: channel.to_owned(), since });
                }
            }
            Seen::Publication { offset, data } => {
                let follow = self.follows.get_mut(channel).unwrap();
                if let Err(why) = follow.take(past, *offset, data) {
                    panic!("in {channel}, {why}");
                }
            }
            Seen::Join(client) => self.meet(channel, client, true),
            Seen::Leave(client) => self.meet(channel, client, false),
            Seen::Left | Seen::End(_) => {
                // Who leaves a channel that it is not in is answered as well.
                let Some(follow) = self.follows.remove(channel) else { return };
                self.others.remove(channel);
                let code = match seen {
                    Seen::End(code) => Some(*code),
                    _ => None,
                };
                if code == Some(Unsubscribed::INSUFFICIENT_STATE.code) {
                    // What was held from the stream before cannot be told from what comes in the next one.
                    let is_missed = follow.is_turn || follow.epoch.as_deref() != past.epoch();
                    assert!(is_missed, "in {channel} nothing was missed");
                }
                changes.push(Change::Out(channel.to_owned(), code));
            }
            Seen::Refused(code) => {
                self.asked.remove(channel);
                // Late answers may come too late, or after an order of the server's.
                assert!([105, 109, 110].contains(code), "{channel}: refused with {code}");
            }
        }
    }

    /// Others come and go by turns.
    fn meet(&mut self, channel: &str, client: &str, is_there: bool) {
        let others = self.others.entry(channel.to_owned()).or_default();
        let before = others.insert(client.to_owned(), is_there);
        assert_ne!(before, Some(is_there), "{client} came or went twice in {channel}");
    }

    /// Who came and went since the subscription began.
    pub(crate) fn others(&self, channel: &str) -> impl Iterator<Item = (&str, bool)> {
        let others = self.others.get(channel);
        others.into_iter().flatten().map(|(client, is_there)| (client.as_str(), *is_there))
    }

    /// What it has not been given, of all there is.
    pub(crate) fn missing(&self, truth: &mut Truth) -> Option<String> {
        self.follows.iter().find_map(|(channel, follow)| {
            let missing = follow.missing(truth.past(channel))?;
            Some(format!("{missing} in {channel}"))
        })
    }
}
