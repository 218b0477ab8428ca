//! The rules of RFC 7692 §7.2, and of the advisories that broke them.

use antiphon_proto::deflate::{Deflater, DeflaterSettings, InflateError, Inflater};

use crate::{Random, SETTINGS, deflate, inflate, prose, reference};

const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
/// "Hello" in a final block.
const FINAL_HELLO: [u8; 7] = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

#[test]
fn req_66_no_reference_leaves_the_negotiated_window() {
    let payloads = [prose(40_000, 1), prose(3_000, 2)];
    for level in 0..=9 {
        let mut reaches = Vec::new();
        for window_bits in 8..=15 {
            for memory_level in [1, 8, 9] {
                for no_context_takeover in [false, true] {
                    let settings = DeflaterSettings { window_bits, no_context_takeover, level, memory_level };
                    let mut deflater = Deflater::new(settings);
                    let mut stream = Vec::new();
                    for payload in &payloads {
                        stream.extend(deflate(&mut deflater, &[payload]));
                        stream.extend(TAIL);
                    }
                    let read = reference::read(&stream);
                    assert_eq!(read.data, payloads.concat(), "{settings:?}");
                    assert!(read.reach <= 1 << window_bits, "{settings:?} reaches {}", read.reach);
                    reaches.push(read.reach);
                }
            }
        }
        // The payloads tempt a compressor to use all of its window, or the above would show nothing.
        if level > 0 {
            assert!(reaches[0] > 200 && reaches[reaches.len() - 1] > 20_000, "level {level}: {reaches:?}");
        }
    }
}

#[test]
fn req_67_a_message_ends_with_the_header_of_an_empty_block() {
    let payloads = [
        &b"x"[..],
        b"Hello",
        &[0; 1000],
        &prose(5_000, 3),
        &Random(8).bytes(50_000),
        &Random(9).bytes(70_000),
    ];
    for level in 0..=9 {
        for no_context_takeover in [true, false] {
            let mut deflater = Deflater::new(DeflaterSettings { level, no_context_takeover, ..SETTINGS });
            let mut stream = Vec::new();
            for payload in payloads {
                let message = deflate(&mut deflater, &[payload]);
                if no_context_takeover {
                    stream.clear();
                }
                let before = stream.len();
                stream.extend(message);
                stream.extend(TAIL);
                let read = reference::read(&stream);
                assert!(read.ends_with_empty_block, "level {level}, {} bytes", payload.len());
                assert!(read.data.ends_with(payload) && stream.len() > before + TAIL.len());
            }
        }
    }
}

#[test]
fn req_67_an_empty_message_is_one_zero_byte() {
    for no_context_takeover in [true, false] {
        let settings = DeflaterSettings { no_context_takeover, ..SETTINGS };
        let mut deflater = Deflater::new(settings);
        let mut inflater = Inflater::new(no_context_takeover);
        for payload in [&b""[..], b"something", b"", b""] {
            let message = deflate(&mut deflater, &[payload]);
            assert_eq!(payload.is_empty(), message == [0x00]);
            assert_eq!(inflate(&mut inflater, &[&message], 100).unwrap(), payload);
        }
        assert_eq!(deflate(&mut deflater, &[b"", b"", b""]), [0x00]);
    }
}

#[test]
fn req_68_the_examples_of_the_rfc() {
    let two_blocks = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    let final_block = [&FINAL_HELLO[..], &[0x00]].concat();
    type Case<'a> = (&'a str, &'a [&'a [u8]], &'a [u8]);
    let cases: [Case<'_>; 7] = [
        ("§7.2.3.1", &[&HELLO], b"Hello"),
        ("§7.2.3.1, fragmented", &[&HELLO[..3], &HELLO[3..]], b"Hello"),
        ("§7.2.3.2", &[&[0xf2, 0x00, 0x11, 0x00, 0x00]], b"Hello"),
        ("§7.2.3.3", &[&stored], b"Hello"),
        ("§7.2.3.4", &[&final_block], b"Hello"),
        ("§7.2.3.5", &[&two_blocks], b"Hello"),
        ("§7.2.3.6", &[&[0x00]], b""),
    ];
    let mut inflater = Inflater::new(false);
    for (section, fragments, message) in cases {
        assert_eq!(inflate(&mut inflater, fragments, 100).as_deref(), Ok(message), "{section}");
    }
}

/// Advisories: sockudo 3.0 #68 and #88, and the like in others.
#[test]
fn req_68_final_blocks() {
    let hello = &FINAL_HELLO[..];
    type Case<'a> = (&'a str, Vec<u8>, Result<&'a [u8], InflateError>);
    let cases: [Case<'_>; 11] = [
        ("a final block and the empty one", [hello, &[0]].concat(), Ok(b"Hello")),
        ("a final block alone", hello.to_vec(), Ok(b"Hello")),
        ("two final blocks", [hello, hello, &[0]].concat(), Ok(b"HelloHello")),
        ("a final block, then others", [hello, &HELLO].concat(), Ok(b"HelloHello")),
        ("others, then a final block", [&HELLO, &TAIL[..], hello, &[0]].concat(), Ok(b"HelloHello")),
        ("empty final blocks", [&[3, 0].repeat(1000), hello, &[0]].concat(), Ok(b"Hello")),
        ("a final stored block", vec![1, 1, 0, 0xfe, 0xff, b'!', 0], Ok(b"!")),
        ("no such block after a final one", [hello, &[0xff]].concat(), Err(InflateError::Corrupt)),
        ("garbage after a final one", [hello, b"garbage"].concat(), Err(InflateError::Corrupt)),
        ("a block cut off after a final one", [hello, &HELLO[..4]].concat(), Err(InflateError::Truncated)),
        // What follows a final block has no history: there is nothing that the reference could mean.
        (
            "a reference over a final block",
            [hello, &[0xf2, 0x00, 0x11, 0x00, 0x00]].concat(),
            Err(InflateError::Corrupt),
        ),
    ];
    for (name, payload, message) in cases {
        for no_context_takeover in [true, false] {
            for room in [1, 3, 5, 10, 1000] {
                let mut inflater = Inflater::new(no_context_takeover);
                assert_eq!(inflate(&mut inflater, &[&payload], room), message.map(<[u8]>::to_vec), "{name}");
                if message.is_ok() {
                    let next = inflate(&mut inflater, &[&HELLO], room);
                    assert_eq!(next.as_deref(), Ok(&b"Hello"[..]), "the message after {name}");
                }
            }
        }
    }
}

#[test]
fn req_68_a_message_that_ends_within_a_block_is_truncated() {
    let payload = prose(300, 5);
    // Cut after the first byte, a stored block is an empty message.
    for (level, shortest) in [(0, 2), (1, 1), (6, 1)] {
        let message = deflate(&mut Deflater::new(DeflaterSettings { level, ..SETTINGS }), &[&payload]);
        assert_eq!(inflate(&mut Inflater::new(true), &[&message], 1000).as_deref(), Ok(&payload[..]));
        for no_context_takeover in [true, false] {
            for end in shortest..message.len() {
                let cut = inflate(&mut Inflater::new(no_context_takeover), &[&message[..end]], 1000);
                assert_eq!(cut, Err(InflateError::Truncated), "level {level}, cut at {end}");
            }
        }
    }
    // Not stripped: the block that the tail would end has ended already.
    let whole = [&HELLO[..], &TAIL].concat();
    assert_eq!(inflate(&mut Inflater::new(true), &[&whole], 1000), Err(InflateError::Truncated));
    // No byte at all is what some send for the empty message.
    assert_eq!(inflate(&mut Inflater::new(true), &[], 1000).as_deref(), Ok(&b""[..]));
}

#[test]
fn req_69_fragments_begin_and_end_anywhere() {
    let payload = prose(700, 7);
    for (level, no_context_takeover) in [(1, true), (1, false), (6, false)] {
        let mut deflater = Deflater::new(DeflaterSettings { level, no_context_takeover, ..SETTINGS });
        let mut inflater = Inflater::new(no_context_takeover);
        for at in 0..=payload.len() {
            let (head, tail) = payload.split_at(at);
            let message = deflate(&mut deflater, &[head, tail]);
            let (head, tail) = message.split_at(at % (message.len() + 1));
            let back = inflate(&mut inflater, &[head, b"", tail], 1 + at);
            assert_eq!(back.as_deref(), Ok(&payload[..]), "at {at}");
        }
        let message = deflate(&mut deflater, &payload.chunks(1).collect::<Vec<_>>());
        let back = inflate(&mut inflater, &message.chunks(1).collect::<Vec<_>>(), 1);
        assert_eq!(back.as_deref(), Ok(&payload[..]), "byte by byte");
    }
}

#[test]
fn req_69_a_fragment_can_be_read_as_soon_as_it_is_sent() {
    let payload = prose(9_000, 8);
    let mut deflater = Deflater::new(SETTINGS);
    let mut inflater = Inflater::new(true);
    let mut read = Vec::new();
    for (at, fragment) in payload.chunks(450).enumerate() {
        let mut sent = Vec::new();
        deflater.compress(fragment, (at + 1) * 450 == payload.len(), &mut sent);
        inflater.inflate(&sent, &mut read, 450).unwrap();
        assert_eq!(read.len(), (at + 1) * 450);
    }
    assert!(!inflater.finish(&mut read, 450).unwrap().more);
    assert_eq!(read, payload);
}

#[test]
fn req_71_the_context_is_kept_or_reset_as_negotiated() {
    let payload = prose(400, 4);
    let mut kept = Deflater::new(DeflaterSettings { no_context_takeover: false, ..SETTINGS });
    let mut reset = Deflater::new(SETTINGS);
    let alone = deflate(&mut reset, &[&payload]);
    assert_eq!(alone, deflate(&mut reset, &[&payload]), "no trace of the first message");
    let first = deflate(&mut kept, &[&payload]);
    let second = deflate(&mut kept, &[&payload]);
    assert!(second.len() * 4 < first.len(), "the second refers to the first");

    let mut inflater = Inflater::new(false);
    for message in [&first, &second] {
        assert_eq!(inflate(&mut inflater, &[message], 1000).as_deref(), Ok(&payload[..]));
    }
    let mut inflater = Inflater::new(true);
    assert_eq!(inflate(&mut inflater, &[&first], 1000).as_deref(), Ok(&payload[..]));
    assert_eq!(inflate(&mut inflater, &[&second], 1000), Err(InflateError::Corrupt));
}

#[test]
fn req_73_incompressible_data_grows_little() {
    let mut random = Random(73);
    for (level, no_context_takeover) in [(1, true), (1, false), (2, false), (6, false), (9, true)] {
        let mut deflater = Deflater::new(DeflaterSettings { level, no_context_takeover, ..SETTINGS });
        let mut inflater = Inflater::new(no_context_takeover);
        for len in [1, 10, 127, 1_000, 16_384, 70_000, 200_000] {
            let payload = random.bytes(len);
            let message = deflate(&mut deflater, &[&payload]);
            assert_eq!(inflate(&mut inflater, &[&message], 4096).as_deref(), Ok(&payload[..]));
            // zlib's level 1 writes fixed codes: at most nine bits a byte.
            let fixed = level == 1 && (!no_context_takeover || len > 65_535);
            let grown = if fixed { len / 8 } else { len / 1000 };
            assert!(message.len() <= len + grown + 16, "{len} bytes became {}", message.len());
        }
    }
}

#[test]
fn advisory_sockudo_14_a_message_sent_as_it_is_stays_out_of_the_window() {
    let mut deflater = Deflater::new(DeflaterSettings { no_context_takeover: false, ..SETTINGS });
    let mut inflater = Inflater::new(false);
    for at in 0..50 {
        let payload = prose(300, at % 3);
        if at % 2 == 0 {
            let message = deflate(&mut deflater, &[&payload]);
            assert_eq!(inflate(&mut inflater, &[&message], 1000).as_deref(), Ok(&payload[..]), "{at}");
        }
    }
}

#[test]
fn level_1_compresses_json_as_well_as_level_2() {
    let mut random = Random(12);
    let mut sizes = [0, 0];
    for records in [3, 12, 50, 600] {
        let mut json = String::new();
        for _ in 0..records {
            let (id, at, value) = (random.below(1_000_000), random.below(100_000_000), random.below(10_000));
            let name = ["alder", "birch", "cedar", "dogwood"][random.below(4)];
            json += &format!(r#"{{"id":{id},"name":"{name}","value":{value},"at":17{at:011},"ok":true}},"#);
        }
        for (level, size) in [1, 2].into_iter().zip(&mut sizes) {
            let settings = DeflaterSettings { level, ..SETTINGS };
            *size += deflate(&mut Deflater::new(settings), &[json.as_bytes()]).len();
        }
    }
    assert!(sizes[0] * 100 <= sizes[1] * 102, "{sizes:?}");
}

#[test]
fn runs_of_every_length_come_back() {
    for window_bits in [8, 15] {
        let mut deflater = Deflater::new(DeflaterSettings { window_bits, ..SETTINGS });
        for len in 1..1_100 {
            // A run, and a period, and what cannot be referred to.
            for payload in [vec![7; len], b"abcdefg".repeat(len).split_off(6 * len), Random(7).bytes(len)] {
                let message = [&deflate(&mut deflater, &[&payload])[..], &TAIL].concat();
                let read = reference::read(&message);
                assert!(read.data == payload && read.ends_with_empty_block, "{len} bytes");
            }
        }
    }
}
