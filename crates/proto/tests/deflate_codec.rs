//! Compressing and decompressing of payloads, rule by rule (RFC 7692 §7.2).

use antiphon_proto::deflate::{Deflater, DeflaterSettings, InflateError, Inflater};

const SETTINGS: DeflaterSettings =
    DeflaterSettings { window_bits: 15, no_context_takeover: true, level: 1, memory_level: 8 };

#[test]
fn hello() {
    let mut inflater = Inflater::new(true);
    let mut out = Vec::new();
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    inflater.inflate(&hello, &mut out, 100).unwrap();
    inflater.finish(&mut out, 100).unwrap();
    assert_eq!(out, b"Hello");
    let mut deflated = Vec::new();
    Deflater::new(SETTINGS).compress(b"Hello", true, &mut deflated);
    assert_eq!(deflated, hello);
    inflater.inflate(&hello[..5], &mut out, 100).unwrap();
    assert_eq!(inflater.finish(&mut out, 100), Err(InflateError::Truncated));
}
