//! A plain inflater, after RFC 1951, that also says how far back the references go.

/// What a deflate stream holds, read up to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) data: Vec<u8>,
    /// The longest distance of a reference.
    pub(crate) reach: usize,
    /// The stream ends with an empty stored block that is not final, on a byte boundary.
    pub(crate) ends_with_empty_block: bool,
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> usize {
        let bit = self.bytes[self.at / 8] >> (self.at % 8) & 1;
        self.at += 1;
        usize::from(bit)
    }

    fn number(&mut self, bits: usize) -> usize {
        (0..bits).map(|at| self.bit() << at).sum()
    }
}

/// A canonical Huffman code, as the length of each symbol's code.
struct Code(Vec<usize>);

impl Code {
    fn symbol(&self, bits: &mut Bits<'_>) -> usize {
        let (mut code, mut first) = (0, 0);
        for len in 1..=15 {
            code = code << 1 | bits.bit();
            let of_len = self.0.iter().filter(|l| **l == len).count();
            if code < first + of_len {
                let (symbol, _) =
                    self.0.iter().enumerate().filter(|(_, l)| **l == len).nth(code - first).unwrap();
                return symbol;
            }
            first = (first + of_len) << 1;
        }
        panic!("not a code");
    }
}

/// The base and the number of extra bits of each length symbol from 257 on, or of each distance symbol.
fn ranges(first: usize, at_once: usize, count: usize) -> Vec<(usize, usize)> {
    let mut base = first;
    (0..count)
        .map(|symbol| {
            let extra = (symbol / at_once).saturating_sub(1);
            let range = (base, extra);
            base += 1 << extra;
            range
        })
        .collect()
}

fn dynamic_codes(bits: &mut Bits<'_>) -> (Code, Code) {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances, of_lengths) = (bits.number(5) + 257, bits.number(5) + 1, bits.number(4) + 4);
    let mut lengths = vec![0; 19];
    for symbol in &ORDER[..of_lengths] {
        lengths[*symbol] = bits.number(3);
    }
    let code = Code(lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (value, times) = match code.symbol(bits) {
            16 => (*lengths.last().unwrap(), 3 + bits.number(2)),
            17 => (0, 3 + bits.number(3)),
            18 => (0, 11 + bits.number(7)),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(value, times));
    }
    assert_eq!(lengths.len(), literals + distances);
    let distances = lengths.split_off(literals);
    (Code(lengths), Code(distances))
}

fn fixed_codes() -> (Code, Code) {
    let lengths = [(144, 8), (112, 9), (24, 7), (8, 8)];
    let literals = lengths.iter().flat_map(|(times, length)| std::iter::repeat_n(*length, *times));
    (Code(literals.collect()), Code(vec![5; 30]))
}

/// Reads a raw deflate stream to its last byte; panics where it is not one.
pub(crate) fn read(stream: &[u8]) -> Read {
    let mut lengths = ranges(3, 4, 28);
    lengths.push((258, 0));
    let distances = ranges(1, 2, 30);
    let mut bits = Bits { bytes: stream, at: 0 };
    let mut read = Read { data: Vec::new(), reach: 0, ends_with_empty_block: false };
    while bits.at < stream.len() * 8 {
        read.ends_with_empty_block = false;
        let last = bits.bit() == 1;
        let (literal_code, distance_code) = match bits.number(2) {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let len = bits.number(16);
                assert_eq!(bits.number(16), len ^ 0xffff);
                read.data.extend_from_slice(&stream[bits.at / 8..][..len]);
                bits.at += len * 8;
                read.ends_with_empty_block = len == 0 && !last;
                continue;
            }
            1 => fixed_codes(),
            2 => dynamic_codes(&mut bits),
            _ => panic!("not a block"),
        };
        loop {
            match literal_code.symbol(&mut bits) {
                256 => break,
                literal @ ..256 => read.data.push(literal as u8),
                length => {
                    let (base, extra) = lengths[length - 257];
                    let length = base + bits.number(extra);
                    let (base, extra) = distances[distance_code.symbol(&mut bits)];
                    let distance = base + bits.number(extra);
                    read.reach = read.reach.max(distance);
                    for _ in 0..length {
                        read.data.push(read.data[read.data.len() - distance]);
                    }
                }
            }
        }
        if last {
            bits.at = bits.at.next_multiple_of(8);
        }
    }
    read
}
