//! What must hold after every step.

use std::collections::{BTreeMap, BTreeSet};

use antiphon_hub::protocol::Position;

use crate::sim::{Mood, Sim};

impl Sim {
    /// Counts and the channels that something has changed in.
    pub(crate) fn check_step(&mut self) {
        self.check_counts();
        let touched = std::mem::take(&mut self.touched);
        for channel in &touched {
            self.check_channel(channel);
        }
    }

    /// Everything.
    pub(crate) fn check_all(&mut self) {
        self.check_counts();
        for channel in self.members.keys().cloned().collect::<Vec<_>>() {
            self.check_channel(&channel);
        }
        self.touched.clear();
        let everyone: BTreeSet<_> = self
            .members
            .iter()
            .flat_map(|(channel, here)| here.keys().map(|client| (channel.clone(), client.clone())))
            .collect();
        assert_eq!(self.world.engine.everyone(), everyone, "who is present where");
        for number in self.links.keys().copied().collect::<Vec<_>>() {
            self.check_mind(number);
        }
    }

    fn check_counts(&self) {
        let node = &self.world.node;
        assert_eq!(node.metrics().clients.value(), self.users.values().sum::<usize>() as i64, "clients");
        assert_eq!(node.users(), self.users.len(), "users");
        let subscriptions: usize = self.members.values().map(BTreeMap::len).sum();
        assert_eq!(node.metrics().subscriptions.value(), subscriptions as i64, "subscriptions");
        assert_eq!(node.hub().channel_count(), self.members.len(), "channels with members");
    }

    /// Presence says who is there.
    fn check_channel(&self, channel: &str) {
        let here = self.members.get(channel);
        let expected: BTreeMap<_, _> = here
            .into_iter()
            .flatten()
            .map(|(client, it)| (client.clone(), (it.user.clone(), it.info.clone())))
            .collect();
        let present = self.world.engine.present(channel);
        let listed: BTreeMap<_, _> = present
            .iter()
            .map(|info| {
                let shown = serde_json::from_slice::<BTreeMap<String, String>>(&info.conn_info);
                let shown = shown.unwrap_or_default().remove("is").unwrap_or_default();
                (info.client.clone(), (info.user.clone(), shown))
            })
            .collect();
        assert_eq!(listed, expected, "who is present in {channel}");
        let users: BTreeSet<_> = expected.values().map(|(user, _)| user).collect();
        let stats = self.world.engine.present_stats(channel);
        assert_eq!((stats.clients, stats.users), (expected.len(), users.len()), "how many are in {channel}");
    }

    /// A client that reads has been given everything, and knows who is there.
    fn check_mind(&mut self, number: u64) {
        if self.links[&number].mood == Mood::Gone {
            return;
        }
        let mind = self.mind(number).clone();
        if let Some(missing) = mind.missing(&mut self.truth) {
            panic!("connection {number} was not given {missing}");
        }
        let nobody = BTreeMap::new();
        let client = self.links[&number].peer.session().id().to_string();
        for channel in mind.view.channels() {
            let here = self.members.get(channel).unwrap_or(&nobody);
            let known: BTreeMap<_, _> = mind.others(channel).collect();
            for (other, is_there) in &known {
                assert_eq!(
                    here.contains_key(*other),
                    *is_there,
                    "{other} in {channel}, as {client} knows it"
                );
            }
            let tells = self.world.node.rules().channel(channel).unwrap().rules.options.join_leave;
            let since = here[&client].since;
            for (other, it) in here.iter().filter(|_| tells) {
                let is_known = known.contains_key(other.as_str()) || it.since <= since;
                assert!(is_known, "{client} does not know that {other} is in {channel}");
            }
        }
    }

    /// Nobody stays longer than its token lets it, and the time to refresh it.
    pub(crate) fn check_expiry(&self) {
        const DELAY: u64 = 25;
        if self.climate.refreshes {
            return;
        }
        let now = self.world.unix();
        for (number, link) in self.connected() {
            assert!(
                link.expire_at == 0 || now <= link.expire_at + DELAY,
                "connection {number} outlives its token"
            );
            let mind = self.mind(*number);
            for (channel, expire_at) in &link.channels_expire_at {
                let is_over = now > expire_at + DELAY && mind.view.is_subscribed(channel);
                assert!(!is_over, "connection {number} outlives its token for {channel}");
            }
        }
    }

    /// What a client asked to recover is not there any more. Only where all is done at once is it still as it was then.
    pub(crate) fn check_unrecovered(&self, channel: &str, since: &Position) {
        if self.is_slow {
            return;
        }
        let kept = self.world.engine.kept(channel, self.world.keep(channel));
        let offsets: Vec<u64> = kept.publications.iter().map(|publication| publication.offset).collect();
        let is_there = if channel.starts_with("cache") {
            offsets.last() == Some(&kept.position.offset) || *since == kept.position
        } else {
            since.epoch == kept.position.epoch
                && (since.offset == kept.position.offset
                    || offsets.first().is_some_and(|first| *first <= since.offset + 1))
        };
        assert!(
            !is_there,
            "{channel} has {offsets:?} and is at {:?}: {since:?} could recover",
            kept.position
        );
    }
}
