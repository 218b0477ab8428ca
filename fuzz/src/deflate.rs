//! Our codec against miniz: what we inflate, it inflates to the same; what we deflate, it inflates to what it was, with no
//! more of a window than was agreed on.

use antiphon_proto::deflate::{Deflater, DeflaterSettings, Inflater};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use crate::input::{Choices, pieces};

/// What ends each message and is not sent (RFC 7692 §7.2.2).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// A message may inflate to this much. The fuzzer finds bombs at once.
const ROOM: usize = 1 << 18;

/// `way, …`
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    if choices.flag() { round_trip(&mut choices) } else { foreign(&mut choices) }
}

/// `cut, compressed bytes…`: somebody else's compressed message.
fn foreign(choices: &mut Choices<'_>) {
    let cut = choices.byte().max(1);
    let [whole, pieced] = [0, cut].map(|cut| {
        let mut inflater = Inflater::new(true);
        let inflated = inflate(&mut inflater, choices.0, cut);
        assert!(inflated.is_none() || inflater.is_at_rest(), "no memory is held between messages");
        inflated
    });
    assert_eq!(whole, pieced, "how the input is cut makes a difference");
    let Some(ours) = whole else { return };
    if ours.len() > ROOM {
        return;
    }
    let mut miniz = Miniz::new(15);
    let message = [choices.0, &TAIL].concat();
    let theirs = miniz.inflate(&message).expect("what we inflate is valid");
    // miniz stops at a final block, behind which RFC 7692 §7.2.3.4 lets others follow.
    assert!(ours == theirs || miniz.is_over && ours.starts_with(&theirs), "we inflate to something else");
}

/// The message, `None` if it is not valid. It may be cut off above [`ROOM`].
fn inflate(inflater: &mut Inflater, message: &[u8], cut: u8) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for mut piece in pieces(message, cut) {
        loop {
            let room = ROOM + 1 - out.len();
            let before = out.len();
            let step = inflater.inflate(piece, &mut out, room).ok()?;
            assert!(out.len() - before <= room, "the room is kept");
            piece = &piece[step.consumed..];
            if out.len() > ROOM {
                return Some(out);
            }
            if !step.more {
                assert!(piece.is_empty(), "input is left only where the room was used up");
                break;
            }
        }
    }
    loop {
        let room = ROOM + 1 - out.len();
        let more = inflater.finish(&mut out, room).ok()?.more;
        if !more || out.len() > ROOM {
            return Some(out);
        }
    }
}

/// `settings (2), then for each message: fragments, length, how it repeats, bytes…`
fn round_trip(choices: &mut Choices<'_>) {
    let settings = DeflaterSettings {
        window_bits: 8 + choices.below(8),
        no_context_takeover: choices.flag(),
        level: choices.below(10),
        memory_level: 1 + choices.below(9),
    };
    let mut deflater = Deflater::new(settings);
    let mut inflater = Inflater::new(settings.no_context_takeover);
    let mut miniz = Miniz::new(settings.window_bits);
    for _ in 0..8 {
        if choices.is_empty() {
            break;
        }
        let fragments = usize::from(choices.below(4)) + 1;
        let length = choices.length();
        let unit = usize::from(choices.byte());
        let unit = choices.take(unit);
        let message: Vec<u8> = if unit.is_empty() {
            (0..length).map(|at| ((at * at) >> 3) as u8).collect()
        } else {
            unit.iter().copied().cycle().take(length).collect()
        };
        let mut wire = Vec::new();
        let size = message.len().div_ceil(fragments).max(1);
        let mut parts = message.chunks(size).peekable();
        while let Some(part) = parts.next() {
            deflater.compress(part, parts.peek().is_none(), &mut wire);
        }
        if message.is_empty() {
            deflater.compress(&[], true, &mut wire);
        }
        assert!(!wire.is_empty(), "a compressed message has a byte (§7.2.3.6)");
        assert!(!settings.no_context_takeover || deflater.is_at_rest(), "no memory is held between messages");
        assert!(inflate(&mut inflater, &wire, 7).as_ref() == Some(&message), "we cannot read ourselves");
        if settings.no_context_takeover {
            miniz = Miniz::new(settings.window_bits);
        }
        let theirs = miniz.inflate(&[&wire[..], &TAIL].concat());
        assert!(
            theirs.as_ref() == Some(&message),
            "miniz cannot read us with a window of {} bits",
            settings.window_bits
        );
    }
}

/// miniz's decompressor behind a ring of the size of the window: a reference further back than that is an error.
struct Miniz {
    core: Box<DecompressorOxide>,
    ring: Vec<u8>,
    at: usize,
    /// It came to a final block.
    is_over: bool,
}

impl Miniz {
    fn new(window_bits: u8) -> Self {
        Self { core: Box::default(), ring: vec![0; 1 << window_bits], at: 0, is_over: false }
    }

    fn inflate(&mut self, mut message: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        loop {
            let flags = inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
            let (status, read, written) = decompress(&mut self.core, message, &mut self.ring, self.at, flags);
            out.extend_from_slice(&self.ring[self.at..self.at + written]);
            self.at = (self.at + written) % self.ring.len();
            message = &message[read..];
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return Some(out),
                TINFLStatus::Done => {
                    self.is_over = true;
                    return Some(out);
                }
                _ => return None,
            }
            if out.len() > 2 * ROOM {
                return Some(out);
            }
        }
    }
}
