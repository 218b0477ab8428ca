//! What every presence promises, as tests that any can be put through. See [`engine::suite`](crate::engine::suite).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Barrier};
use std::thread;

use super::{Presence, PresenceStats};
use crate::engine::suite::block_on;
use crate::protocol::ClientInfo;

/// Every promise. Each case makes a presence of its own, with nobody in any channel.
///
/// # Panics
/// When one is not kept; or when an answer takes more than 30 seconds.
pub fn all(make: impl Fn() -> Arc<dyn Presence>) {
    let cases: [fn(&Bench); 6] = [
        nobody_is_in_an_unknown_channel,
        each_connection_is_in_a_channel_once,
        what_is_said_again_replaces_what_was_said,
        a_user_is_there_as_long_as_one_connection,
        a_channel_grows_and_shrinks,
        many_come_and_go_at_once,
    ];
    cases.iter().for_each(|case| case(&Bench(make())));
}

struct Bench(Arc<dyn Presence>);

impl Bench {
    fn add(&self, channel: &str, info: &ClientInfo) {
        block_on(self.0.add(channel, Arc::new(info.clone()))).expect("one can be added");
    }

    fn remove(&self, channel: &str, client: &str) {
        block_on(self.0.remove(channel, client)).expect("one can be removed");
    }

    /// Who is there and how many, which have to agree with what is expected and with each other.
    fn check<'a>(&self, channel: &str, expected: impl IntoIterator<Item = &'a ClientInfo>, when: &str) {
        let expected: BTreeMap<&str, &ClientInfo> =
            expected.into_iter().map(|info| (info.client.as_str(), info)).collect();
        let list = block_on(self.0.list(channel)).expect("there is a list");
        let there: BTreeMap<&str, &ClientInfo> =
            list.iter().map(|info| (info.client.as_str(), &**info)).collect();
        assert_eq!(there, expected, "in {channel}, {when}");
        assert_eq!(list.len(), expected.len(), "nobody is twice in {channel}, {when}");
        let users = expected.values().map(|info| &info.user).collect::<BTreeSet<_>>().len();
        let stats = block_on(self.0.stats(channel)).expect("there are counts");
        assert_eq!(stats, PresenceStats { clients: expected.len(), users }, "in {channel}, {when}");
    }
}

fn info(user: &str, client: &str) -> ClientInfo {
    ClientInfo { user: user.to_owned(), client: client.to_owned(), ..ClientInfo::default() }
}

fn nobody_is_in_an_unknown_channel(bench: &Bench) {
    bench.remove("room", "c1");
    bench.check("room", [], "never used");
    bench.add("room", &info("ann", "c1"));
    bench.check("another", [], "though somebody is in another");
    bench.remove("another", "c1");
    bench.check("room", [&info("ann", "c1")], "removed from another");
}

fn each_connection_is_in_a_channel_once(bench: &Bench) {
    let (ann, bob) = (info("ann", "c1"), info("bob", "c2"));
    for _ in 0..3 {
        bench.add("room", &ann);
    }
    bench.check("room", [&ann], "added three times");
    bench.add("room", &bob);
    bench.add("hall", &ann);
    for time in ["removed", "removed again"] {
        bench.remove("room", "c1");
        bench.check("room", [&bob], time);
        bench.check("hall", [&ann], time);
    }
    bench.add("room", &ann);
    bench.check("room", [&ann, &bob], "back again");
}

fn what_is_said_again_replaces_what_was_said(bench: &Bench) {
    // In a channel of few and in one of many.
    for others in [0, 1, 30] {
        let channel = format!("with {others}");
        let others: Vec<_> = (0..others).map(|number| info("ann", &format!("o{number}"))).collect();
        others.iter().for_each(|info| bench.add(&channel, info));
        let tokens = |text: &'static str| ClientInfo { conn_info: text.into(), ..info("ann", "c1") };
        let places = |text: &'static str| ClientInfo { chan_info: text.into(), ..info("ann", "c1") };
        for now in
            [tokens("1"), tokens("2"), places("3"), info("bob", "c1"), info("", "c1"), info("ann", "c1")]
        {
            bench.add(&channel, &now);
            bench.check(&channel, others.iter().chain([&now]), "said again");
        }
        bench.remove(&channel, "c1");
        bench.check(&channel, &others, "removed once");
    }
}

fn a_user_is_there_as_long_as_one_connection(bench: &Bench) {
    let infos: Vec<_> = [("ann", 12), ("bob", 2), ("", 3)]
        .into_iter()
        .flat_map(|(user, tabs)| (0..tabs).map(move |tab| info(user, &format!("{user}-{tab}"))))
        .collect();
    for (count, info) in (1..).zip(&infos) {
        bench.add("room", info);
        bench.check("room", &infos[..count], "as they come");
    }
    for (count, info) in (1..).zip(&infos) {
        bench.remove("room", &info.client);
        bench.check("room", &infos[count..], "as they go");
    }
}

fn a_channel_grows_and_shrinks(bench: &Bench) {
    let infos: Vec<_> =
        (0..40).map(|number| info(&format!("u{}", number % 7), &format!("c{number}"))).collect();
    // How many are there in turn: up and down over every size at which something might change its form.
    let mut there = 0;
    for goal in [1, 0, 3, 2, 9, 8, 9, 4, 10, 3, 40, 17, 16, 18, 5, 6, 4, 5, 0, 8, 0, 9, 1] {
        while there != goal {
            if there < goal {
                bench.add("room", &infos[there]);
                there += 1;
            } else {
                there -= 1;
                bench.remove("room", &infos[there].client);
            }
            bench.check("room", &infos[..there], "as it grows and shrinks");
        }
    }
}

fn many_come_and_go_at_once(bench: &Bench) {
    const THREADS: usize = 4;
    const EACH: usize = 20;

    let begin = Barrier::new(THREADS);
    let client = |thread: usize, number: usize| info(&format!("u{number}"), &format!("{thread}-{number}"));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let begin = &begin;
            scope.spawn(move || {
                begin.wait();
                for round in 0..20 {
                    (0..EACH).for_each(|number| bench.add("room", &client(thread, number)));
                    // All but every other go again, and in the last round only those.
                    let gone = (0..EACH).filter(|number| round < 19 || number % 2 == 0);
                    gone.for_each(|number| bench.remove("room", &client(thread, number).client));
                }
            });
        }
    });
    let left: Vec<_> = (0..THREADS)
        .flat_map(|thread| (1..EACH).step_by(2).map(move |number| client(thread, number)))
        .collect();
    bench.check("room", &left, "when all is done");
}
