//! §5.4: messages in several frames, and the limits on them.

use antiphon_proto::{Config, Delivery, Kind, Limits, Role, Violation};

use crate::tested::{ROLES, Seen, Tested, limits, message_limit, refused, streamed, tells};
use crate::wire::{
    BINARY, BINARY_BEGINS, CONTINUES, ENDS, Form, PING, PONG, TEXT, TEXT_BEGINS, head, key_to, to,
};

fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

#[test]
fn c43_fragments_of_different_messages_do_not_mix() {
    for role in ROLES {
        for begin in [TEXT_BEGINS, BINARY_BEGINS] {
            for next in [TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS] {
                let input = [to(role, begin, b"a"), to(role, next, b"b")].concat();
                refused(|| Tested::plain(role), &input, &[], Violation::ExpectedContinuation, "");
            }
        }
        for first in [CONTINUES, ENDS] {
            refused(
                || Tested::plain(role),
                &to(role, first, b"a"),
                &[],
                Violation::UnexpectedContinuation,
                "",
            );
            // What came before is told.
            let input = [to(role, TEXT, b"whole"), to(role, first, b"a")].concat();
            let before = [text("whole")];
            refused(|| Tested::plain(role), &input, &before, Violation::UnexpectedContinuation, "");
        }
    }
}

#[test]
fn c43_control_frames_interleave() {
    for role in ROLES {
        let input = [
            to(role, TEXT_BEGINS, "tsch\u{fc}"),
            to(role, PING, b"1"),
            to(role, CONTINUES, b""),
            to(role, PONG, b"2"),
            to(role, PING, b""),
            to(role, ENDS, b"ss"),
            to(role, BINARY, b"next"),
        ]
        .concat();
        let expected = [
            Seen::Ping(b"1".to_vec()),
            Seen::Pong(b"2".to_vec(), None),
            Seen::Ping(vec![]),
            text("tsch\u{fc}ss"),
            Seen::Binary(b"next".to_vec()),
        ];
        tells(|| Tested::plain(role), &input, &expected, "assembled");
        let mut tested = Tested::plain(role);
        tested.feed(&input);
        let pongs: Vec<_> = tested.written().into_iter().map(|frame| (frame.first, frame.payload)).collect();
        assert_eq!(pongs, [(PONG, b"1".to_vec()), (PONG, vec![])]);
    }
}

#[test]
fn c44_empty_fragments() {
    for role in ROLES {
        for (frames, message) in [
            (&[(TEXT_BEGINS, ""), (ENDS, "")][..], ""),
            (&[(TEXT_BEGINS, ""), (ENDS, "a")], "a"),
            (&[(TEXT_BEGINS, "a"), (ENDS, "")], "a"),
            (&[(TEXT_BEGINS, "a"), (CONTINUES, ""), (CONTINUES, ""), (ENDS, "b")], "ab"),
            (&[(TEXT, "")], ""),
        ] {
            let input: Vec<u8> =
                frames.iter().flat_map(|(first, payload)| to(role, *first, payload)).collect();
            tells(|| Tested::plain(role), &input, &[text(message)], "assembled");
            let mut expected = vec![Seen::Begin(Kind::Text)];
            // No chunk is empty; the whole input at once gives one for each fragment that is not.
            let parts = frames.iter().filter(|frame| !frame.1.is_empty());
            expected.extend(parts.map(|(_, payload)| Seen::Chunk(payload.as_bytes().to_vec())));
            expected.push(Seen::End);
            tells(|| Tested::new(role, streamed(), None), &input, &expected, "streamed");
        }
    }
}

#[test]
fn c44_sends_fragments() {
    for role in ROLES {
        let mut tested = Tested::plain(role);
        let conn = &mut tested.conn;
        conn.begin_message(Kind::Binary, false).unwrap();
        conn.finish().unwrap();
        conn.begin_message(Kind::Text, false).unwrap();
        conn.push(b"").unwrap();
        conn.push(b"a").unwrap();
        conn.push(b"b").unwrap();
        conn.finish().unwrap();
        let frames: Vec<_> = tested.written().into_iter().map(|frame| (frame.first, frame.payload)).collect();
        let expected =
            [(BINARY, vec![]), (TEXT_BEGINS, b"a".to_vec()), (CONTINUES, b"b".to_vec()), (ENDS, vec![])];
        assert_eq!(frames, expected, "an empty push makes no frame");
    }
}

#[test]
fn streamed_while_a_frame_arrives() {
    for role in ROLES {
        let mut tested = Tested::new(role, streamed(), None);
        let frame = to(role, BINARY, [9; 1000]);
        assert_eq!(tested.feed(&frame[..500]).len(), 2, "Begin and what has come of the payload");
        assert_eq!(tested.feed(&frame[500..501]), [Seen::Chunk(vec![9])]);
        assert_eq!(tested.feed(&frame[501..]).len(), 2);
        // An empty frame that is cut after its head still begins and ends.
        let mut tested = Tested::new(role, streamed(), None);
        assert_eq!(tested.feed(&to(role, TEXT, b"")), [Seen::Begin(Kind::Text), Seen::End]);
    }
}

/// Limits of 10 bytes for frames, 20 for messages, 4 frames.
fn small(delivery: Delivery) -> Config {
    Config { delivery, ..limits(Limits { frame: 10, message: 20, fragments: 4, ..Limits::default() }) }
}

/// A message of these frames' lengths, and what refuses it.
fn limit_cases() -> Vec<(Vec<usize>, Option<Violation>)> {
    let frame = |length| Violation::FrameTooBig { length, limit: 10 };
    let message = Violation::MessageTooBig { limit: 20 };
    let fragments = Violation::TooManyFragments { limit: 4 };
    vec![
        (vec![10], None),
        (vec![11], Some(frame(11))),
        (vec![126], Some(frame(126))),
        (vec![10, 10], None),
        (vec![10, 10, 0], None),
        (vec![10, 10, 1], Some(message)),
        (vec![0, 11], Some(frame(11))),
        (vec![7, 7, 7], Some(message)),
        (vec![1, 1, 1, 1], None),
        (vec![1, 1, 1, 1, 1], Some(fragments)),
        (vec![0, 0, 0, 0], None),
        (vec![0, 0, 0, 0, 0], Some(fragments)),
    ]
}

#[test]
fn limits_at_the_byte_in_every_split() {
    for role in ROLES {
        for (lengths, violation) in limit_cases() {
            let mut input = Vec::new();
            for (at, length) in lengths.iter().enumerate() {
                let begins = if at == 0 { BINARY_BEGINS } else { CONTINUES };
                let ends = if at + 1 == lengths.len() { 0x80 } else { 0 };
                input.extend(to(role, begins | ends, vec![b'x'; *length]));
            }
            let what = format!("{lengths:?}");
            let make = || Tested::new(role, small(Delivery::Assembled), None);
            match violation {
                Some(violation) => {
                    refused(make, &input, &[], violation, &what);
                    // The head of the frame is enough: no payload has to come.
                    let last = *lengths.last().unwrap();
                    refused(make, &input[..input.len() - last], &[], violation, &what);
                }
                None => tells(make, &input, &[Seen::Binary(vec![b'x'; lengths.iter().sum()])], &what),
            }
            let streamed = || Tested::new(role, small(Delivery::Streamed), None);
            let end = streamed().feed(&input).pop();
            assert_eq!(matches!(end, Some(Seen::Closed(_))), violation.is_some(), "streamed {what}");
        }
    }
}

#[test]
fn limits_near_the_largest_number_do_not_overflow() {
    let most = u64::MAX >> 1;
    for role in ROLES {
        for message in [most, u64::MAX, u64::MAX - 1] {
            let config =
                || limits(Limits { frame: u64::MAX, message, fragments: u32::MAX, ..Limits::default() });
            let mut input = to(role, BINARY_BEGINS, b"ab");
            input.extend(head(CONTINUES, Form::Eight, most, key_to(role)));
            let mut tested = Tested::new(role, config(), None);
            let seen = tested.feed(&input);
            if message == most {
                assert!(matches!(seen.as_slice(), [Seen::Closed(_)]), "2 + 2^63 - 1 is above 2^63 - 1");
            } else {
                assert_eq!(seen, []);
                // More of it is taken as it comes.
                assert_eq!(tested.feed(b"more"), []);
            }
        }
    }
}

#[test]
fn a_limit_of_nothing_admits_the_empty_message() {
    for role in ROLES {
        let make = || Tested::new(role, message_limit(0), None);
        tells(make, &to(role, TEXT, b""), &[text("")], "");
        refused(make, &to(role, TEXT, b"a"), &[], Violation::MessageTooBig { limit: 0 }, "");
    }
}

#[test]
fn a_driver_that_stops_polling_goes_on_where_it_was() {
    use antiphon_proto::Input;
    let role = Role::Server;
    let frames = [to(role, TEXT, b"one"), to(role, TEXT, b"two"), to(role, TEXT_BEGINS, b"th")].concat();
    let mut tested = Tested::plain(role);
    let now = tested.now;
    let mut buffer = frames;
    let mut input = Input::new(&mut buffer);
    assert_eq!(tested.conn.poll(now, &mut input).map(Seen::from), Some(text("one")));
    assert_eq!(input.len(), 9 + 8);
    let (rest, plain) = input.rest();
    let mut kept = rest.to_vec();
    let mut input = Input::resume(&mut kept, plain);
    assert_eq!(tested.conn.poll(now, &mut input).map(Seen::from), Some(text("two")));
    assert_eq!(tested.conn.poll(now, &mut input), None);
    assert_eq!(tested.feed(&to(role, ENDS, b"ree")), [text("three")]);
}
