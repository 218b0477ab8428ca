//! What a peer can make these do: bounded steps, bounded memory, bounded stack.

use std::mem::size_of;

use allocation_counter::measure;
use antiphon_proto::deflate::{Deflater, DeflaterSettings, Inflater};

use crate::{Random, SETTINGS, deflate, inflate, prose};

/// What a decompressor may hold: zlib's state and window, and the buffer that it writes into.
const INFLATER_HEAP: u64 = 80 * 1024;

/// A message of `mib` MiB of zeros.
fn bomb(mib: usize) -> Vec<u8> {
    let mut piece = Vec::new();
    Deflater::new(DeflaterSettings { level: 6, ..SETTINGS }).compress(&vec![0; 1 << 20], false, &mut piece);
    let mut bomb = piece.repeat(mib);
    bomb.push(0x00);
    bomb
}

#[test]
fn advisory_bomb_stops_within_room() {
    let bomb = bomb(1024);
    assert!(bomb.len() < 2 << 20, "1 GiB in {} bytes", bomb.len());
    for no_context_takeover in [true, false] {
        let limit = 1 << 20;
        let mut message = Vec::new();
        let info = measure(|| {
            let mut inflater = Inflater::new(no_context_takeover);
            let step = inflater.inflate(&bomb, &mut message, limit + 1).unwrap();
            assert!(step.more && step.consumed < bomb.len() / 500);
        });
        assert_eq!(message.len(), limit + 1);
        // A vector doubles as it grows: the old and the new one are there at once.
        assert!(info.bytes_max <= 3 * limit as u64 + 2 + INFLATER_HEAP, "{info:?}");
    }
}

#[test]
fn advisory_bomb_passes_in_constant_memory() {
    let bomb = bomb(1024);
    let room = 64 * 1024;
    let mut total = 0;
    let info = measure(|| {
        let mut inflater = Inflater::new(true);
        let mut chunk = Vec::new();
        let mut rest = &bomb[..];
        loop {
            let step = inflater.inflate(rest, &mut chunk, room).unwrap();
            rest = &rest[step.consumed..];
            assert!(chunk.len() <= room);
            total += chunk.len();
            chunk.clear();
            if !step.more {
                break;
            }
        }
        assert!(!inflater.finish(&mut chunk, room).unwrap().more && chunk.is_empty());
    });
    assert_eq!(total, 1 << 30);
    assert!(info.bytes_max <= 2 * room as u64 + INFLATER_HEAP, "{info:?}");
}

#[test]
fn cve_2018_1000518_limit_is_on_inflated_bytes() {
    let payload = vec![b'a'; 10_000];
    let message = deflate(&mut Deflater::new(SETTINGS), &[&payload]);
    assert!(message.len() < 200);
    for split in 0..=message.len() {
        for limit in [1, 100, 9_999, 10_000] {
            let mut inflater = Inflater::new(true);
            let mut out = Vec::new();
            let mut over = false;
            let (head, tail) = message.split_at(split);
            for fragment in [head, tail] {
                let room = limit + 1 - out.len();
                let step = inflater.inflate(fragment, &mut out, room).unwrap();
                over |= step.more;
                if over {
                    break;
                }
            }
            assert!(out.len() <= limit + 1);
            assert_eq!(over, payload.len() > limit, "limit {limit}, split at {split}");
        }
    }
}

#[test]
fn nothing_is_allocated_for_what_is_declared() {
    // A stored block that declares 65,535 bytes, of which one comes.
    let info = measure(|| {
        let mut out = Vec::new();
        let mut inflater = Inflater::new(false);
        inflater.inflate(&[0x00, 0xff, 0xff, 0x00, 0x00, b'x'], &mut out, 1 << 30).unwrap();
        assert!(out == b"x" && out.capacity() <= 64);
    });
    assert!(info.bytes_max <= INFLATER_HEAP, "{info:?}");
}

#[test]
fn connections_at_rest_hold_nothing() {
    assert!(size_of::<Deflater>() <= 16 && size_of::<Inflater>() <= 16);
    let payload = prose(2_000, 1);
    let mut message = Vec::new();
    let mut back = Vec::new();
    let info = measure(|| {
        let mut ends = Vec::new();
        for _ in 0..1_000 {
            let (mut deflater, mut inflater) = (Deflater::new(SETTINGS), Inflater::new(true));
            message.clear();
            back.clear();
            deflater.compress(&payload, true, &mut message);
            inflater.inflate(&message, &mut back, payload.len() + 1).unwrap();
            inflater.finish(&mut back, 1).unwrap();
            assert!(back == payload && deflater.is_at_rest() && inflater.is_at_rest());
            ends.push((deflater, inflater));
        }
    });
    // The first took its streams from the heap, and left them to all others.
    assert!(info.count_total < 60, "{info:?}");
    assert!(info.bytes_total < 512 * 1024, "{info:?}");
}

#[test]
fn a_thread_keeps_few_streams() {
    let payload = prose(500, 1);
    let mut out = Vec::with_capacity(4096);
    let info = measure(|| {
        // Many messages at once, of every kind, each half sent.
        let mut deflaters: Vec<_> = (0..200)
            .map(|at| {
                let settings = DeflaterSettings { window_bits: 9 + at % 7, level: at % 10, ..SETTINGS };
                Deflater::new(settings)
            })
            .collect();
        let mut inflaters: Vec<_> = (0..200).map(|_| Inflater::new(true)).collect();
        for deflater in &mut deflaters {
            out.clear();
            deflater.compress(&payload, false, &mut out);
        }
        for inflater in &mut inflaters {
            let mut read = Vec::new();
            inflater.inflate(&out, &mut read, 1_000).unwrap();
            assert!(!inflater.is_at_rest());
        }
        for (deflater, inflater) in deflaters.iter_mut().zip(&mut inflaters) {
            let mut end = Vec::new();
            deflater.compress(b"", true, &mut end);
            inflater.inflate(&end, &mut out, 1_000).unwrap();
            inflater.finish(&mut out, 1_000).unwrap();
            assert!(deflater.is_at_rest() && inflater.is_at_rest());
        }
    });
    assert!(info.bytes_max > 200 * 250 * 1024, "{info:?}");
    assert!(info.bytes_current < 4 * (400 + 60) * 1024, "{info:?}");
}

#[test]
fn with_context_takeover_streams_live_as_long_as_the_connection() {
    let info = measure(|| {
        let mut deflater = Deflater::new(DeflaterSettings { no_context_takeover: false, ..SETTINGS });
        let mut inflater = Inflater::new(false);
        assert!(deflater.is_at_rest() && inflater.is_at_rest());
        let message = deflate(&mut deflater, &[b"Hello"]);
        assert_eq!(inflate(&mut inflater, &[&message], 100).as_deref(), Ok(&b"Hello"[..]));
        assert!(!deflater.is_at_rest() && !inflater.is_at_rest());
    });
    assert!(info.bytes_current < 32 * 1024, "only the thread's buffer is left: {info:?}");
}

#[test]
fn advisory_rustsec_2024_0401_needs_little_stack() {
    let thread = std::thread::Builder::new().stack_size(128 * 1024).spawn(|| {
        let mut random = Random(401);
        // Many blocks, of every type, empty, in one message; and blocks of codes without an end.
        for pattern in
            [&[0x00, 0x00, 0x00, 0xff, 0xff][..], &[0x02, 0x00], &[0x03, 0x00], &[0xaa], &[0x04], &[0x05]]
        {
            let payload = pattern.repeat(200_000 / pattern.len());
            for room in [1, 1 << 20] {
                let mut out = Vec::new();
                let mut inflater = Inflater::new(false);
                // Whether it is valid is not the question.
                let _ =
                    inflater.inflate(&payload, &mut out, room).and_then(|_| inflater.finish(&mut out, room));
            }
        }
        let mut refused = 0;
        for _ in 0..20_000 {
            let len = 1 + random.below(300);
            let payload = random.bytes(len);
            refused += u32::from(inflate(&mut Inflater::new(true), &[&payload], 1 << 16).is_err());
        }
        assert!(refused > 15_000, "{refused}");
        // Valid messages, damaged.
        let message =
            deflate(&mut Deflater::new(DeflaterSettings { level: 6, ..SETTINGS }), &[&prose(2_000, 1)]);
        for _ in 0..5_000 {
            let mut damaged = message.clone();
            let at = random.below(damaged.len());
            damaged[at] ^= 1 << random.below(8);
            let mut out = Vec::new();
            let _ = Inflater::new(true).inflate(&damaged, &mut out, 1 << 16);
            assert!(out.len() <= 1 << 16);
        }
    });
    thread.unwrap().join().unwrap();
}
