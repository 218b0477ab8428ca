//! What compressing and inflating a message of JSON costs, on one core, without context takeover:
//! `cargo run --release -p antiphon-proto --example deflate_cost [BYTES]`.

#![allow(clippy::disallowed_methods, reason = "the engine has no clock, but a stopwatch needs one")]
#![allow(clippy::unwrap_used, reason = "it may stop at what cannot happen")]

use std::hint::black_box;
use std::time::Instant;

use antiphon_proto::deflate::{Deflater, DeflaterSettings, Inflater};

fn main() {
    let size = std::env::args().nth(1).map_or(1024, |size| size.parse().unwrap());
    let messages: Vec<Vec<u8>> = (1..=64).map(|seed| json(size, seed)).collect();
    println!("{size} bytes of JSON    ratio   compress ns    inflate ns");
    for level in 0..=9 {
        let mut deflater = Deflater::new(DeflaterSettings {
            window_bits: 15,
            no_context_takeover: true,
            level,
            memory_level: 8,
        });
        let mut inflater = Inflater::new(true);
        let mut out = Vec::new();
        let mut deflate = |message: &[u8]| {
            out.clear();
            deflater.compress(message, true, &mut out);
            out.clone()
        };
        let sent: Vec<Vec<u8>> = messages.iter().map(|message| deflate(message)).collect();
        let compress = nanos(&messages, |message| {
            out.clear();
            deflater.compress(message, true, &mut out);
        });
        let inflate = nanos(&sent, |message| {
            out.clear();
            inflater.inflate(message, &mut out, size + 1).unwrap();
            inflater.finish(&mut out, 1).unwrap();
        });
        let ratio = sent.concat().len() as f64 / messages.concat().len() as f64;
        println!("level {level}             {ratio:.3}   {compress:11.0}   {inflate:11.0}");
    }
}

/// The time per message of the best of several rounds: the others were disturbed.
fn nanos(messages: &[Vec<u8>], mut run: impl FnMut(&[u8])) -> f64 {
    let round = |run: &mut dyn FnMut(&[u8])| {
        let begin = Instant::now();
        for message in messages {
            run(black_box(message));
        }
        begin.elapsed().as_nanos() as f64 / messages.len() as f64
    };
    (0..100).map(|_| round(&mut run)).fold(f64::INFINITY, f64::min)
}

/// Records as an API would send them.
fn json(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut below = |bound: u64| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 33) % bound
    };
    let mut out = String::from("[");
    while out.len() < size {
        let name = pick(&["alder", "birch", "cedar", "dogwood", "elm", "fir"], below(6));
        let state = pick(&["open", "closed", "waiting", "failed"], below(4));
        let (id, value, at) = (below(1_000_000), below(10_000), 1_700_000_000_000 + below(100_000_000));
        out += &format!(r#"{{"id":{id},"name":"{name}","state":"{state}","value":{value},"at":{at}}},"#);
    }
    out.truncate(size);
    out.into_bytes()
}

fn pick<'a>(words: &[&'a str], at: u64) -> &'a str {
    words.get(at as usize).copied().unwrap_or_default()
}
