//! What the engine itself costs: nanoseconds to take a message from a client and queue its echo, on one core, bursts of 16:
//! `cargo run --release -p antiphon-proto --example echo_cost`.

#![allow(clippy::disallowed_methods, reason = "the engine has no clock, but a stopwatch needs one")]
#![allow(clippy::unwrap_used, reason = "it may stop at what cannot happen")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use antiphon_proto::{Config, Connection, Entropy, Event, Input};
use bytes::Buf;

const BURST: usize = 16;

struct Counter(u8);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(5).wrapping_add(113);
            *byte = self.0;
        }
    }
}

fn main() {
    let now = Instant::now();
    let config = Arc::new(Config::default());
    for (name, text, size) in [
        ("text", "a", 16),
        ("text", "a", 32),
        ("text", "a", 1024),
        ("text", "aé€𝄞", 4096),
        ("binary", "a", 32),
        ("binary", "a", 1024),
        ("binary", "a", 65_536),
    ] {
        let message = text.repeat(size / text.len());
        let mut client = Connection::client(Arc::clone(&config), None, Box::new(Counter(1)), now);
        let mut burst = Vec::new();
        for _ in 0..BURST {
            match name {
                "text" => client.send_text(&message).unwrap(),
                _ => client.send_binary(message.as_bytes()).unwrap(),
            }
            let frame = client.outbox().chunk().to_vec();
            client.outbox().advance(frame.len());
            burst.extend(frame);
        }
        let mut server = Connection::server(Arc::clone(&config), None, now);
        let mut output = Some(Vec::new());
        let mut read = burst.clone();
        let round =
            |copy: bool, server: &mut Connection, output: &mut Option<Vec<u8>>, read: &mut Vec<u8>| {
                let begin = Instant::now();
                // Unmasking happens in place: the input is written anew, as a read would.
                read.copy_from_slice(&burst);
                if copy {
                    return begin.elapsed().as_nanos() as f64 / BURST as f64;
                }
                let mut input = Input::new(black_box(read));
                let _ = server.outbox().lend(output.take().unwrap());
                while let Some(event) = server.poll(now, &mut input) {
                    match event {
                        Event::Text(text) => server.send_text(&text).unwrap(),
                        Event::Binary(bytes) => server.send_binary(&bytes).unwrap(),
                        other => panic!("{other:?}"),
                    }
                }
                let waiting = server.outbox().len();
                black_box(server.outbox().chunk());
                server.outbox().advance(waiting);
                *output = Some(server.outbox().reclaim());
                begin.elapsed().as_nanos() as f64 / BURST as f64
            };
        let mut best = |copy: bool| {
            (0..20_000)
                .map(|_| round(copy, &mut server, &mut output, &mut read))
                .fold(f64::INFINITY, f64::min)
        };
        let copy = best(true);
        println!("{name:>6} {size:>6} B  {:8.1} ns a message", best(false) - copy);
    }
}
