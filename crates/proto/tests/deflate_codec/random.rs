//! Random messages, each way between ours and an independent codec (miniz_oxide, by flate2).

use antiphon_proto::deflate::{Deflater, DeflaterSettings, Inflater};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{Random, deflate, inflate, prose};

const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// A message, and whether it is sent compressed (a sender may decide for each).
#[derive(Clone, Debug)]
struct Message {
    payload: Vec<u8>,
    compressed: bool,
    /// Where it is cut into fragments, in parts of 65,536.
    cuts: Vec<u16>,
}

impl Message {
    fn fragments<'a>(&self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut cuts: Vec<usize> =
            self.cuts.iter().map(|cut| (usize::from(*cut) * (bytes.len() + 1)) >> 16).collect();
        cuts.sort_unstable();
        let mut from = 0;
        let mut fragments = Vec::new();
        for cut in cuts.into_iter().chain([bytes.len()]) {
            fragments.push(&bytes[from..cut]);
            from = cut;
        }
        fragments
    }
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let short = prop_oneof![3 => 0..200_usize, 5 => 200..1_500_usize, 1 => 1_500..20_000_usize];
    prop_oneof![
        1 => Just(Vec::new()),
        4 => (short.clone(), any::<u64>()).prop_map(|(len, seed)| Random(seed | 1).bytes(len)),
        8 => (short.clone(), 0..4_u64).prop_map(|(len, seed)| prose(len, seed)),
        2 => (short, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
        1 => (30_000..80_000_usize, 0..4_u64).prop_map(|(len, seed)| prose(len, seed)),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let cuts = prop_oneof![3 => Just(Vec::new()), 1 => vec(any::<u16>(), 1..5)];
    (payload(), prop::bool::weighted(0.85), cuts).prop_map(|(payload, compressed, cuts)| Message {
        payload,
        compressed,
        cuts,
    })
}

fn settings() -> impl Strategy<Value = DeflaterSettings> {
    (8..=15_u8, any::<bool>(), prop_oneof![1 => Just(1_u8), 1 => 0..=9_u8], 1..=9_u8).prop_map(
        |(window_bits, no_context_takeover, level, memory_level)| DeflaterSettings {
            window_bits,
            no_context_takeover,
            level,
            memory_level,
        },
    )
}

/// The other's decompressor.
fn their_inflate(with: &mut Decompress, message: &[u8]) -> Vec<u8> {
    let mut rest = &[message, &TAIL].concat()[..];
    let mut out = Vec::new();
    loop {
        out.reserve(32 * 1024);
        let (read, space) = (with.total_in(), out.capacity() - out.len());
        let before = out.len();
        let status = with.decompress_vec(rest, &mut out, FlushDecompress::Sync).unwrap();
        rest = &rest[(with.total_in() - read) as usize..];
        assert_ne!(status, Status::StreamEnd, "no block is final");
        if rest.is_empty() && out.len() - before < space {
            return out;
        }
    }
}

/// The other's compressor.
fn their_deflate(with: &mut Compress, payload: &[u8]) -> Vec<u8> {
    if payload.is_empty() {
        return vec![0x00];
    }
    let mut out = Vec::with_capacity(payload.len() + payload.len() / 8 + 1_000);
    let read = with.total_in();
    with.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
    assert_eq!((with.total_in() - read) as usize, payload.len());
    assert!(out.ends_with(&TAIL));
    out.truncate(out.len() - TAIL.len());
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// About 10^4 messages: what we compress, the other and we ourselves read.
    #[test]
    fn advisory_sockudo_14_what_is_sent_is_read(
        settings in settings(),
        messages in vec(message(), 1..50),
        room in prop_oneof![1..300_usize, 300..100_000_usize],
    ) {
        let mut deflater = Deflater::new(settings);
        let mut ours = Inflater::new(settings.no_context_takeover);
        let mut theirs = Decompress::new(false);
        for message in messages.iter().filter(|message| message.compressed) {
            let sent = deflate(&mut deflater, &message.fragments(&message.payload));
            let read = inflate(&mut ours, &message.fragments(&sent), room);
            prop_assert_eq!(read.as_deref(), Ok(&message.payload[..]));
            prop_assert_eq!(&their_inflate(&mut theirs, &sent), &message.payload);
            if settings.no_context_takeover {
                theirs.reset(false);
            }
        }
        prop_assert!(!settings.no_context_takeover || (deflater.is_at_rest() && ours.is_at_rest()));
    }

    /// What the other compresses, we read.
    #[test]
    fn what_another_sends_is_read(
        level in 0..=9_u32,
        no_context_takeover: bool,
        messages in vec(message(), 1..30),
        room in prop_oneof![1..300_usize, 300..100_000_usize],
    ) {
        let mut theirs = Compress::new(Compression::new(level), false);
        let mut ours = Inflater::new(no_context_takeover);
        for message in messages.iter().filter(|message| message.compressed) {
            let sent = their_deflate(&mut theirs, &message.payload);
            let read = inflate(&mut ours, &message.fragments(&sent), room);
            prop_assert_eq!(read.as_deref(), Ok(&message.payload[..]));
            if no_context_takeover {
                theirs.reset();
            }
        }
    }
}
