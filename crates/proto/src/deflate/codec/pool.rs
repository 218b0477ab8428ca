//! The zlib streams and buffers that the connections of a thread share.
//!
//! A compressor is about 300 KiB and a decompressor 48 KiB. Without context takeover a connection needs one only while a
//! message passes through, so it borrows one here and brings it back, and a thread with any number of connections holds at
//! most [`KEPT`] of each.

use std::cell::RefCell;

use zlib_rs::{Deflate, DeflateConfig, Inflate, Method, Strategy};

use super::deflater::DeflaterSettings;
use super::short::Short;

/// How many idle streams of each kind a thread keeps. A thread works on one message at a time; more are in use only where
/// messages are sent or read in pieces.
const KEPT: usize = 4;

/// How much a zlib stream writes at a time. What it wrote is then appended to the caller's buffer, which so grows with what
/// is really there, and is never filled with zeros first.
const STEP: usize = 16 * 1024;

#[derive(Default)]
#[expect(clippy::vec_box, reason = "a stream moves between the pool and a connection, where it is a pointer")]
struct Pool {
    deflates: Vec<(DeflaterSettings, Box<Deflate>)>,
    inflates: Vec<Box<Inflate>>,
    short: Option<Box<Short>>,
    step: Option<Box<[u8]>>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// Lends the thread's pool. `None` while the thread ends and the pool is gone: the caller then does without.
fn with<R>(f: impl FnOnce(&mut Pool) -> R) -> Option<R> {
    POOL.try_with(|pool| f(&mut pool.borrow_mut())).ok()
}

/// A compressor with no history.
pub(super) fn take_deflate(settings: DeflaterSettings) -> Box<Deflate> {
    let kept = with(|pool| {
        let at = pool.deflates.iter().rposition(|(of, _)| of.is_like(settings))?;
        Some(pool.deflates.swap_remove(at).1)
    });
    match kept.flatten() {
        Some(mut stream) => {
            stream.reset();
            stream
        }
        None => Box::new(new_deflate(settings)),
    }
}

pub(super) fn give_deflate(settings: DeflaterSettings, stream: Box<Deflate>) {
    with(|pool| {
        if pool.deflates.len() == KEPT {
            // Streams of settings that nobody uses any more must not fill the pool for good: the oldest goes.
            pool.deflates.remove(0);
        }
        pool.deflates.push((settings, stream));
    });
}

fn new_deflate(settings: DeflaterSettings) -> Deflate {
    Deflate::new_with_config(DeflateConfig {
        level: i32::from(settings.level.min(9)),
        method: Method::Deflated,
        // Negative: raw deflate, without zlib's header (§7.2.1). zlib refuses 8 here. A window of 9 bits will do in its place:
        // zlib never looks back further than its window less 262 bytes (its "minimal lookahead"), which is 250 bytes.
        window_bits: -i32::from(settings.window_bits.clamp(9, 15)),
        mem_level: i32::from(settings.memory_level.clamp(1, 9)),
        strategy: Strategy::Default,
    })
}

/// A decompressor with no history.
pub(super) fn take_inflate() -> Box<Inflate> {
    match with(|pool| pool.inflates.pop()).flatten() {
        Some(mut stream) => {
            stream.reset(false);
            stream
        }
        // Raw deflate, without zlib's header. A decompressor of zlib-rs has a window of 32 KiB whatever it is told (and its
        // `reset` goes back to 15 bits), so the negotiated size makes no difference.
        None => Box::new(Inflate::new(false, 15)),
    }
}

pub(super) fn give_inflate(stream: Box<Inflate>) {
    with(|pool| {
        if pool.inflates.len() < KEPT {
            pool.inflates.push(stream);
        }
    });
}

/// A buffer for a stream to write into.
pub(super) fn take_step() -> Box<[u8]> {
    with(|pool| pool.step.take()).flatten().unwrap_or_else(|| vec![0; STEP].into_boxed_slice())
}

pub(super) fn give_step(step: Box<[u8]>) {
    with(|pool| pool.step = Some(step));
}

/// A compressor for a message that stands alone.
pub(super) fn take_short() -> Box<Short> {
    with(|pool| pool.short.take()).flatten().unwrap_or_else(|| Box::new(Short::new()))
}

pub(super) fn give_short(short: Box<Short>) {
    with(|pool| pool.short = Some(short));
}
