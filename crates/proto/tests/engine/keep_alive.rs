//! Pings to notice a dead peer (§5.5.2), and timers.

use std::time::Duration;

use antiphon_proto::{Cause, CloseCode, CloseTimeout, Config, Connection, Eof, KeepAliveConfig, Role};

use bytes::BufMut;

use crate::tested::{ROLES, Seen, Tested, close_of, seconds};
use crate::wire::{BINARY, PING, PONG, TEXT, to};

const INTERVAL: Duration = seconds(25);
const TIMEOUT: Duration = seconds(8);

fn kept_alive(role: Role) -> Tested {
    let keep_alive = Some(KeepAliveConfig { interval: INTERVAL, timeout: TIMEOUT });
    Tested::new(role, Config { keep_alive, ..Config::default() }, None)
}

#[test]
fn pings_at_the_interval_while_the_peer_answers() {
    for role in ROLES {
        let mut tested = kept_alive(role);
        let begin = tested.now;
        for count in 1..=5u32 {
            assert_eq!(tested.timer(), []);
            assert_eq!(tested.now, begin + INTERVAL * count);
            let pings = tested.written();
            assert_eq!((pings.len(), pings[0].first), (1, PING));
            tested.later(seconds(3));
            let seen = tested.feed(&to(role, PONG, &pings[0].payload));
            assert_eq!(seen, [Seen::Pong(pings[0].payload.clone(), Some(seconds(3)))]);
            // The deadline passes without a word, for the peer has been heard.
            assert_eq!(tested.timer(), []);
            assert!(tested.conn.is_open() && tested.written().is_empty());
        }
    }
}

#[test]
fn a_silent_peer_is_given_up() {
    for role in ROLES {
        let mut tested = kept_alive(role);
        // What came before the Ping does not count.
        tested.feed(&to(role, TEXT, b"early"));
        tested.timer();
        assert_eq!(tested.written()[0].first, PING);
        let pinged = tested.now;
        let seen = tested.timer();
        assert_eq!(tested.now, pinged + TIMEOUT);
        let [Seen::Closed(end)] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!(end.cause, Cause::KeepAliveTimeout(TIMEOUT));
        assert_eq!(close_of(&tested.written()), Some(CloseCode::INTERNAL_ERROR.as_u16()));
        // And the transport goes after the closing budget.
        assert_eq!(tested.timer(), []);
        assert!(tested.conn.is_done());
        assert_eq!(tested.conn.poll_timeout(), None);
    }
}

#[test]
fn any_byte_counts_as_a_sign_of_life() {
    for role in ROLES {
        let mut tested = kept_alive(role);
        tested.timer();
        // One byte of a long message.
        tested.feed(&[TEXT]);
        assert_eq!(tested.timer(), []);
        assert!(tested.conn.is_open());
    }
}

#[test]
fn what_is_read_to_its_place_counts_too() {
    for role in ROLES {
        let mut tested = kept_alive(role);
        let frame = to(role, BINARY, vec![0; 200_000]);
        tested.feed(&frame[..100_000]);
        tested.timer();
        let mut buffer = tested.conn.payload_buffer().expect("room for the rest");
        buffer.put_slice(&frame[100_000..100_001]);
        drop(buffer);
        tested.conn.handle_payload(1);
        assert_eq!(tested.timer(), []);
        assert_eq!(tested.feed(&frame[100_001..]), [Seen::Binary(vec![0; 200_000])]);
    }
}

#[test]
fn a_timer_that_fires_early_or_late_does_no_harm() {
    for role in ROLES {
        let mut tested = kept_alive(role);
        tested.conn.handle_timeout(tested.now);
        assert_eq!(tested.written(), []);
        // Asleep for an hour: one Ping, not many, and time for its answer.
        tested.later(seconds(3600));
        tested.conn.handle_timeout(tested.now);
        assert_eq!(tested.written().len(), 1);
        assert_eq!(tested.conn.poll_timeout(), Some(tested.now + TIMEOUT));
        assert!(tested.conn.is_open());
    }
}

#[test]
fn a_timeout_longer_than_the_interval() {
    for role in ROLES {
        let keep_alive = Some(KeepAliveConfig { interval: seconds(5), timeout: seconds(12) });
        let mut tested = Tested::new(role, Config { keep_alive, ..Config::default() }, None);
        let begin = tested.now;
        let mut pings = 0;
        while tested.timer().is_empty() {
            pings += tested.written().len();
            assert!(pings < 10, "a silent peer is given up though Pings go on");
        }
        assert_eq!((tested.now - begin, pings), (seconds(17), 3));
    }
}

#[test]
fn no_keep_alive_no_timer() {
    for role in ROLES {
        let mut tested = Tested::plain(role);
        assert_eq!(tested.conn.poll_timeout(), None);
        tested.later(seconds(1_000_000));
        tested.conn.handle_timeout(tested.now);
        assert!(tested.conn.is_open() && tested.written().is_empty());
    }
}

#[test]
fn no_pings_once_closing_has_begun() {
    for role in ROLES {
        let mut tested = kept_alive(role);
        tested.conn.close(tested.now, CloseCode::NORMAL, "").unwrap();
        assert_eq!(tested.written().len(), 1);
        assert_eq!(tested.conn.poll_timeout(), Some(tested.now + seconds(5)));
        tested.later(seconds(4));
        tested.conn.handle_timeout(tested.now);
        assert_eq!(tested.written(), []);
    }
}

/// A driver that arms no timer of its own calls with what it has: "for ever" must not overflow the clock.
#[test]
fn durations_beyond_the_clock_mean_never() {
    for role in ROLES {
        let forever = KeepAliveConfig { interval: Duration::MAX, timeout: Duration::MAX };
        let close = CloseTimeout(Duration::MAX);
        let config = |keep_alive| Config { keep_alive, close, ..Config::default() };
        let far =
            |conn: &Connection, now| conn.poll_timeout().is_some_and(|at| at > now + seconds(86_400 * 365));
        let mut tested = Tested::new(role, config(Some(forever)), None);
        assert!(far(&tested.conn, tested.now));
        tested.conn.close(tested.now, CloseCode::NORMAL, "").unwrap();
        assert!(far(&tested.conn, tested.now));

        let pinging = KeepAliveConfig { interval: seconds(1), timeout: Duration::MAX };
        let mut tested = Tested::new(role, config(Some(pinging)), None);
        for _ in 0..3 {
            assert_eq!(tested.timer(), []);
            assert_eq!(tested.written().len(), 1);
        }
        assert!(matches!(tested.eof(Eof::Clean).as_slice(), [Seen::Closed(_)]));
    }
}

/// A peer that sends and never reads must not make this end's Pings pile up.
#[test]
fn pings_do_not_pile_up_behind_a_full_outbox() {
    for role in ROLES {
        let mut tested = kept_alive(role);
        tested.conn.send_binary(&vec![0; 1 << 20]).unwrap();
        let before = tested.conn.outbox().len();
        for _ in 0..1000 {
            assert_eq!(tested.timer(), []);
            tested.feed(&to(role, PONG, b""));
        }
        assert!(tested.conn.is_open());
        assert!(tested.conn.outbox().len() <= before + 14, "{}", tested.conn.outbox().len() - before);
    }
}
