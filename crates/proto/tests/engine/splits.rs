//! Any split of the input gives the same events (C45), whether it is valid or not; and no input does harm.

use antiphon_proto::{Cause, Config, Delivery, Input, Limits, Role};
use bytes::BufMut;
use proptest::prelude::*;

use crate::compression::Packer;
use crate::tested::{Keys, Seen, Tested, close_of, deflate, limits};
use crate::wire::{BINARY_BEGINS, CLOSE, CONTINUES, PING, PONG, RSV1, TEXT_BEGINS, close_body, to};

/// How many cases, of which the long run has a hundred times as many.
pub fn cases(usual: u32) -> ProptestConfig {
    let long = std::env::var_os("ANTIPHON_LONG").is_some();
    ProptestConfig {
        cases: if long { usual * 100 } else { usual },
        failure_persistence: None,
        ..Default::default()
    }
}

fn random_text(random: &mut Keys, length: usize) -> Vec<u8> {
    let points = ["a", "b ", "é", "€", "😀", "the same again "];
    let mut text = String::new();
    while text.len() < length {
        text += points[random.below(points.len())];
    }
    text.into_bytes()
}

/// What a peer may send: messages in fragments, compressed or not, with control frames in between, and at its end a Close.
fn stream(role: Role, random: &mut Keys, compress: bool) -> Vec<u8> {
    let mut packer = Packer::new();
    let mut bytes = Vec::new();
    for _ in 0..random.below(8) {
        let length = [0, 1, 7, 125, 126, 700, 20_000, 150_000][random.below(8)];
        let text = random.below(2) == 0;
        let message = if text { random_text(random, length) } else { random.bytes(length) };
        let packed = compress && random.below(3) > 0;
        let mut payload = if packed { packer.pack(&message) } else { message };
        let mut first = if text { TEXT_BEGINS } else { BINARY_BEGINS } | if packed { RSV1 } else { 0 };
        while random.below(3) == 0 {
            let rest = payload.split_off(random.below(payload.len() + 1));
            bytes.extend(to(role, first, &payload));
            (first, payload) = (CONTINUES, rest);
            if random.below(2) == 0 {
                let length = random.below(126);
                bytes.extend(to(role, if random.below(2) == 0 { PING } else { PONG }, random.bytes(length)));
            }
        }
        bytes.extend(to(role, first | 0x80, &payload));
    }
    if random.below(2) == 0 {
        bytes.extend(to(role, CLOSE, close_body(1000, "bye")));
    }
    bytes
}

/// Makes a stream wrong: a byte changed, some left out, or some put in.
fn spoil(bytes: &mut Vec<u8>, random: &mut Keys) {
    let at = random.below(bytes.len() + 1);
    match random.below(3) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 => {
            let until = bytes.len().min(at + 1 + random.below(3));
            bytes.drain(at..until);
        }
        _ => {
            let noise = random.bytes(5);
            bytes.splice(at..at, noise);
        }
    }
}

/// Feeds in reads of random sizes, and where there is room for a large payload, sometimes there.
fn feed_randomly(tested: &mut Tested, bytes: &[u8], random: &mut Keys) -> Vec<Seen> {
    let largest = [1, 3, 20, 2000, 9000, 40_000][random.below(6)];
    let mut rest = bytes;
    let mut seen = Vec::new();
    while !rest.is_empty() {
        let (read, left) = rest.split_at((1 + random.below(largest)).min(rest.len()));
        rest = left;
        let mut there = 0;
        if random.below(2) == 0
            && let Some(mut buffer) = tested.conn.payload_buffer()
        {
            there = read.len().min(buffer.remaining_mut());
            buffer.put_slice(&read[..there]);
        }
        if there > 0 {
            tested.conn.handle_payload(there);
            seen.extend(tested.feed(&[]));
        }
        seen.extend(tested.feed(&read[there..]));
    }
    seen
}

/// Streamed messages as assembled ones; and what there is of the last, if it did not come to its end.
fn put_together(seen: Vec<Seen>) -> (Vec<Seen>, Option<Vec<u8>>) {
    let mut open = None;
    let mut whole = Vec::new();
    for event in seen {
        match event {
            Seen::Begin(kind) => open = Some((kind, Vec::new())),
            Seen::Chunk(bytes) => open.as_mut().unwrap().1.extend(bytes),
            Seen::End => whole.push(match open.take().unwrap() {
                (antiphon_proto::Kind::Text, bytes) => Seen::Text(String::from_utf8(bytes).unwrap()),
                (antiphon_proto::Kind::Binary, bytes) => Seen::Binary(bytes),
            }),
            other => whole.push(other),
        }
    }
    (whole, open.map(|open| open.1))
}

fn with(role: Role, delivery: Delivery, bounds: Limits, compress: bool) -> Tested {
    let config = Config { delivery, ..limits(bounds) };
    Tested::new(role, config, if compress { deflate(true) } else { None })
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

/// Limits that some of the streams keep to, and others do not.
fn bounds() -> impl Strategy<Value = Limits> {
    let some = Limits { frame: 1000, message: 1500, fragments: 3, outbox: 1 << 20 };
    prop_oneof![Just(Limits::default()), Just(some), Just(crate::heap::UNLIMITED)]
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn any_split_gives_the_same_events(
        role in role(), compress: bool, spoilt: bool, bounds in bounds(), seed: u64,
    ) {
        let random = &mut Keys::new(seed);
        let mut bytes = stream(role, random, compress);
        if spoilt {
            spoil(&mut bytes, random);
        }
        let mut whole = with(role, Delivery::Assembled, bounds, compress);
        let expected = whole.feed(&bytes);
        let written = whole.wire();
        for _ in 0..4 {
            let mut split = with(role, Delivery::Assembled, bounds, compress);
            prop_assert_eq!(&feed_randomly(&mut split, &bytes, random), &expected);
            prop_assert_eq!(&split.wire(), &written, "and the same answers");

            // Streamed: the same messages; of a message that was refused, what came before.
            let mut split = with(role, Delivery::Streamed, bounds, compress);
            let (streamed, _) = put_together(feed_randomly(&mut split, &bytes, random));
            prop_assert_eq!(&streamed, &expected);
            prop_assert_eq!(&split.wire(), &written);
        }
    }

    #[test]
    fn what_was_streamed_of_an_open_message_is_its_beginning(role in role(), compress: bool, seed: u64) {
        let random = &mut Keys::new(seed);
        let message = random_text(random, 3000);
        let payload = if compress { Packer::new().pack(&message) } else { message.clone() };
        let bytes = to(role, TEXT_BEGINS | if compress { RSV1 } else { 0 } | 0x80, &payload);
        let cut = random.below(bytes.len());
        let mut tested = with(role, Delivery::Streamed, Limits::default(), compress);
        let (whole, open) = put_together(feed_randomly(&mut tested, &bytes[..cut], random));
        prop_assert!(whole.is_empty());
        let open = open.unwrap_or_default();
        prop_assert!(message.starts_with(&open));
        if !compress {
            prop_assert_eq!(open.len(), cut.saturating_sub(bytes.len() - message.len()), "nothing is held back");
        }
    }

    /// CVE-2020-13935, CVE-2026-0716: every poll takes input or tells something, whatever the bytes, with limits and without.
    #[test]
    fn random_bytes_end_in_a_verdict(
        role in role(), compress: bool, streams: bool, bounds in bounds(),
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x81), Just(0x82), Just(0x02), Just(0)], 0..600),
    ) {
        let delivery = if streams { Delivery::Streamed } else { Delivery::Assembled };
        let mut tested = with(role, delivery, bounds, compress);
        // `feed` counts the steps.
        let mut seen = tested.feed(&bytes);
        let told = tested.conn.is_closed();
        tested.conn.handle_eof(tested.now, antiphon_proto::Eof::Clean);
        seen.extend(tested.feed(&[]));
        let closed = seen.iter().filter(|event| matches!(event, Seen::Closed(_))).count();
        prop_assert_eq!(closed, 1);
        let Some(Seen::Closed(end)) = seen.last() else { panic!("the last event") };
        match end.cause {
            Cause::Violation(violation) => {
                prop_assert_eq!(close_of(&tested.written()), Some(violation.close_code().as_u16()));
            }
            Cause::Handshake => prop_assert!(end.received.is_some() && end.sent.is_some()),
            Cause::Eof(_) => prop_assert!(!told),
            other => panic!("{other:?}"),
        }
        tested.wire();
        prop_assert!(tested.conn.is_done());
    }

    #[test]
    fn a_driver_may_stop_after_each_event(role in role(), compress: bool, seed: u64) {
        let random = &mut Keys::new(seed);
        let bytes = stream(role, random, compress);
        for delivery in [Delivery::Assembled, Delivery::Streamed] {
            let expected = with(role, delivery, Limits::default(), compress).feed(&bytes);
            let mut tested = with(role, delivery, Limits::default(), compress);
            let (mut kept, mut plain, mut seen, mut rest) = (Vec::new(), 0, Vec::new(), &bytes[..]);
            loop {
                let mut input = Input::resume(&mut kept, plain);
                let event = tested.conn.poll(tested.now, &mut input).map(Seen::from);
                let (left, unmasked) = input.rest();
                let stops = event.is_none();
                (kept, plain) = (left.to_vec(), unmasked);
                if stops && rest.is_empty() {
                    break;
                }
                seen.extend(event);
                // And read more behind what is left.
                let (read, later) = rest.split_at(random.below(5000).min(rest.len()));
                kept.extend_from_slice(read);
                rest = later;
            }
            let (seen, _) = put_together(seen);
            let (expected, _) = put_together(expected);
            prop_assert_eq!(&seen, &expected);
        }
    }
}
