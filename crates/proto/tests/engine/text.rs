//! §8: text is UTF-8, checked as it comes.

use antiphon_proto::{Config, Delivery, Role, Violation};

use crate::compression::compressed;
use crate::tested::{DELIVERIES, ROLES, Seen, Tested, deflate, refused, tells};
use crate::wire::{BINARY, CLOSE, ENDS, PING, RSV1, TEXT, TEXT_BEGINS, close_body, to};

/// Each ends in the first byte that no UTF-8 text has there (RFC 3629 §4).
const BAD: [&[u8]; 22] = [
    b"\x80",
    b"\xBF",
    b"\xC0",
    b"\xC1",
    b"\xF5",
    b"\xFE",
    b"\xFF",
    // Overlong.
    b"\xE0\x80",
    b"\xE0\x9F",
    b"\xF0\x80",
    b"\xF0\x8F",
    // Surrogates.
    b"\xED\xA0",
    b"\xED\xBF",
    // Above U+10FFFF.
    b"\xF4\x90",
    b"\xF4\xBF",
    // Cut short by another character.
    b"\xC3\x28",
    b"\xC3\xC3",
    b"\xE2\x28",
    b"\xE2\x82\x28",
    b"\xF0\x9F\x28",
    b"\xF0\x9F\x98\x28",
    b"\xF0\x9F\x98\xF0",
];

const GOOD: [&str; 9] = [
    "",
    "\0",
    "\u{7f}\u{80}\u{7ff}\u{800}",
    "\u{d7ff}\u{e000}\u{fffd}\u{ffff}",
    "\u{10000}\u{10ffff}",
    "κόσμε",
    "\u{feff}mark",
    "a\u{300}\u{1f600}b",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich, 64 bytes and some more 😀",
];

#[test]
fn c47_refused_at_the_first_bad_byte() {
    for role in ROLES {
        for prefix in ["", "ok", "é", GOOD[8]] {
            for bad in BAD {
                let payload = [prefix.as_bytes(), bad].concat();
                let what = format!("{payload:02x?}");
                // More is announced, and it is not waited for.
                let whole = to(role, TEXT, [&payload[..], &[b' '; 20]].concat());
                let make = || Tested::plain(role);
                refused(make, &whole[..whole.len() - 20], &[], Violation::InvalidUtf8, &what);
                // In fragments, cut at each place.
                for cut in prefix.len()..payload.len() {
                    let input = [
                        to(role, TEXT_BEGINS, &payload[..cut]),
                        to(role, 0, b""),
                        to(role, PING, b""),
                        to(role, 0, &payload[cut..]),
                    ]
                    .concat();
                    let before = [Seen::Ping(vec![])];
                    refused(make, &input, &before, Violation::InvalidUtf8, &what);
                }
            }
        }
    }
}

#[test]
fn c47_refused_when_it_ends_within_a_character() {
    for role in ROLES {
        for cut in [&b"\xC3"[..], b"\xE2", b"\xE2\x82", b"\xF0", b"\xF0\x9F", b"\xF0\x9F\x98"] {
            let payload = [b"text ", cut].concat();
            let make = || Tested::plain(role);
            refused(make, &to(role, TEXT, &payload), &[], Violation::InvalidUtf8, "whole");
            let input = [to(role, TEXT_BEGINS, &payload), to(role, ENDS, b"")].concat();
            refused(make, &input, &[], Violation::InvalidUtf8, "in fragments");
            let mut streamed = Tested::new(role, crate::tested::streamed(), None);
            assert!(matches!(streamed.feed(&input).last(), Some(Seen::Closed(_))), "streamed");
            let input = to(role, TEXT | RSV1, compressed(&payload));
            refused(
                || Tested::new(role, Config::default(), deflate(true)),
                &input,
                &[],
                Violation::InvalidUtf8,
                "",
            );
        }
    }
}

#[test]
fn c47_good_text_in_every_split() {
    for role in ROLES {
        for text in GOOD {
            let expected = [Seen::Text(text.into()), Seen::Text("next".into())];
            let next = to(role, TEXT, b"next");
            let whole = [to(role, TEXT, text), next.clone()].concat();
            tells(|| Tested::plain(role), &whole, &expected, text);
            let packed = [to(role, TEXT | RSV1, compressed(text.as_bytes())), next.clone()].concat();
            tells(|| Tested::new(role, Config::default(), deflate(true)), &packed, &expected, text);
            for cut in 0..text.len() {
                let (begin, end) = text.as_bytes().split_at(cut);
                let input = [to(role, TEXT_BEGINS, begin), to(role, ENDS, end), next.clone()].concat();
                tells(|| Tested::plain(role), &input, &expected, text);
            }
        }
    }
}

#[test]
fn c47_compressed_text_is_checked_as_it_inflates() {
    for role in ROLES {
        for delivery in DELIVERIES {
            for bad in BAD {
                let text = [b"some text before it, ".repeat(1000), bad.to_vec(), vec![b'x'; 100]].concat();
                let input = to(role, TEXT | RSV1, compressed(&text));
                let config = Config { delivery, ..Config::default() };
                let mut tested = Tested::new(role, config, deflate(true));
                let seen = tested.dribble(&input);
                let Some(Seen::Closed(end)) = seen.last() else { panic!("{bad:02x?}") };
                assert_eq!(end.cause, antiphon_proto::Cause::Violation(Violation::InvalidUtf8));
            }
        }
    }
}

#[test]
fn c47_a_streamed_character_may_be_cut() {
    for role in ROLES {
        let config = || Config { delivery: Delivery::Streamed, ..Config::default() };
        let text = "a😀é";
        let mut tested = Tested::new(role, config(), None);
        let chunks = tested.dribble(&to(role, TEXT, text)).into_iter().filter_map(|seen| match seen {
            Seen::Chunk(bytes) => Some(bytes),
            _ => None,
        });
        assert_eq!(chunks.collect::<Vec<_>>().concat(), text.as_bytes());
        assert!(tested.conn.is_open());
    }
}

#[test]
fn c47_one_text_does_not_run_into_the_next() {
    for role in ROLES {
        // Half a character at the end of a binary message, the other half at the beginning of a text.
        let input = [to(role, BINARY, b"\xC3"), to(role, TEXT, b"\xA9")].concat();
        let before = [Seen::Binary(vec![0xC3])];
        refused(|| Tested::plain(role), &input, &before, Violation::InvalidUtf8, "");
    }
}

#[test]
fn c48_close_reasons_are_text() {
    for role in [Role::Server, Role::Client] {
        for bad in BAD {
            let body = [&close_body(1000, "because "), bad].concat();
            refused(|| Tested::plain(role), &to(role, CLOSE, body), &[], Violation::InvalidCloseReason, "");
        }
        for good in GOOD {
            let mut tested = Tested::plain(role);
            let seen = tested.dribble(&to(role, CLOSE, close_body(1000, good)));
            let [Seen::Closed(end)] = seen.as_slice() else { panic!("{seen:?}") };
            assert_eq!(end.received.as_ref().map(|close| &*close.reason), Some(good));
        }
    }
}
