//! A list in parts, while connections come and go.

use std::collections::BTreeMap;

use antiphon_hub::inspect::{Busy, SEARCHES};

use super::common::Random;
use super::*;

/// So many connections may be looked at in one turn.
const LOOKS: usize = 1000;

#[test]
fn who_stays_is_seen_once_whoever_comes_and_goes() {
    for (seed, query) in [
        (1, Query::default()),
        (2, Query { search: "a".into(), ..Query::default() }),
        (3, Query { channel: "room".into(), ..Query::default() }),
        (4, Query { user: "ada".into(), ..Query::default() }),
    ] {
        page_through(seed, &query);
    }
}

fn page_through(seed: u64, query: &Query) {
    let (world, mut random) = (world(2), Random::new(seed));
    let come = |random: &mut Random| {
        let mut peer = connected(&world, random.below(2), of("ada"));
        subscribe(&world, &mut peer, "room");
        peer
    };
    let (mut stay, mut fleeting) = (Vec::new(), Vec::new());
    for _ in 0..1500 {
        let peer = come(&mut random);
        if random.percent(50) { stay.push(peer) } else { fleeting.push(peer) }
    }
    let mut seen: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    let mut after = None;
    loop {
        let query = Query { limit: 1 + random.below(200), after, ..query.clone() };
        let mut asked = pin!(world.node.inspector().connections(query).unwrap());
        let page = loop {
            if let Some(page) = poll(asked.as_mut()) {
                break page;
            }
            let worker = random.below(2);
            turn(&world, worker);
            for _ in 0..random.below(8) {
                if random.percent(50) && !fleeting.is_empty() {
                    fleeting.swap_remove(random.below(fleeting.len()));
                } else {
                    fleeting.push(come(&mut random));
                }
            }
            if let Some(moving) = (!stay.is_empty()).then(|| random.below(stay.len())) {
                // One leaves the channel and comes back: it has another place there.
                say(&world, &mut stay[moving], &json!({ "id": 3, "unsubscribe": { "channel": "room" } }));
                subscribe(&world, &mut stay[moving], "room");
            }
        };
        assert!(page.total >= stay.len() - 1, "{} of {}", page.total, stay.len());
        for connection in page.connections {
            *seen.entry(connection.client).or_default() += 1;
        }
        match page.next {
            Some(next) => {
                assert!(after.is_none_or(|after| next < after));
                after = Some(next);
            }
            None => break,
        }
    }
    let doubles = seen.values().filter(|count| **count > 1).count();
    assert_eq!(doubles, 0, "seed {seed}");
    // Whoever moved in the channel was not there all the while, as far as a list of the channel goes.
    let missed = stay.iter().filter(|peer| !seen.contains_key(peer.session().id())).count();
    let may_miss = if query.channel.is_empty() { 0 } else { 10 };
    assert!(missed <= may_miss, "seed {seed}: {missed} missed");
}

#[test]
fn a_worker_looks_at_so_many_and_then_lets_others_go_on() {
    let world = world(1);
    let count = 2 * LOOKS + 500;
    let peers: Vec<_> = (0..count).map(|_| connected(&world, 0, json!({}))).collect();
    let query = || Query { search: "nobody".into(), limit: 50, ..Query::default() };
    let mut search = pin!(world.node.inspector().connections(query()).unwrap());
    assert_eq!([turn(&world, 0), turn(&world, 0)], [LOOKS, LOOKS]);
    assert!(poll(search.as_mut()).is_none());
    // Another question is answered meanwhile.
    let id = peers[0].session().id();
    let mut look = pin!(world.node.inspector().connection(id));
    assert!(is_asked(&world, 0));
    assert_eq!(turn(&world, 0), 500);
    assert!(poll(look.as_mut()).unwrap().is_some());
    assert_eq!(poll(search.as_mut()).unwrap(), Page::default());
    assert!(!is_asked(&world, 0));
    // The newest are described in parts as well: that is more work than looking at one.
    let query = Query { limit: 500, ..Query::default() };
    let mut all = pin!(world.node.inspector().connections(query).unwrap());
    let mut turns = Vec::new();
    let page = loop {
        match poll(all.as_mut()) {
            Some(page) => break page,
            None => turns.push(turn(&world, 0)),
        }
    };
    assert_eq!((page.connections.len(), page.total), (500, count));
    assert_eq!(turns, [1000, 1000, 500, 125, 125, 125, 125]);
}

#[test]
fn searches_have_turns_and_there_are_only_so_many() {
    let world = world(1);
    let peers: Vec<_> = (0..LOOKS + 1).map(|_| connected(&world, 0, json!({}))).collect();
    let search =
        || world.node.inspector().connections(Query { search: "x".into(), limit: 1, ..Query::default() });
    let mut searches: Vec<_> = (0..SEARCHES).map(|_| Box::pin(search().unwrap())).collect();
    assert_eq!(search().err(), Some(Busy));
    // Each has its turn, one after the other.
    let turns: Vec<_> = (0..2 * SEARCHES).map(|_| turn(&world, 0)).collect();
    assert_eq!(turns, [[LOOKS; SEARCHES], [1; SEARCHES]].concat());
    assert_eq!(search().err(), Some(Busy), "nobody has taken an answer yet");
    (0..SEARCHES).for_each(|_| assert_eq!(turn(&world, 0), 0));
    assert!(searches.iter_mut().all(|search| poll(search.as_mut()).is_some()));
    drop(search().unwrap());
    drop(searches);
    drop(peers);
}

#[test]
fn a_search_ends_when_nobody_waits_for_it() {
    let world = world(1);
    let peers: Vec<_> = (0..LOOKS + 1).map(|_| connected(&world, 0, json!({}))).collect();
    for _ in 0..SEARCHES + 1 {
        let search =
            world.node.inspector().connections(Query { search: "x".into(), limit: 1, ..Query::default() });
        let search = search.unwrap();
        assert_eq!(turn(&world, 0), LOOKS);
        drop(search);
        assert_eq!(turn(&world, 0), 0, "the rest is not looked at");
        assert!(!is_asked(&world, 0));
    }
    drop(peers);
}
