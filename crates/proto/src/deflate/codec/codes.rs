//! The codes that a block brings along (RFC 1951 §3.2.7).

use super::block::Bits;
use super::huffman::{self, Code, code, count};

/// The codes of literals and lengths, and of distances.
pub(super) type Literals = [Code; 288];
pub(super) type Distances = [Code; 32];

/// The order in which the lengths of the codes for lengths are sent.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The codes of one block, and how they are told to the peer.
pub(super) struct OwnCodes {
    pub(super) literals: Literals,
    pub(super) distances: Distances,
    /// How many symbols of each have a length told.
    told: (u32, u32),
    /// The lengths, repeated ones as one run.
    runs: [Run; 316],
    count: usize,
    /// The codes of the symbols of runs, and of how many, in [`ORDER`], the length is told.
    run_codes: [Code; 19],
    run_codes_told: usize,
}

/// A length of a code, or a run of lengths: a symbol, its extra bits, and their number.
#[derive(Clone, Copy, Default)]
struct Run {
    symbol: u8,
    extra: u8,
    bits: u8,
}

impl OwnCodes {
    pub(super) fn new(literals: &[u32], distances: &[u32]) -> Self {
        let mut own = Self {
            literals: [Code::default(); 288],
            distances: [Code::default(); 32],
            told: (0, 0),
            runs: [Run::default(); 316],
            count: 0,
            run_codes: [Code::default(); 19],
            run_codes_told: 0,
        };
        huffman::best(literals, 15, &mut own.literals);
        huffman::best(distances, 15, &mut own.distances);
        let told = |codes: &[Code], least: usize| {
            codes.iter().rposition(|code| code.len > 0).map_or(least, |last| least.max(last + 1))
        };
        let (literals_told, distances_told) = (told(&own.literals, 257), told(&own.distances, 1));
        own.told = (literals_told as u32, distances_told as u32);

        let mut lens = [0_u8; 316];
        let codes = own.literals.iter().take(literals_told).chain(own.distances.iter().take(distances_told));
        for (len, code) in lens.iter_mut().zip(codes) {
            *len = code.len;
        }
        let mut counts = [0_u32; 19];
        let mut rest = lens.get(..literals_told + distances_told).unwrap_or_default();
        while let Some(len) = rest.first() {
            let times = rest.iter().take_while(|other| *other == len).count();
            rest = rest.get(times..).unwrap_or_default();
            own.note(*len, times, &mut counts);
        }
        // Two symbols at least are in use: the 257 or more literals and lengths cannot all be as long.
        huffman::best(&counts, 7, &mut own.run_codes);
        own.run_codes_told = ORDER
            .iter()
            .rposition(|symbol| code(&own.run_codes, *symbol).len > 0)
            .map_or(4, |last| 4.max(last + 1));
        own
    }

    /// Notes that `len` comes so many times.
    fn note(&mut self, len: u8, mut times: usize, counts: &mut [u32; 19]) {
        let mut push = |symbol: u8, extra: usize, bits: u8| {
            count(counts, usize::from(symbol));
            if let Some(run) = self.runs.get_mut(self.count) {
                *run = Run { symbol, extra: extra as u8, bits };
                self.count += 1;
            }
        };
        if len > 0 {
            // A run repeats the length before it.
            push(len, 0, 0);
            times -= 1;
        }
        while times > 0 {
            let at_once = match (len, times) {
                (_, ..3) => {
                    push(len, 0, 0);
                    1
                }
                (0, 3..11) => {
                    push(17, times - 3, 3);
                    times
                }
                (0, _) => {
                    push(18, times.min(138) - 11, 7);
                    times.min(138)
                }
                (_, _) => {
                    push(16, times.min(6) - 3, 2);
                    times.min(6)
                }
            };
            times -= at_once;
        }
    }

    fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().take(self.count)
    }

    /// How many bits the header takes, but for the type of the block.
    pub(super) fn header_cost(&self) -> usize {
        let runs = self.runs().map(|run| code(&self.run_codes, usize::from(run.symbol)).len + run.bits);
        14 + 3 * self.run_codes_told + runs.map(usize::from).sum::<usize>()
    }

    pub(super) fn write_header(&self, bits: &mut Bits<'_>) {
        let (literals, distances) = self.told;
        bits.put(literals - 257, 5);
        bits.put(distances - 1, 5);
        bits.put(self.run_codes_told as u32 - 4, 4);
        for symbol in ORDER.iter().take(self.run_codes_told) {
            bits.put(u32::from(code(&self.run_codes, *symbol).len), 3);
        }
        for run in self.runs() {
            bits.code(code(&self.run_codes, usize::from(run.symbol)));
            bits.put(u32::from(run.extra), u32::from(run.bits));
        }
    }
}
