//! Two connections under random schedules of writes, reads, delays, failures and closes lose nothing.

use std::time::Duration;

use antiphon_proto::deflate::{DeflateConfig, Params};
use antiphon_proto::{Cause, Config, Delivery, End, KeepAliveConfig, Limits, Side};
use proptest::prelude::*;

use crate::pair::{Pair, Shut};
use crate::splits::cases;
use crate::tested::{Keys, Seen, close_of, seconds};
use crate::wire;

fn params() -> impl Strategy<Value = Option<Params>> {
    let some =
        (any::<bool>(), any::<bool>(), 8u8..=15, 8u8..=15).prop_map(|(server, client, ours, theirs)| {
            Params {
                server_no_context_takeover: server,
                client_no_context_takeover: client,
                server_max_window_bits: ours,
                client_max_window_bits: theirs,
            }
        });
    prop::option::weighted(0.8, some)
}

fn config() -> impl Strategy<Value = Config> {
    let deflate = (any::<bool>(), 0usize..200, 0u8..=9, 1u8..=9, 8u8..=15).prop_map(
        |(no_context_takeover, threshold, level, memory_level, max_window_bits)| DeflateConfig {
            no_context_takeover,
            threshold,
            level,
            memory_level,
            max_window_bits,
            ..DeflateConfig::default()
        },
    );
    (deflate, any::<bool>(), any::<bool>()).prop_map(|(deflate, streams, pings)| Config {
        deflate,
        delivery: if streams { Delivery::Streamed } else { Delivery::Assembled },
        keep_alive: pings.then(KeepAliveConfig::default),
        limits: Limits { fragments: u32::MAX, outbox: 100_000, ..crate::heap::UNLIMITED },
        ..Config::default()
    })
}

/// The messages among these, streamed ones put together. A message that is cut off is left out.
fn messages(seen: &[Seen]) -> Vec<Seen> {
    let mut open = (antiphon_proto::Kind::Text, Vec::new());
    let mut whole = Vec::new();
    for event in seen {
        match event {
            Seen::Text(_) | Seen::Binary(_) => whole.push(event.clone()),
            Seen::Begin(kind) => open = (*kind, Vec::new()),
            Seen::Chunk(bytes) => open.1.extend_from_slice(bytes),
            Seen::End => whole.push(match (open.0, std::mem::take(&mut open.1)) {
                (antiphon_proto::Kind::Text, bytes) => Seen::Text(String::from_utf8(bytes).unwrap()),
                (antiphon_proto::Kind::Binary, bytes) => Seen::Binary(bytes),
            }),
            Seen::Ping(_) | Seen::Pong(..) | Seen::Closed(_) => {}
        }
    }
    whole
}

/// How each end ended: told once, and last.
fn verdicts(pair: &Pair) -> [End; 2] {
    [0, 1].map(|at| {
        let seen = &pair.ends[at].seen;
        let closed = seen.iter().filter(|event| matches!(event, Seen::Closed(_))).count();
        assert_eq!(closed, 1, "told once: {:?}", pair.ends[at].tested.conn);
        let Some(Seen::Closed(end)) = seen.last() else { panic!("the last event: {:?}", seen.last()) };
        assert_eq!(pair.ends[at].tested.conn.end().as_ref(), Some(end));
        end.clone()
    })
}

/// One step of the schedule.
fn step(pair: &mut Pair, random: &mut Keys) {
    let amount = [1, 2, 14, 500, 70_000][random.below(5)];
    let (end, other) = pair.side(random.below(2));
    match random.below(8) {
        0..=2 => end.act(random),
        3 | 4 => end.write(amount),
        5 | 6 => end.read(other, amount),
        _ => pair.pass(Duration::from_millis(10)),
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn nothing_is_lost(
        params in params(), ours in config(), theirs in config(), seed: u64, steps in 0usize..200, closers in 1usize..4,
    ) {
        let random = &mut Keys::new(seed);
        let mut pair = Pair::new([ours, theirs], params);
        for _ in 0..steps {
            step(&mut pair, random);
        }
        // From one side, from the other, or from both at once; and it goes on meanwhile.
        for at in [0, 1] {
            if closers & (1 << at) != 0 {
                pair.ends[at].close(random);
            }
        }
        for _ in 0..steps {
            step(&mut pair, random);
        }
        pair.settle();
        prop_assert!(pair.is_done(), "{:?} {:?}", pair.ends[0].tested.conn, pair.ends[1].tested.conn);

        let ends = verdicts(&pair);
        for (at, other) in [(0, 1), (1, 0)] {
            let (here, there) = (&pair.ends[at], &pair.ends[other]);
            prop_assert_eq!(messages(&there.seen), here.sent.clone(), "once and in order");
            let frames = wire::parse(&here.wire);
            prop_assert!(close_of(&frames).is_some(), "each sends one Close, and nothing after it");
            prop_assert_eq!(&ends[at].sent, &ends[other].received);
            prop_assert_eq!(ends[at].cause, Cause::Handshake);
            let pongs = there.seen.iter().filter(|event| matches!(event, Seen::Pong(..))).count();
            let pings = wire::parse(&there.wire).iter().filter(|frame| frame.first == wire::PING).count();
            prop_assert!(pongs <= pings, "never more Pongs than Pings");
        }
        prop_assert!(ends.iter().any(|end| end.first == Some(Side::Local)), "somebody was first");
    }

    #[test]
    fn failures_lose_only_what_was_on_its_way(
        params in params(), ours in config(), theirs in config(), seed: u64, steps in 0usize..150,
        shut in prop_oneof![Just(Some(Shut::Eof)), Just(Some(Shut::Reset)), Just(None)], close: bool,
    ) {
        let random = &mut Keys::new(seed);
        let mut pair = Pair::new([ours, theirs], params);
        for _ in 0..steps {
            step(&mut pair, random);
        }
        let failing = random.below(2);
        if close {
            pair.ends[random.below(2)].close(random);
            step(&mut pair, random);
        }
        match shut {
            Some(shut) => {
                pair.ends[failing].fail(shut);
                if shut == Shut::Reset {
                    let now = pair.ends[failing].tested.now;
                    pair.ends[failing].tested.conn.handle_reset(now);
                    let seen = pair.ends[failing].tested.feed(&[]);
                    pair.ends[failing].seen.extend(seen);
                    pair.ends[1 - failing].fail(Shut::Reset);
                }
            }
            // Nothing passes any more: only the timers are left. Without Pings an idle connection may stay for ever.
            None => pair.ends[failing].close(random),
        }
        for _ in 0..steps {
            if shut.is_some() {
                step(&mut pair, random);
            }
        }
        if shut.is_some() {
            pair.settle();
            for end in &mut pair.ends {
                end.close(random);
            }
            pair.settle();
        } else {
            let other = &mut pair.ends[1 - failing];
            other.close(random);
        }
        // The budget of the close is all that it takes.
        pair.pass(seconds(5));
        prop_assert!(pair.is_done(), "{:?} {:?}", pair.ends[0].tested.conn, pair.ends[1].tested.conn);
        verdicts(&pair);
        for (at, other) in [(0, 1), (1, 0)] {
            let received = messages(&pair.ends[other].seen);
            prop_assert!(pair.ends[at].sent.starts_with(&received), "a beginning of what was sent, in order");
            prop_assert!(pair.ends[at].tested.wire().is_empty(), "nothing waits any more");
        }
    }
}

#[test]
fn context_takeover_both_ways_over_many_messages() {
    let params = Params {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: 15,
        client_max_window_bits: 15,
    };
    let deflate = DeflateConfig { no_context_takeover: false, threshold: 32, ..DeflateConfig::default() };
    let config = || Config { deflate, ..Config::default() };
    let mut pair = Pair::new([config(), config()], Some(params));
    let random = &mut Keys::new(11);
    for _ in 0..2000 {
        let (end, _) = pair.side(random.below(2));
        end.act(random);
        pair.settle();
    }
    for (at, other) in [(0, 1), (1, 0)] {
        assert!(pair.ends[at].sent.len() > 300);
        assert_eq!(messages(&pair.ends[other].seen), pair.ends[at].sent);
        let compressed =
            wire::parse(&pair.ends[at].wire).iter().filter(|frame| frame.first & wire::RSV1 != 0).count();
        assert!(compressed > 100, "{compressed}");
    }
}
