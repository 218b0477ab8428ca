//! §5.1 to §5.3: the heads of frames, and masking.

use std::collections::HashSet;

use antiphon_proto::{CloseCode, Config, Delivery, Kind, Role, Violation};

use crate::tested::{DELIVERIES, ROLES, Seen, Tested, deflate, refused, tells};
use crate::wire::{
    BINARY, BINARY_BEGINS, CLOSE, CONTINUES, ENDS, Form, PING, PONG, RSV1, TEXT, apply, head, key_to, to,
};

#[test]
fn c37_minimal_length() {
    for role in ROLES {
        let key = key_to(role);
        for (form, length) in [
            (Form::Two, 0),
            (Form::Two, 1),
            (Form::Two, 125),
            (Form::Eight, 0),
            (Form::Eight, 125),
            (Form::Eight, 126),
            (Form::Eight, 0xFFFF),
        ] {
            for first in [TEXT, BINARY] {
                let input = head(first, form, length, key);
                let what = format!("{form:?} {length}");
                refused(|| Tested::plain(role), &input, &[], Violation::NonMinimalLength, &what);
            }
        }
        for length in [0, 1, 125, 126, 127, 0xFFFF, 0x1_0000] {
            let payload = vec![b'x'; length];
            let mut input = head(BINARY, Form::minimal(length), length as u64, key);
            input.extend(apply(key, &payload));
            let expected = [Seen::Binary(payload.clone())];
            tells(|| Tested::plain(role), &input, &expected, &format!("{length} received"));
            let mut sender = Tested::plain(role);
            sender.conn.send_binary(&payload).unwrap();
            // `written` reads minimal lengths only.
            assert_eq!(sender.written()[0].payload, payload, "{length} sent");
        }
    }
}

#[test]
fn c38_length_of_63_bits() {
    for role in ROLES {
        for length in [1 << 63, (1 << 63) + 1, u64::MAX] {
            let input = head(BINARY, Form::Eight, length, key_to(role));
            refused(|| Tested::plain(role), &input, &[], Violation::LengthBeyond63Bits, "");
            // The first of the eight bytes tells it.
            refused(|| Tested::plain(role), &input[..3], &[], Violation::LengthBeyond63Bits, "");
        }
    }
}

#[test]
fn c39_masking_direction() {
    for (role, key, violation) in [
        (Role::Server, None, Violation::UnmaskedFrame),
        (Role::Client, Some([1, 2, 3, 4]), Violation::MaskedFrame),
        (Role::Client, Some([0; 4]), Violation::MaskedFrame),
    ] {
        for first in [TEXT, BINARY, PING, PONG, CLOSE, BINARY_BEGINS] {
            for delivery in DELIVERIES {
                let config = || Config { delivery, ..Config::default() };
                let mut input = head(first, Form::Short, 2, key);
                input.extend(apply(key, &[3, 0xE8]));
                // The second byte tells it: no byte of the payload reaches the application.
                for seen in [&input[..2], &input] {
                    refused(|| Tested::new(role, config(), None), seen, &[], violation, "");
                }
            }
        }
    }
}

/// One frame of each sort.
fn one_of_each(tested: &mut Tested) {
    let now = tested.now;
    let conn = &mut tested.conn;
    conn.send_text("").unwrap();
    conn.send_text("text").unwrap();
    conn.send_binary(&[0; 5000]).unwrap();
    conn.send_bytes(Kind::Binary, vec![7; 5000]).unwrap();
    conn.send_prepared(&antiphon_proto::Prepared::text(&"prepared ".repeat(400))).unwrap();
    conn.send_uncompressed(Kind::Text, b"as it is").unwrap();
    conn.begin_message(Kind::Text, true).unwrap();
    conn.push(b"fragment").unwrap();
    conn.finish().unwrap();
    conn.ping(now, b"ping").unwrap();
    conn.pong(b"").unwrap();
    let role = conn.role();
    tested.feed(&to(role, PING, b"answer me"));
    tested.conn.close(now, CloseCode::NORMAL, "bye").unwrap();
}

#[test]
fn c40_client_masks_every_frame_afresh() {
    for params in [None, deflate(false), deflate(true)] {
        let mut server = Tested::new(Role::Server, Config::default(), params);
        one_of_each(&mut server);
        assert!(server.written().iter().all(|frame| frame.key.is_none()));

        let mut client = Tested::new(Role::Client, Config::default(), params);
        one_of_each(&mut client);
        let frames = client.written();
        assert_eq!(frames.len(), 12);
        let used: Vec<_> = frames.iter().map(|frame| frame.key.unwrap()).collect();
        let drawn = client.keys.lock().unwrap();
        // Each key has been drawn for its frame, in order, and is used once.
        let mut drawn_in_order = drawn.iter();
        assert!(used.iter().all(|key| drawn_in_order.any(|drawn| drawn == key)), "{used:?} {drawn:?}");
        assert_eq!(used.iter().collect::<HashSet<_>>().len(), used.len(), "no key is used twice");
    }
}

/// What is wrong with a first byte, written down anew from §5.2, §5.4, §5.5 and RFC 7692 §6.
fn broken_rules(first: u8, deflate: bool, open: bool) -> Vec<Violation> {
    let (opcode, control) = (first & 0xF, first & 8 != 0);
    let starts = opcode == 1 || opcode == 2;
    let rules = [
        (!matches!(opcode, 0..=2 | 8..=10), Violation::ReservedOpcode(opcode)),
        (first & 0x30 != 0, Violation::ReservedBits),
        (first & RSV1 != 0 && !(deflate && starts), Violation::ReservedBits),
        (control && first & 0x80 == 0, Violation::FragmentedControl),
        (starts && open, Violation::ExpectedContinuation),
        (opcode == 0 && !open, Violation::UnexpectedContinuation),
    ];
    rules.into_iter().filter(|rule| rule.0).map(|rule| rule.1).collect()
}

#[test]
fn c41_reserved_bits_and_every_other_first_byte() {
    for role in ROLES {
        for (params, begin) in [
            (None, None),
            (None, Some(BINARY_BEGINS)),
            (deflate(true), None),
            (deflate(true), Some(BINARY_BEGINS)),
            (deflate(true), Some(BINARY_BEGINS | RSV1)),
        ] {
            for first in 0..=u8::MAX {
                let make = || {
                    let mut tested = Tested::new(role, Config::default(), params);
                    if let Some(begin) = begin {
                        assert_eq!(tested.feed(&to(role, begin, b"")), []);
                    }
                    tested
                };
                let broken = broken_rules(first, params.is_some(), begin.is_some());
                let mut tested = make();
                // The first byte alone is enough.
                match tested.feed(&[first]).as_slice() {
                    [] => assert_eq!(broken, [], "{first:#04x} {begin:?}"),
                    [Seen::Closed(end)] => {
                        assert!(
                            broken.iter().any(|rule| end.cause == antiphon_proto::Cause::Violation(*rule)),
                            "{first:#04x} {begin:?}: {end:?}, of {broken:?}"
                        );
                        assert_eq!(crate::tested::close_of(&tested.written()), Some(1002));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn c41_rsv1_only_on_the_first_frame() {
    for role in ROLES {
        let make = || Tested::new(role, Config::default(), deflate(false));
        for (begin, then) in
            [(BINARY_BEGINS | RSV1, CONTINUES), (BINARY_BEGINS, ENDS), (BINARY_BEGINS, CONTINUES)]
        {
            let input = [to(role, begin, b""), to(role, then | RSV1, b"")].concat();
            refused(make, &input, &[], Violation::ReservedBits, "continuation");
        }
        for control in [PING, PONG, CLOSE] {
            refused(make, &to(role, control | RSV1, b""), &[], Violation::ReservedBits, "control");
        }
    }
}

#[test]
fn c45_streamed_chunks_are_unmasked_at_any_offset() {
    let payload: Vec<u8> = (0..200).collect();
    for role in ROLES {
        let input = to(role, BINARY, &payload);
        for step in 1..20 {
            let config = Config { delivery: Delivery::Streamed, ..Config::default() };
            let mut tested = Tested::new(role, config, None);
            let cuts: Vec<_> = (step..input.len()).step_by(step).collect();
            let chunks = tested.feed_cut(&input, &cuts).into_iter().filter_map(|seen| match seen {
                Seen::Chunk(bytes) => Some(bytes),
                _ => None,
            });
            assert_eq!(chunks.collect::<Vec<_>>().concat(), payload, "in steps of {step}");
        }
    }
}
