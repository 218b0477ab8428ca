//! §5.5.2 and §5.5.3: Ping and Pong.

use antiphon_proto::{CloseCode, SendError, Violation};

use crate::tested::{ROLES, Seen, Tested, refused, seconds, tells};
use crate::wire::{CLOSE, Form, PING, PONG, TEXT, head, key_to, to};

#[test]
fn c42_control_frames_are_short_and_whole() {
    for role in ROLES {
        for first in [PING, PONG, CLOSE] {
            let key = key_to(role);
            for (form, length) in [(Form::Two, 126), (Form::Two, 0), (Form::Eight, 1 << 20)] {
                // The second byte tells it.
                let input = &head(first, form, length, key)[..2];
                refused(|| Tested::plain(role), input, &[], Violation::LongControl, &format!("{length}"));
            }
            let input = &to(role, first & 0x7F, b"")[..1];
            refused(|| Tested::plain(role), input, &[], Violation::FragmentedControl, "");
        }
        let longest = vec![0xFF; 125];
        tells(|| Tested::plain(role), &to(role, PING, &longest), &[Seen::Ping(longest.clone())], "125");
        tells(|| Tested::plain(role), &to(role, PONG, &longest), &[Seen::Pong(longest.clone(), None)], "125");
    }
}

#[test]
fn c46_each_ping_is_answered_with_its_payload() {
    for role in ROLES {
        let mut tested = Tested::plain(role);
        let payloads = [b"".to_vec(), b"a".to_vec(), vec![0xC0; 125]];
        for payload in &payloads {
            tested.feed(&to(role, PING, payload));
        }
        let pongs: Vec<_> = tested.written().into_iter().map(|frame| (frame.first, frame.payload)).collect();
        assert_eq!(pongs, payloads.map(|payload| (PONG, payload)));
        // A Pong is not answered.
        tested.feed(&to(role, PONG, b"unasked"));
        assert_eq!(tested.written(), []);
        assert!(tested.conn.is_open());
    }
}

#[test]
fn c46_only_the_latest_ping_is_answered_when_much_waits() {
    for role in ROLES {
        let mut tested = Tested::plain(role);
        tested.conn.send_binary(&vec![0; 100_000]).unwrap();
        let before = tested.conn.outbox().len();
        for at in 0..1000u32 {
            tested.feed(&to(role, PING, at.to_be_bytes()));
        }
        assert_eq!(tested.conn.outbox().len(), before, "no Pong is added while so much waits");
        tested.wire();
        // Once there is room the latest is answered, once.
        let pongs: Vec<_> = tested.written().into_iter().map(|frame| frame.payload).collect();
        assert_eq!(pongs, [999u32.to_be_bytes().to_vec()]);
        assert_eq!(tested.written(), []);
    }
}

#[test]
fn c46_a_pong_that_waits_does_not_follow_a_close() {
    for role in ROLES {
        let mut tested = Tested::plain(role);
        tested.conn.send_binary(&vec![0; 100_000]).unwrap();
        tested.feed(&to(role, PING, b"x"));
        tested.conn.close(tested.now, CloseCode::NORMAL, "").unwrap();
        assert_eq!(crate::tested::close_of(&tested.written()), Some(1000));
        assert_eq!(tested.written(), []);
    }
}

#[test]
fn round_trip_time() {
    for role in ROLES {
        let mut tested = Tested::plain(role);
        tested.conn.ping(tested.now, b"one").unwrap();
        tested.later(seconds(1));
        tested.conn.ping(tested.now, b"two").unwrap();
        let pings: Vec<_> = tested.written().into_iter().map(|frame| (frame.first, frame.payload)).collect();
        assert_eq!(pings, [(PING, b"one".to_vec()), (PING, b"two".to_vec())]);
        tested.later(seconds(2));
        // Only the latest Ping is timed; a Pong to an earlier one, or to none, says nothing.
        assert_eq!(tested.feed(&to(role, PONG, b"one")), [Seen::Pong(b"one".to_vec(), None)]);
        assert_eq!(tested.feed(&to(role, PONG, b"two")), [Seen::Pong(b"two".to_vec(), Some(seconds(2)))]);
        assert_eq!(tested.feed(&to(role, PONG, b"two")), [Seen::Pong(b"two".to_vec(), None)]);
        assert_eq!(tested.feed(&to(role, TEXT, b"on")), [Seen::Text("on".into())]);
    }
}

#[test]
fn c49_control_payloads_above_125_bytes_are_refused() {
    for role in ROLES {
        let mut tested = Tested::plain(role);
        let now = tested.now;
        assert_eq!(tested.conn.ping(now, &[0; 126]), Err(SendError::ControlTooLong(126)));
        assert_eq!(tested.conn.pong(&[0; 4096]), Err(SendError::ControlTooLong(4096)));
        assert!(tested.written().is_empty());
        tested.conn.ping(now, &[1; 125]).unwrap();
        tested.conn.pong(&[2; 125]).unwrap();
        assert_eq!(tested.written().len(), 2);
    }
}
