//! As many connections as a server has.

use std::time::Instant;

use super::*;

#[test]
fn many_connections_are_listed_and_searched() {
    let count = if std::env::var_os("ANTIPHON_LONG").is_some() { 100_000 } else { 10_000 };
    let world = world(2);
    let begin = Instant::now();
    let peers: Vec<_> = (0..count)
        .map(|n| {
            let mut request = of_user(n);
            request["subs"] = json!({ format!("room-{}", n % 100): {}, "all": {} });
            connected(&world, n % 2, request)
        })
        .collect();
    eprintln!("{count} connections came in {:?}", begin.elapsed());

    let timed = |name: &str, query: Query| {
        let (mut turns, mut most, mut longest) = (0, 0, std::time::Duration::ZERO);
        let begin = Instant::now();
        let mut asked = pin!(world.node.inspector().connections(query).unwrap());
        let page = loop {
            if let Some(page) = poll(asked.as_mut()) {
                break page;
            }
            for worker in (0..2).filter(|worker| is_asked(&world, *worker)) {
                let begin = Instant::now();
                most = most.max(turn(&world, worker));
                longest = longest.max(begin.elapsed());
                turns += 1;
            }
        };
        eprintln!("{name}: {:?} in {turns} turns, the longest of them {longest:?}", begin.elapsed());
        assert!(most <= 1000, "{name}: {most} in one turn");
        page
    };
    let page = timed("the first 50", Query { limit: 50, ..Query::default() });
    assert_eq!((page.total, page.connections.len()), (count, 50));
    let deep = Query { limit: 500, after: Some(count as u64 / 2), ..Query::default() };
    let page = timed("500 from the middle", deep);
    assert_eq!((page.total, page.connections.len()), (count, 500));
    let page =
        timed("a search that finds one", Query { search: "USER-77.".into(), limit: 50, ..Query::default() });
    assert_eq!((page.total, &*page.connections[0].user), (1, "user-77."));
    let page =
        timed("a search in channels", Query { search: "room-42".into(), limit: 50, ..Query::default() });
    assert_eq!(page.total, count / 100);
    let page = timed("a channel of many", Query { channel: "all".into(), limit: 50, ..Query::default() });
    assert_eq!(page.total, count);
    let page = timed("a user", Query { user: "user-1.".into(), limit: 50, ..Query::default() });
    assert_eq!(page.total, 1);

    // All pages, each connection once.
    let (mut after, mut seen) = (None, 0);
    loop {
        let page = list(&world, Query { limit: 500, after, search: "user-1".into(), ..Query::default() });
        seen += page.connections.len();
        after = page.next;
        if after.is_none() {
            assert_eq!(seen, page.total);
            break;
        }
    }
    drop(peers);
    assert_eq!(list(&world, Query::default()).total, 0);
}

fn of_user(n: usize) -> Value {
    of(&format!("user-{n}."))
}
