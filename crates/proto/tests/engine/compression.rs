//! RFC 7692: compressed messages on a connection. The codec on its own has tests of its own.

use antiphon_proto::deflate::DeflateConfig;
use antiphon_proto::{Config, Connection, Kind, Prepared, Role, Violation};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use crate::tested::{DELIVERIES, Keys, ROLES, Seen, Tested, deflate, message_limit, refused, tells};
use crate::wire::{BINARY, BINARY_BEGINS, CONTINUES, ENDS, PING, RSV1, TEXT, TEXT_BEGINS, to};

const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// Another codec's compressor: one direction of a peer.
pub struct Packer(Compress);

impl Packer {
    pub fn new() -> Self {
        Self(Compress::new(Compression::new(6), false))
    }

    /// The payload of a message.
    pub fn pack(&mut self, message: &[u8]) -> Vec<u8> {
        if message.is_empty() {
            return vec![0];
        }
        let mut out = Vec::with_capacity(message.len() + message.len() / 100 + 100);
        self.0.compress_vec(message, &mut out, FlushCompress::Sync).unwrap();
        assert_eq!(out.split_off(out.len() - 4), TAIL);
        out
    }
}

/// A message compressed on its own.
pub fn compressed(message: &[u8]) -> Vec<u8> {
    Packer::new().pack(message)
}

/// Another codec's decompressor: one direction of a peer.
struct Unpacker(Decompress);

impl Unpacker {
    fn new() -> Self {
        Self(Decompress::new(false))
    }

    fn unpack(&mut self, payload: &[u8]) -> Vec<u8> {
        let input = [payload, &TAIL].concat();
        let mut out = Vec::with_capacity(1 << 20);
        self.0.decompress_vec(&input, &mut out, FlushDecompress::Sync).unwrap();
        out
    }
}

fn with_deflate(role: Role, takeover: bool) -> Tested {
    let own = DeflateConfig { no_context_takeover: !takeover, threshold: 1, ..DeflateConfig::default() };
    Tested::new(role, Config { deflate: own, ..Config::default() }, deflate(takeover))
}

#[test]
fn e67_the_sender_strips_the_tail() {
    for role in ROLES {
        for takeover in [false, true] {
            let mut tested = with_deflate(role, takeover);
            let mut peer = Unpacker::new();
            for message in
                ["first first first first", "first first first first", "first first first first of three"]
            {
                tested.conn.send_text(message).unwrap();
                let frames = tested.written();
                assert_eq!((frames.len(), frames[0].first), (1, TEXT | RSV1));
                assert!(!frames[0].payload.ends_with(&TAIL));
                if !takeover {
                    peer = Unpacker::new();
                }
                assert_eq!(peer.unpack(&frames[0].payload), message.as_bytes());
            }
        }
    }
}

#[test]
fn e67_the_empty_message_is_one_byte() {
    for role in ROLES {
        let mut tested = with_deflate(role, true);
        for _ in 0..2 {
            tested.conn.begin_message(Kind::Text, true).unwrap();
            tested.conn.finish().unwrap();
            let frames = tested.written();
            assert_eq!((frames[0].first, &frames[0].payload[..]), (TEXT | RSV1, &[0][..]));
        }
        // Both forms of it are understood, and messages that are not compressed (§6).
        let input = [
            to(role, TEXT | RSV1, [0]),
            to(role, TEXT | RSV1, []),
            to(role, TEXT, b"plain"),
            to(role, TEXT | RSV1, compressed(b"packed")),
        ]
        .concat();
        let expected = ["", "", "plain", "packed"].map(|text| Seen::Text(text.into()));
        tells(|| with_deflate(role, true), &input, &expected, "");
    }
}

/// RFC 7692 §7.2.3: the examples, and what else is valid.
#[test]
fn e68_the_examples_of_the_rfc() {
    for role in ROLES {
        let hello: [&[u8]; 5] = [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            // A stored block, an empty one at its end.
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            // A final block, then an empty one.
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            // Two blocks.
            &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
            // A final block and nothing behind it.
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        ];
        for payload in hello {
            let input = to(role, TEXT | RSV1, payload);
            let what = format!("{payload:02x?}");
            tells(|| with_deflate(role, true), &input, &[Seen::Text("Hello".into())], &what);
        }
        // With takeover the second refers to the first (§7.2.3.2).
        let twice =
            [to(role, TEXT | RSV1, hello[0]), to(role, TEXT | RSV1, [0xf2, 0x00, 0x11, 0x00, 0x00])].concat();
        let expected = [Seen::Text("Hello".into()), Seen::Text("Hello".into())];
        tells(|| with_deflate(role, true), &twice, &expected, "takeover");
        // E71: without it, that is a reference to nothing.
        refused(
            || with_deflate(role, false),
            &twice,
            &expected[..1],
            Violation::InvalidDeflate,
            "no takeover",
        );
    }
}

#[test]
fn e68_what_is_not_deflate() {
    for role in ROLES {
        for (payload, what) in [
            (&[0x07][..], "a block of no known type"),
            (&[0x00, 0x05, 0x00, 0x00, 0x00, 0x61], "lengths that do not agree"),
            (&[0xf2, 0x48], "it ends within a block"),
            (&[0x00, 0x05], "it ends within a block's head"),
            (&[0xf2, 0x00, 0x11, 0x00, 0x00], "a reference before the beginning"),
        ] {
            let input = [to(role, PING, b""), to(role, BINARY | RSV1, payload)].concat();
            let before = [Seen::Ping(vec![])];
            refused(|| with_deflate(role, true), &input, &before, Violation::InvalidDeflate, what);
        }
    }
}

#[test]
fn e69_fragments_cut_anywhere() {
    let message = "a message that repeats, repeats, repeats itself".repeat(3);
    let payload = compressed(message.as_bytes());
    for role in ROLES {
        for cut in 0..=payload.len() {
            let (begin, end) = payload.split_at(cut);
            let input = [
                to(role, TEXT_BEGINS | RSV1, begin),
                to(role, CONTINUES, b""),
                to(role, PING, b"between"),
                to(role, ENDS, end),
            ]
            .concat();
            let mut tested = with_deflate(role, true);
            let expected = [Seen::Ping(b"between".to_vec()), Seen::Text(message.clone())];
            assert_eq!(tested.dribble(&input), expected, "cut at {cut}");
            assert_eq!(with_deflate(role, true).feed(&input), expected, "cut at {cut}");
        }
    }
}

#[test]
fn e69_sends_fragments_that_can_be_read_at_once() {
    for role in ROLES {
        for takeover in [false, true] {
            let mut tested = with_deflate(role, takeover);
            let mut unpacker = Unpacker::new();
            for _ in 0..3 {
                tested.conn.begin_message(Kind::Text, true).unwrap();
                let mut received = Vec::new();
                let mut frames = Vec::new();
                for part in ["one ", "two ", "two ", "three"] {
                    tested.conn.push(part.as_bytes()).unwrap();
                    let now = tested.written();
                    let payload: Vec<u8> = now.iter().flat_map(|frame| frame.payload.clone()).collect();
                    let mut out = Vec::with_capacity(1000);
                    unpacker.0.decompress_vec(&payload, &mut out, FlushDecompress::Sync).unwrap();
                    assert_eq!(out, part.as_bytes(), "a fragment is whole when it has been pushed");
                    received.extend(out);
                    frames.extend(now);
                }
                tested.conn.finish().unwrap();
                frames.extend(tested.written());
                unpacker.unpack(&frames.last().unwrap().payload);
                assert_eq!(received, b"one two two three");
                assert_eq!(frames[0].first, TEXT_BEGINS | RSV1);
                assert!(frames[1..frames.len() - 1].iter().all(|frame| frame.first == CONTINUES));
                assert_eq!(frames.last().unwrap().first, ENDS);
                if !takeover {
                    unpacker = Unpacker::new();
                }
            }
        }
    }
}

#[test]
fn e70_control_frames_are_not_compressed() {
    for role in ROLES {
        let mut tested = with_deflate(role, true);
        let now = tested.now;
        tested.conn.ping(now, &[b'a'; 125]).unwrap();
        tested.conn.pong(&[b'a'; 125]).unwrap();
        tested.feed(&to(role, PING, [b'a'; 125]));
        tested.conn.close(now, antiphon_proto::CloseCode::NORMAL, &"a".repeat(123)).unwrap();
        for frame in tested.written() {
            assert_eq!((frame.first & RSV1, frame.payload.len()), (0, 125));
        }
    }
}

#[test]
fn e72_the_limit_counts_what_is_inflated() {
    for role in ROLES {
        for delivery in DELIVERIES {
            for (first, byte) in [(TEXT, b'a'), (BINARY, 0)] {
                for limit in [0, 1, 99, 100, 101, 16_384, 16_385, 40_000] {
                    for length in [limit, limit + 1] {
                        let payload = compressed(&vec![byte; length]);
                        let input = to(role, first | RSV1, &payload);
                        let config = Config { delivery, ..message_limit(limit as u64) };
                        for dribbled in [false, true] {
                            let mut tested = Tested::new(role, config.clone(), deflate(true));
                            let seen = if dribbled { tested.dribble(&input) } else { tested.feed(&input) };
                            let refused = matches!(seen.last(), Some(Seen::Closed(_)));
                            assert_eq!(refused, length > limit, "{length} bytes, limit {limit}");
                            let code = crate::tested::close_of(&tested.written());
                            assert_eq!(code, refused.then_some(1009));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn e72_the_first_fault_decides_in_every_split() {
    for role in ROLES {
        for (before, fault, limit, violation) in [
            // A bad byte just within and just beyond the limit.
            (&b"abcd"[..], &b"\xFFefgh"[..], 5, Violation::InvalidUtf8),
            (b"abcdefgh", b"\xFF", 5, Violation::MessageTooBig { limit: 5 }),
        ] {
            let input = to(role, TEXT | RSV1, compressed(&[before, fault].concat()));
            let make = || Tested::new(role, message_limit(limit), deflate(true));
            refused(make, &input, &[], violation, "");
        }
        // Bad text, and too much of it, before what is not deflate.
        let mut stream = Packer::new();
        for (text, violation) in
            [(&b"\xFFabc"[..], Violation::InvalidUtf8), (&[b'a'; 50], Violation::MessageTooBig { limit: 40 })]
        {
            let payload = [stream.pack(text), TAIL.to_vec(), vec![0x07; 8]].concat();
            stream = Packer::new();
            let make = || Tested::new(role, message_limit(40), deflate(true));
            refused(make, &to(role, TEXT | RSV1, payload), &[], violation, "");
        }
    }
}

#[test]
fn e73_what_does_not_compress() {
    let noise = Keys::new(3).bytes(2000);
    for role in ROLES {
        for takeover in [false, true] {
            let mut tested = with_deflate(role, takeover);
            let mut peer = Tested::new(other(role), Config::default(), deflate(takeover));
            let mut unpacker = Unpacker::new();
            for message in [&noise[..], b"text", &noise[..], b"text", &noise[..100]] {
                tested.conn.send_binary(message).unwrap();
                let wire = tested.wire();
                assert_eq!(peer.feed(&wire), [Seen::Binary(message.to_vec())]);
                let frame = &crate::wire::parse(&wire)[0];
                if frame.first & RSV1 != 0 {
                    // What has been compressed is in the window, and so has to be sent compressed.
                    assert_eq!(unpacker.unpack(&frame.payload), message);
                } else {
                    assert!(!takeover, "left out where the window does not know it");
                }
                if !takeover {
                    unpacker = Unpacker::new();
                }
            }
        }
    }
}

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

#[test]
fn short_messages_and_opted_out_ones_go_as_they_are() {
    for role in ROLES {
        let mut tested = Tested::new(role, Config::default(), deflate(true));
        let long = "long enough to be compressed ".repeat(20);
        let threshold = DeflateConfig::default().threshold;
        let conn = &mut tested.conn;
        conn.send_text(&long[..threshold - 1]).unwrap();
        conn.send_text(&long[..threshold]).unwrap();
        conn.send_uncompressed(Kind::Text, long.as_bytes()).unwrap();
        conn.begin_message(Kind::Text, false).unwrap();
        conn.push(long.as_bytes()).unwrap();
        conn.finish().unwrap();
        conn.send_bytes(Kind::Text, long.clone()).unwrap();
        let sent: Vec<_> = tested.written().iter().map(|frame| frame.first).collect();
        assert_eq!(sent, [TEXT, TEXT | RSV1, TEXT, TEXT_BEGINS, ENDS, TEXT | RSV1]);
    }
}

#[test]
fn prepared_frames_fit_each_connection() {
    let text = "a message for many connections ".repeat(200);
    let prepared = Prepared::text(&text);
    let noise = Prepared::binary(&Keys::new(9).bytes(5000));
    assert_eq!((prepared.kind(), prepared.payload().as_ref()), (Kind::Text, text.as_bytes()));
    assert_eq!(noise.kind(), Kind::Binary);
    let narrow =
        deflate(false).map(|params| antiphon_proto::deflate::Params { server_max_window_bits: 9, ..params });
    for role in ROLES {
        for (params, packed) in [
            (None, false),
            (deflate(false), true),
            // A client compresses for itself, with its own window.
            (narrow, role == Role::Client),
            (deflate(true), role == Role::Client),
        ] {
            let own = DeflateConfig {
                no_context_takeover: params.is_some_and(|params| params.server_no_context_takeover),
                ..DeflateConfig::default()
            };
            let mut tested = Tested::new(role, Config { deflate: own, ..Config::default() }, params);
            let mut peer = Tested::new(other(role), Config::default(), params);
            for _ in 0..2 {
                tested.conn.send_prepared(&prepared).unwrap();
                tested.conn.send_prepared(&noise).unwrap();
                let wire = tested.wire();
                assert_eq!(crate::wire::parse(&wire)[0].first & RSV1 != 0, packed, "{role:?} {params:?}");
                let expected = [Seen::Text(text.clone()), Seen::Binary(noise.payload().to_vec())];
                assert_eq!(peer.feed(&wire), expected);
            }
        }
    }
    assert_eq!(prepared.plain()[0], TEXT);
}

#[test]
fn a_narrow_window_is_kept_to() {
    // The second half repeats the first, 4,000 bytes back: out of reach of a window of 512.
    let half = Keys::new(5).bytes(4000);
    let message = [half.clone(), half].concat();
    for role in ROLES {
        for (bits, reaches) in [(9, false), (15, true)] {
            let params = deflate(true).map(|params| antiphon_proto::deflate::Params {
                server_max_window_bits: bits,
                client_max_window_bits: bits,
                ..params
            });
            let own = DeflateConfig { no_context_takeover: false, ..DeflateConfig::default() };
            let mut tested = Tested::new(role, Config { deflate: own, ..Config::default() }, params);
            tested.conn.send_binary(&message).unwrap();
            let length = tested.wire().len();
            assert_eq!(length < 6000, reaches, "{bits} bits: {length} bytes");
        }
    }
}

#[test]
fn a_streamed_compressed_message_is_handed_out_as_it_inflates() {
    let message = b"0123456789".repeat(10_000);
    for role in ROLES {
        let mut tested = Tested::new(role, crate::tested::streamed(), deflate(true));
        let payload = compressed(&message);
        let half = payload.len() / 2;
        let input =
            [to(role, BINARY_BEGINS | RSV1, &payload[..half]), to(role, ENDS, &payload[half..])].concat();
        let seen = tested.feed(&input);
        assert_eq!((seen.first(), seen.last()), (Some(&Seen::Begin(Kind::Binary)), Some(&Seen::End)));
        let chunks: Vec<_> = seen
            .into_iter()
            .filter_map(|seen| match seen {
                Seen::Chunk(bytes) => Some(bytes),
                _ => None,
            })
            .collect();
        assert!(chunks.iter().all(|chunk| chunk.len() <= 16 * 1024), "in bounded steps");
        assert_eq!(chunks.concat(), message);
    }
}

#[test]
fn a_connection_can_go_to_another_thread() {
    fn goes<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    goes::<Connection>();
    is_shared::<Prepared>();
}
