//! What a peer can make a connection allocate. The counter counts by thread, and a buffer that moves as it grows twice.

use std::sync::Arc;
use std::time::Instant;

use allocation_counter::measure;
use antiphon_proto::deflate::{DeflateConfig, Deflater, DeflaterSettings, Params};
use antiphon_proto::{
    Cause, Config, Connection, Delivery, End, Entropy, Event, Input, KeepAliveConfig, Kind, Limits, Prepared,
    Role, SendError, Violation,
};
use bytes::Buf;

use crate::tested::{DELIVERIES, ROLES, deflate, limits, origin};
use crate::wire::{
    BINARY, BINARY_BEGINS, CONTINUES, ENDS, Form, PING, RSV1, TEXT, TEXT_BEGINS, apply, close_body, head,
    key_to, to,
};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What a zlib-rs decompressor takes, its window included.
const WINDOW: u64 = 48 * KIB;

pub const UNLIMITED: Limits =
    Limits { frame: u64::MAX, message: u64::MAX, fragments: u32::MAX, outbox: usize::MAX };

/// Takes no memory of its own.
struct Counter(u8);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(5).wrapping_add(1);
            *byte = self.0;
        }
    }
}

fn connect(role: Role, config: Arc<Config>, deflate: Option<Params>, now: Instant) -> Connection {
    match role {
        Role::Server => Connection::server(config, deflate, now),
        Role::Client => Connection::client(config, deflate, Box::new(Counter(1)), now),
    }
}

fn connection(role: Role, config: Config, deflate: Option<Params>) -> (Connection, Instant) {
    let now = origin();
    (connect(role, Arc::new(config), deflate, now), now)
}

/// One read, of which only its end is told.
fn poll(conn: &mut Connection, now: Instant, bytes: &mut [u8]) -> Option<End> {
    let mut input = Input::new(bytes);
    let mut end = None;
    while let Some(event) = conn.poll(now, &mut input) {
        if let Event::Closed(how) = event {
            end = Some(*how);
        }
    }
    end
}

#[test]
fn rustsec_2022_0035_a_head_that_declares_much_allocates_nothing() {
    for role in ROLES {
        for delivery in DELIVERIES {
            for length in [1 << 62, (1 << 63) - 1, 1 << 32, 1 << 21] {
                for first in [BINARY, TEXT, BINARY_BEGINS] {
                    let config = Config { delivery, ..limits(UNLIMITED) };
                    let (mut conn, now) = connection(role, config, None);
                    let mut bytes = head(first, Form::Eight, length, key_to(role));
                    let info = measure(|| assert_eq!(poll(&mut conn, now, &mut bytes), None));
                    assert_eq!(info.bytes_max, 0, "{length}");
                    // And then only as it comes.
                    let mut some = apply(key_to(role), &[b'a'; 100]);
                    let info = measure(|| assert_eq!(poll(&mut conn, now, &mut some), None));
                    assert!(info.bytes_max <= 400, "{}", info.bytes_max);
                    // With limits it is refused, for what the Close frame takes.
                    let (mut conn, now) = connection(role, Config { delivery, ..Config::default() }, None);
                    let mut bytes = head(first, Form::Eight, length, key_to(role));
                    let info = measure(|| assert!(poll(&mut conn, now, &mut bytes).is_some()));
                    assert!(info.bytes_max <= KIB, "{}", info.bytes_max);
                }
            }
        }
    }
}

#[test]
fn cve_2026_48779_a_million_empty_fragments() {
    for role in ROLES {
        for delivery in DELIVERIES {
            for (first, rsv1) in [(TEXT_BEGINS, 0), (BINARY_BEGINS, 0), (BINARY_BEGINS, RSV1)] {
                let begin = to(role, first | rsv1, b"");
                let many = to(role, CONTINUES, b"").repeat(1000);
                let mut buffer = many.clone();
                // With the default limits they are cut at the limit ...
                let (mut conn, now) =
                    connection(role, Config { delivery, ..Config::default() }, deflate(true));
                let mut end = None;
                let info = measure(|| {
                    assert_eq!(poll(&mut conn, now, &mut begin.clone()), None);
                    for _ in 0..1000 {
                        buffer.copy_from_slice(&many);
                        end = end.take().or(poll(&mut conn, now, &mut buffer));
                    }
                });
                let violation = Violation::TooManyFragments { limit: 1024 };
                assert_eq!(end.unwrap().cause, Cause::Violation(violation));
                assert!(info.bytes_max <= KIB, "{}", info.bytes_max);
                // ... and without limits they cost nothing.
                let (mut conn, now) =
                    connection(role, Config { delivery, ..limits(UNLIMITED) }, deflate(true));
                let info = measure(|| {
                    poll(&mut conn, now, &mut begin.clone());
                    for _ in 0..1000 {
                        buffer.copy_from_slice(&many);
                        assert_eq!(poll(&mut conn, now, &mut buffer), None);
                    }
                });
                assert!(info.bytes_max <= KIB, "{}", info.bytes_max);
            }
        }
    }
}

#[test]
fn cve_2026_48779_a_million_fragments_of_one_byte() {
    for role in ROLES {
        for begins in [TEXT_BEGINS, BINARY_BEGINS] {
            let (mut conn, now) = connection(role, limits(UNLIMITED), None);
            let many = to(role, CONTINUES, b"a").repeat(1000);
            let mut buffer = many.clone();
            let mut length = 0;
            let info = measure(|| {
                poll(&mut conn, now, &mut to(role, begins, b"a"));
                for _ in 0..1000 {
                    buffer.copy_from_slice(&many);
                    assert_eq!(poll(&mut conn, now, &mut buffer), None);
                }
                let mut last = to(role, ENDS, b"a");
                let mut input = Input::new(&mut last);
                length = match conn.poll(now, &mut input) {
                    Some(Event::Text(text)) => text.len(),
                    Some(Event::Binary(bytes)) => bytes.len(),
                    other => panic!("{other:?}"),
                };
            });
            assert_eq!(length, 1_000_002);
            // Room for four times what has come, and the buffer that it moves from.
            assert!(info.bytes_max <= 5_000_100, "{}", info.bytes_max);
            // And the cost is linear: each byte is moved a bounded number of times.
            assert!(info.bytes_total <= 8_000_100, "{}", info.bytes_total);
            assert!(info.count_total <= 64, "{}", info.count_total);
        }
    }
}

/// A megabyte that inflates to 1 GiB of zeros, and ends as a message does.
fn bomb() -> Vec<u8> {
    let settings =
        DeflaterSettings { window_bits: 15, no_context_takeover: false, level: 6, memory_level: 8 };
    let mut deflater = Deflater::new(settings);
    let zeros = vec![0; MIB as usize];
    let mut parts: [Vec<u8>; 4] = Default::default();
    for part in &mut parts {
        deflater.compress(&zeros, false, part);
    }
    let [first, _, repeats, again] = parts;
    assert_eq!(repeats, again, "each mebibyte but the first is compressed to the same bytes");
    [first, repeats.repeat(1023), vec![0]].concat()
}

#[test]
fn cve_2018_1000518_a_bomb_stops_at_the_limit() {
    let bomb = bomb();
    assert!(bomb.len() < 2 * MIB as usize, "{}", bomb.len());
    for role in ROLES {
        for (delivery, first) in [
            (Delivery::Assembled, TEXT),
            (Delivery::Assembled, BINARY),
            (Delivery::Streamed, TEXT),
            (Delivery::Streamed, BINARY),
        ] {
            for message in [MIB, 3 * MIB + 7, 100 * KIB] {
                let bounds = Limits { message, frame: 4 * MIB, ..Limits::default() };
                let whole = to(role, first | RSV1, &bomb);
                // In one read, and in the reads of an ordinary driver.
                for read in [whole.len(), 16 * 1024] {
                    let (mut conn, now) =
                        connection(role, Config { delivery, ..limits(bounds) }, deflate(true));
                    let mut bytes = whole.clone();
                    let mut end = None;
                    let info = measure(|| {
                        for read in bytes.chunks_mut(read) {
                            end = end.take().or(poll(&mut conn, now, read));
                        }
                    });
                    assert_eq!(
                        end.unwrap().cause,
                        Cause::Violation(Violation::MessageTooBig { limit: message })
                    );
                    // The counter sees a buffer that grows to the limit from half of it, both at once.
                    let held = if delivery == Delivery::Assembled { message + message / 2 } else { 0 };
                    let most = held + WINDOW + 64 * KIB;
                    assert!(
                        info.bytes_max <= most,
                        "{:?} {first:#x}: {} of {most}",
                        delivery,
                        info.bytes_max
                    );
                }
            }
        }
    }
}

#[test]
fn an_idle_connection_holds_next_to_nothing() {
    println!("a connection is {} bytes", size_of::<Connection>());
    assert!(size_of::<Connection>() <= 512);
    let long = "one message, long enough to be compressed ".repeat(100);
    for role in ROLES {
        for params in [None, deflate(false)] {
            for keep_alive in [None, Some(KeepAliveConfig::default())] {
                let config = Arc::new(Config { keep_alive, ..Config::default() });
                let now = origin();
                let session = |held: &mut Option<Connection>| {
                    let mut conn = connect(role, config.clone(), params, now);
                    for (first, payload) in [(TEXT, long.as_bytes()), (PING, b"ping"), (BINARY, &[7; 300])] {
                        // Cut, so that it has to be gathered.
                        let mut frame = to(role, first, payload);
                        let (begin, end) = frame.split_at_mut(payload.len() / 2);
                        poll(&mut conn, now, begin);
                        poll(&mut conn, now, end);
                        let waiting = conn.outbox().len();
                        conn.outbox().advance(waiting);
                    }
                    if params.is_some() {
                        let mut frame =
                            to(role, TEXT | RSV1, crate::compression::compressed(long.as_bytes()));
                        poll(&mut conn, now, &mut frame);
                    }
                    conn.send_text(&long).unwrap();
                    conn.send_binary(&[0; 10_000]).unwrap();
                    conn.send_bytes(Kind::Binary, vec![0; 10_000]).unwrap();
                    conn.begin_message(Kind::Text, true).unwrap();
                    conn.push(long.as_bytes()).unwrap();
                    conn.finish().unwrap();
                    conn.ping(now, &[0; 125]).unwrap();
                    let waiting = conn.outbox().len();
                    conn.outbox().advance(waiting);
                    *held = Some(conn);
                };
                // The thread's pool is not the connection's.
                session(&mut None);
                let mut held = None;
                let info = measure(|| session(&mut held));
                println!("{role:?}, deflate {}: {} bytes", params.is_some(), info.bytes_current);
                assert!(info.bytes_current <= KIB as i64, "{}", info.bytes_current);
                assert!(held.unwrap().is_open());
            }
        }
    }
}

#[test]
fn a_gibibyte_in_one_frame_passes_through_an_echo() {
    const READ: usize = 64 * 1024;
    let length: u64 = 1 << 30;
    for role in ROLES {
        let config = Config {
            delivery: Delivery::Streamed,
            ..limits(Limits { frame: length, message: length, ..Limits::default() })
        };
        let (mut conn, now) = connection(role, config, None);
        // 64 KiB is a multiple of four: each read of the payload is masked alike.
        let masked = apply(key_to(role), &[0x5A; READ]);
        let mut buffer = vec![0; READ];
        let mut head = head(BINARY, Form::Eight, length, key_to(role));
        let (mut written, mut frames, mut ended) = (0, 0, false);
        let info = measure(|| {
            let mut turn = |bytes: &mut [u8]| {
                let mut input = Input::new(bytes);
                while let Some(event) = conn.poll(now, &mut input) {
                    match event {
                        Event::Begin(kind) => conn.begin_message(kind, false).unwrap(),
                        Event::Chunk(chunk) => {
                            assert!(chunk.first() == Some(&0x5A) && chunk.last() == Some(&0x5A));
                            conn.push(&chunk).unwrap();
                            frames += 1;
                            written += chunk.len() as u64;
                        }
                        Event::End => {
                            conn.finish().unwrap();
                            ended = true;
                        }
                        other => panic!("{other:?}"),
                    }
                }
                let waiting = conn.outbox().len();
                assert!(waiting <= 2 * READ);
                conn.outbox().advance(waiting);
            };
            turn(&mut head);
            for _ in 0..length / READ as u64 {
                buffer.copy_from_slice(&masked);
                turn(&mut buffer);
            }
        });
        assert_eq!((written, frames, ended), (length, length / READ as u64, true));
        println!("{role:?}: {} bytes of heap at most", info.bytes_max);
        assert!(info.bytes_max < MIB, "{}", info.bytes_max);
    }
}

#[test]
fn pings_to_a_peer_that_reads_nothing_stay_bounded() {
    for role in ROLES {
        let (mut conn, now) = connection(role, Config::default(), None);
        let many = to(role, PING, [7; 125]).repeat(100);
        let mut buffer = many.clone();
        let info = measure(|| {
            for _ in 0..1000 {
                buffer.copy_from_slice(&many);
                assert_eq!(poll(&mut conn, now, &mut buffer), None);
            }
        });
        assert!(conn.outbox().len() <= 64 * 1024 + 131, "{}", conn.outbox().len());
        assert!(info.bytes_max <= 256 * KIB, "{}", info.bytes_max);
    }
}

/// One way to send a message.
type Send<'a> = dyn Fn(&mut Connection) -> Result<(), SendError> + 'a;

#[test]
fn rustsec_2020_0043_a_peer_that_never_reads() {
    const LIMIT: usize = 100_000;
    const MESSAGE: usize = 10_000;
    for role in ROLES {
        for params in [None, deflate(false)] {
            let payload = crate::tested::Keys::new(2).bytes(MESSAGE);
            let prepared = Prepared::binary(&payload);
            let shared = bytes::Bytes::from(payload.clone());
            let sends: [&Send<'_>; 5] = [
                &|conn| conn.send_binary(&payload),
                &|conn| conn.send_bytes(Kind::Binary, shared.clone()),
                &|conn| conn.send_prepared(&prepared),
                &|conn| conn.send_uncompressed(Kind::Binary, &payload),
                &|conn| {
                    conn.begin_message(Kind::Binary, true)
                        .and_then(|()| conn.push(&payload))
                        .and_then(|()| conn.finish())
                },
            ];
            for (at, send) in sends.iter().enumerate() {
                let (mut conn, now) =
                    connection(role, limits(Limits { outbox: LIMIT, ..Limits::default() }), params);
                let mut refused = 0;
                let info = measure(|| {
                    for _ in 0..1000 {
                        refused += usize::from(send(&mut conn).is_err());
                    }
                    // It may say what it likes meanwhile.
                    for _ in 0..1000 {
                        poll(&mut conn, now, &mut to(role, PING, b"still here"));
                    }
                });
                assert!(refused > 900, "{at}");
                let waiting = conn.outbox().len();
                assert!((LIMIT..LIMIT + MESSAGE + 200).contains(&waiting), "{at}: {waiting}");
                // A vector that doubles, and moves; and for a deflated one the compressor.
                assert!(
                    info.bytes_max <= 3 * (LIMIT + MESSAGE) as u64 + 400 * KIB,
                    "{at}: {}",
                    info.bytes_max
                );
            }
        }
    }
}

#[test]
fn many_connections_share_a_prepared_frame() {
    let prepared = Prepared::text(&(0..20_000).map(|at| format!("for everybody {at} ")).collect::<String>());
    let own = DeflateConfig { threshold: 1, ..DeflateConfig::default() };
    for params in [None, deflate(false)] {
        let config = Arc::new(Config { deflate: own, ..Config::default() });
        let now = origin();
        let mut conns: Vec<_> =
            (0..100).map(|_| connect(Role::Server, config.clone(), params, now)).collect();
        // The first asks for the compressed form.
        conns[0].send_prepared(&prepared).unwrap();
        let info =
            measure(|| conns.iter_mut().skip(1).for_each(|conn| conn.send_prepared(&prepared).unwrap()));
        assert!(info.bytes_max <= 99 * KIB, "{} for 99 connections", info.bytes_max);
    }
}

#[test]
fn ws_1202_connections_that_come_and_go_leave_nothing() {
    let text = "text to be compressed ".repeat(500);
    let packed = crate::compression::compressed(text.as_bytes());
    let session = |role, cut: usize| {
        let (mut conn, now) = connection(role, Config::default(), deflate(cut.is_multiple_of(2)));
        let mut frame = to(role, TEXT_BEGINS | RSV1, &packed);
        poll(&mut conn, now, &mut frame[..cut]);
        conn.begin_message(Kind::Text, true).unwrap();
        conn.push(text.as_bytes()).unwrap();
        if cut.is_multiple_of(3) {
            poll(&mut conn, now, &mut to(role, crate::wire::CLOSE, close_body(1000, "")));
        }
    };
    let churn = || {
        for role in ROLES {
            (0..30).for_each(|cut| session(role, cut));
        }
    };
    churn();
    let info = measure(churn);
    assert_eq!(info.bytes_current, 0, "the pool is as it was, and all else is gone");
}
