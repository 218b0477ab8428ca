//! What other implementations got wrong: each class of fault, by the identifier that it can be searched for.
//!
//! Those that are about memory stand in `heap`.

use allocation_counter::measure;
use antiphon_proto::deflate::DeflateConfig;
use antiphon_proto::{Cause, CloseCode, Config, Delivery, Limits, Role, Violation};
use proptest::prelude::*;

use crate::compression::{Packer, compressed};
use crate::heap::UNLIMITED;
use crate::splits::cases;
use crate::tested::{
    DELIVERIES, Keys, ROLES, Seen, Tested, close_of, deflate, limits, message_limit, refused, tells,
};
use crate::wire::{
    BINARY, BINARY_BEGINS, CLOSE, CONTINUES, ENDS, Form, PING, PONG, RSV1, TEXT, TEXT_BEGINS, apply,
    close_body, head, key_to, to,
};

/// A length with its first bit set became a negative one, before any authentication.
#[test]
fn cve_2026_27889_length_msb() {
    length_msb(Role::Server);
}

/// The same in a client.
#[test]
fn cve_2026_1528_length_msb_client() {
    length_msb(Role::Client);
}

fn length_msb(role: Role) {
    for first in [TEXT, BINARY, TEXT_BEGINS, BINARY | RSV1] {
        for (length, violation) in [
            (1 << 63, Violation::LengthBeyond63Bits),
            ((1 << 63) + 1, Violation::LengthBeyond63Bits),
            (u64::MAX, Violation::LengthBeyond63Bits),
            ((1 << 63) - 1, Violation::FrameTooBig { length: (1 << 63) - 1, limit: 1 << 20 }),
            (1 << 62, Violation::FrameTooBig { length: 1 << 62, limit: 1 << 20 }),
            (1 << 32, Violation::FrameTooBig { length: 1 << 32, limit: 1 << 20 }),
        ] {
            let input = head(first, Form::Eight, length, key_to(role));
            refused(|| Tested::new(role, Config::default(), deflate(true)), &input, &[], violation, "");
        }
    }
}

proptest! {
    #![proptest_config(cases(200))]

    /// The sum of the fragments' lengths overflowed, and the limit was passed.
    #[test]
    fn cve_2020_27813_sum_of_fragments(
        role in prop_oneof![Just(Role::Server), Just(Role::Client)],
        before in 1usize..200, below_most in 0u64..400, streams: bool, limit_below in 0u64..400,
    ) {
        let delivery = if streams { Delivery::Streamed } else { Delivery::Assembled };
        let length = (u64::MAX >> 1) - below_most;
        let message = (u64::MAX >> 1) - limit_below;
        let config = Config { delivery, ..limits(Limits { message, ..UNLIMITED }) };
        let mut tested = Tested::new(role, config, None);
        let input = [
            to(role, BINARY_BEGINS, vec![0; before]),
            head(CONTINUES, Form::Eight, length, key_to(role)),
        ].concat();
        let refused = matches!(tested.feed(&input).last(), Some(Seen::Closed(_)));
        prop_assert_eq!(refused, u128::from(length) + before as u128 > u128::from(message));
    }
}

/// A default that was no limit at all.
#[test]
fn cve_2016_10542_default_limits() {
    let limits = Config::default().limits;
    assert!(limits.frame <= 1 << 20 && limits.message <= 1 << 20 && limits.outbox <= 1 << 20);
    assert!(limits.fragments <= 1024);
    for role in ROLES {
        let input = [to(role, BINARY_BEGINS, vec![0; 1 << 20]), to(role, ENDS, [0])].concat();
        let mut tested = Tested::plain(role);
        assert!(matches!(tested.feed(&input).as_slice(), [Seen::Closed(_)]));
    }
}

/// A limit on the frame, none on the message.
#[test]
fn fastwebsockets_100_the_sum_of_fragments_is_limited() {
    for role in ROLES {
        for delivery in DELIVERIES {
            let bounds = Limits { frame: 1000, message: 10_000, ..Limits::default() };
            let mut tested = Tested::new(role, Config { delivery, ..limits(bounds) }, None);
            tested.feed(&to(role, BINARY_BEGINS, [0; 1000]));
            let frame = to(role, CONTINUES, [0; 1000]);
            let taken = (0..1000)
                .take_while(|_| !matches!(tested.feed(&frame).last(), Some(Seen::Closed(_))))
                .count();
            assert_eq!(taken, 9, "within one frame of the limit");
        }
    }
}

/// A limit that was left out where a short frame came in pieces.
#[test]
fn sockudo_24_limits_hold_for_a_dribble() {
    for role in ROLES {
        for limit in [1, 5, 124, 125, 126, 300] {
            let input = to(role, BINARY, vec![0; limit + 1]);
            let violation = Violation::MessageTooBig { limit: limit as u64 };
            refused(
                || Tested::new(role, message_limit(limit as u64), None),
                &input,
                &[],
                violation,
                "message",
            );
            let frame = limit as u64;
            let violation = Violation::FrameTooBig { length: frame + 1, limit: frame };
            let config = || limits(Limits { frame, ..Limits::default() });
            refused(|| Tested::new(role, config(), None), &input, &[], violation, "frame");
        }
    }
}

/// The whole text was checked anew for each fragment: minutes for a few megabytes. Bytes moved are counted here; that each is
/// checked once is what the state of the check is for, which is four bytes.
#[test]
fn sockudo_2_0_2_text_in_many_fragments_is_linear() {
    const FRAGMENTS: usize = 65_536;
    let part = "é€😀".repeat(7);
    for role in ROLES {
        let mut tested = Tested::new(role, limits(UNLIMITED), None);
        tested.feed(&to(role, TEXT_BEGINS, &part));
        let frames = to(role, CONTINUES, &part).repeat(64);
        let info = measure(|| {
            for _ in 0..FRAGMENTS / 64 {
                assert!(tested.feed(&frames).is_empty());
            }
        });
        let bytes = (FRAGMENTS * part.len()) as u64;
        // `feed` copies its input once.
        let fed = (FRAGMENTS * to(role, CONTINUES, &part).len()) as u64;
        assert!(info.bytes_total <= fed + 8 * bytes, "{} for {bytes}", info.bytes_total);
        let seen = tested.feed(&to(role, ENDS, b""));
        assert_eq!(seen, [Seen::Text(part.repeat(FRAGMENTS + 1))]);
    }
}

/// The reason of a Close, or a Ping, was made of memory that had not been written to.
#[test]
fn cve_2026_45736_nothing_but_what_was_passed_is_sent() {
    for role in ROLES {
        for length in 0..=125 {
            let mut tested = Tested::plain(role);
            let payload = Keys::new(length as u64).bytes(length);
            let now = tested.now;
            tested.conn.ping(now, &payload).unwrap();
            tested.conn.pong(&payload).unwrap();
            let reason = "r".repeat(length.min(123));
            tested.conn.close(now, CloseCode::NORMAL, &reason).unwrap();
            let wire = tested.wire();
            let keys = tested.keys.lock().unwrap().clone();
            let body = close_body(1000, &reason);
            let mut expected = Vec::new();
            for (at, (first, payload)) in
                [(PING, &payload), (PONG, &payload), (CLOSE, &body)].into_iter().enumerate()
            {
                let key = (role == Role::Client).then(|| keys[at]);
                expected.extend(head(first, Form::Short, payload.len() as u64, key));
                expected.extend(apply(key, payload));
            }
            assert_eq!(wire, expected);
        }
    }
}

/// A frame without a mask was delivered, or the reader lost its place.
#[test]
fn facil_169_unmasked_frames_reach_nobody() {
    let input = [to(Role::Client, TEXT, b"unmasked"), to(Role::Server, TEXT, b"masked")].concat();
    refused(|| Tested::plain(Role::Server), &input, &[], Violation::UnmaskedFrame, "");
    let mut tested = Tested::plain(Role::Server);
    assert_eq!(tested.feed(&input[..1]), []);
    assert!(matches!(tested.feed(&input[1..2]).as_slice(), [Seen::Closed(_)]), "at the second byte");
}

/// A client put up with masks.
#[test]
fn ladybird_12032_masked_frames_from_a_server() {
    for first in [TEXT, BINARY, PING, PONG, CLOSE] {
        let input = to(Role::Server, first, close_body(1000, ""));
        refused(|| Tested::plain(Role::Client), &input, &[], Violation::MaskedFrame, "");
    }
}

/// The limit counted compressed bytes; and what was inflated was bounded at its end only.
#[test]
fn cve_2026_27571_bombs_in_fragments_and_every_split() {
    let bomb = compressed(&vec![0; 1 << 20]);
    for role in ROLES {
        for delivery in DELIVERIES {
            let config = || Config { delivery, ..message_limit(50_000) };
            let mut input = to(role, BINARY_BEGINS | RSV1, b"");
            for part in bomb.chunks(100) {
                input.extend(to(role, CONTINUES, part));
            }
            input.extend(to(role, ENDS, b""));
            for cut in crate::tested::cuts(input.len()) {
                let mut tested = Tested::new(role, config(), deflate(true));
                let seen = tested.feed_cut(&input, &cut);
                let given: usize = seen
                    .iter()
                    .map(|seen| match seen {
                        Seen::Chunk(bytes) => bytes.len(),
                        _ => 0,
                    })
                    .sum();
                assert!(given <= 50_000, "{given} bytes were handed out");
                let Some(Seen::Closed(end)) = seen.last() else { panic!("cut at {cut:?}") };
                assert_eq!(end.cause, Cause::Violation(Violation::MessageTooBig { limit: 50_000 }));
                assert_eq!(close_of(&tested.written()), Some(1009));
            }
        }
    }
}

/// The sender left a message uncompressed, but kept it in its window: the peer could not follow.
#[test]
fn sockudo_14_windows_stay_together() {
    let rounds = if std::env::var_os("ANTIPHON_LONG").is_some() { 300_000 } else { 1500 };
    let random = &mut Keys::new(14);
    for role in ROLES {
        let own = DeflateConfig { no_context_takeover: false, threshold: 100, ..DeflateConfig::default() };
        let mut tested = Tested::new(role, Config { deflate: own, ..Config::default() }, deflate(true));
        let mut unpacker = flate2::Decompress::new(false);
        for round in 0..rounds {
            let length = [0, 20, 99, 100, 500, 3000][random.below(6)];
            let message = match random.below(3) {
                0 => random.bytes(length),
                1 => b"much of the same, ".repeat(length / 18 + 1),
                _ => format!("{round} ").into_bytes().repeat(length / 5 + 1),
            };
            match random.below(8) {
                0 => tested.conn.send_uncompressed(antiphon_proto::Kind::Binary, &message).unwrap(),
                _ => tested.conn.send_binary(&message).unwrap(),
            }
            let frame = tested.written().remove(0);
            if frame.first & RSV1 == 0 {
                assert_eq!(frame.payload, message);
                continue;
            }
            let input = [&frame.payload[..], &[0, 0, 0xFF, 0xFF]].concat();
            let mut out = Vec::with_capacity(message.len() + 100);
            unpacker.decompress_vec(&input, &mut out, flate2::FlushDecompress::Sync).unwrap();
            assert_eq!(out, message, "round {round}");
        }
    }
}

/// "Compressed" was accepted on continuations and control frames.
#[test]
fn sockudo_29_rsv1_where_it_means_nothing() {
    for role in ROLES {
        for first in [CONTINUES, ENDS, PING, PONG, CLOSE] {
            for open in [false, true] {
                let begin = if open { to(role, BINARY_BEGINS | RSV1, b"") } else { vec![] };
                let input = [begin, to(role, first | RSV1, b"")].concat();
                let make = || Tested::new(role, Config::default(), deflate(true));
                refused(make, &input, &[], Violation::ReservedBits, "");
            }
        }
    }
}

/// A final block in the middle of a message lost what came after, or let rubbish pass.
#[test]
fn sockudo_68_final_blocks_in_a_message() {
    let finished = |text: &[u8]| {
        let mut out = Vec::with_capacity(1000);
        flate2::Compress::new(flate2::Compression::new(6), false)
            .compress_vec(text, &mut out, flate2::FlushCompress::Finish)
            .unwrap();
        out
    };
    for role in ROLES {
        let make = || Tested::new(role, Config::default(), deflate(true));
        // Three streams in one message, the last of them left open.
        let payload = [finished(b"one, "), finished(b"two, "), Packer::new().pack(b"three")].concat();
        let input = [to(role, TEXT | RSV1, &payload), to(role, TEXT | RSV1, compressed(b"next"))].concat();
        let expected = [Seen::Text("one, two, three".into()), Seen::Text("next".into())];
        tells(make, &input, &expected, "");
        let payload = [finished(b"one, "), vec![0xFF; 3]].concat();
        refused(make, &to(role, TEXT | RSV1, &payload), &[], Violation::InvalidDeflate, "rubbish behind it");
    }
}

/// Input that made a decompressor take all of the stack.
#[test]
fn rustsec_2024_0401_inflating_needs_little_stack() {
    let run = || {
        let random = &mut Keys::new(401);
        for _ in 0..3000 {
            let noise = random.bytes(300);
            for role in ROLES {
                let mut tested = Tested::new(role, Config::default(), deflate(false));
                tested.feed(&to(role, BINARY | RSV1, &noise));
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(128 * 1024).spawn(run).unwrap();
    thread.join().unwrap();
}

/// Secrets beside an attacker's text in one context (CRIME, BREACH).
#[test]
fn crime_contexts_are_not_kept_by_default() {
    let deflate_config = Config::default().deflate;
    assert!(deflate_config.no_context_takeover && deflate_config.peer_no_context_takeover);
    for role in ROLES {
        let mut tested = Tested::new(role, Config::default(), deflate(true));
        let secret = "a secret that can be guessed piece by piece ".repeat(5);
        let mut once = || {
            tested.conn.send_text(&secret).unwrap();
            tested.written()[0].payload.len()
        };
        assert_eq!(once(), once(), "the second message does not come out shorter for the first");
    }
}

/// Messages before a bad frame in the same read were dropped; and two Close frames were sent.
#[test]
fn sockudo_98_what_came_before_a_bad_frame_is_told() {
    for role in ROLES {
        let input = [
            to(role, TEXT, b"one"),
            to(role, BINARY, b"two"),
            to(role, TEXT_BEGINS, b"thr"),
            to(role, PING, b"p"),
            to(role, TEXT, b"bad"),
            to(role, CLOSE, close_body(1000, "")),
        ]
        .concat();
        let before = [Seen::Text("one".into()), Seen::Binary(b"two".to_vec()), Seen::Ping(b"p".to_vec())];
        refused(|| Tested::plain(role), &input, &before, Violation::ExpectedContinuation, "");
    }
}
