//! One deflate block: literals and references in the codes that suit them best (RFC 1951 §3.2.3 to §3.2.7).

use super::codes::{Distances, Literals, OwnCodes};
use super::huffman::{self, Code, code, count};
use super::short::LONGEST_SKIP;

/// How many tokens a block has at most: with more, its codes would be less and less to the point.
const TOKENS: usize = 16 * 1024;

/// The symbol that ends a block.
const END: usize = 256;
/// The symbol of the first length.
const LENGTHS: usize = 257;

/// The header of a block that is not final (RFC 1951 §3.2.3).
#[derive(Clone, Copy)]
enum Type {
    Stored = 0b000,
    Fixed = 0b010,
    Own = 0b100,
}

/// A literal byte, or a reference: a length of 3 to 258 bytes and a distance of 1 to 32,768.
#[derive(Clone, Copy, Default)]
pub(super) struct Token(u32);

impl Token {
    pub(super) fn literal(byte: u8) -> Self {
        Self(u32::from(byte))
    }

    pub(super) fn reference(length: usize, distance: usize) -> Self {
        debug_assert!((3..=258).contains(&length) && (1..=32_768).contains(&distance));
        Self((distance << 16 | length) as u32)
    }

    fn distance(self) -> u32 {
        self.0 >> 16
    }

    /// The byte of a literal, the length of a reference.
    fn value(self) -> u32 {
        self.0 & 0xffff
    }
}

/// The symbol of a value in a scale whose steps double every `1 << fine` steps, and the extra bits that complete it.
fn scale(value: u32, fine: u32) -> (usize, u32, u32) {
    let magnitude = (value | 1).ilog2();
    if magnitude <= fine {
        return (value as usize, 0, 0);
    }
    let extra = magnitude - fine;
    let symbol = (extra << fine) + (value >> extra);
    (symbol as usize, value & ((1 << extra) - 1), extra)
}

/// The symbol of a length, its extra bits, and their number.
fn length_symbol(length: u32) -> (usize, u32, u32) {
    // The scale has a last step of its own for the longest.
    if length == 258 {
        return (LENGTHS + 28, 0, 0);
    }
    let (symbol, extra, bits) = scale(length.saturating_sub(3), 2);
    (LENGTHS + symbol, extra, bits)
}

/// The symbol of a distance, its extra bits, and their number.
fn distance_symbol(distance: u32) -> (usize, u32, u32) {
    scale(distance - 1, 1)
}

/// Bits on their way into bytes, the lowest first.
pub(super) struct Bits<'a> {
    out: &'a mut Vec<u8>,
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, held: 0, count: 0 }
    }

    /// At most 32 bits.
    pub(super) fn put(&mut self, bits: u32, count: u32) {
        self.held |= u64::from(bits) << self.count;
        self.count += count;
        if self.count >= 32 {
            self.out.extend_from_slice(&(self.held as u32).to_le_bytes());
            self.held >>= 32;
            self.count -= 32;
        }
    }

    pub(super) fn code(&mut self, code: Code) {
        self.put(u32::from(code.bits), u32::from(code.len));
    }

    /// Fills up the last byte with zeros.
    fn align(&mut self) {
        let bytes = self.held.to_le_bytes();
        self.out.extend(bytes.iter().take(self.count.div_ceil(8) as usize));
        (self.held, self.count) = (0, 0);
    }

    /// The header of a stored block, and what fills up its last byte.
    pub(super) fn stored_header(&mut self) {
        self.put(Type::Stored as u32, 3);
        self.align();
    }
}

/// A block in the making.
pub(super) struct Block {
    tokens: Vec<Token>,
    /// How often each literal and length symbol comes, and each distance symbol.
    literals: [u32; 286],
    distances: [u32; 30],
    /// How many extra bits the tokens have.
    extra: u32,
    fixed_literals: Literals,
    fixed_distances: Distances,
}

impl Block {
    pub(super) fn new() -> Self {
        let mut fixed_literals = [Code::default(); 288];
        for (symbol, code) in fixed_literals.iter_mut().enumerate() {
            code.len = match symbol {
                0..=143 => 8,
                144..=255 => 9,
                256..=279 => 7,
                _ => 8,
            };
        }
        let mut fixed_distances = [Code { bits: 0, len: 5 }; 32];
        for codes in [&mut fixed_literals[..], &mut fixed_distances] {
            huffman::number(codes);
        }
        Self {
            tokens: Vec::new(),
            literals: [0; 286],
            distances: [0; 30],
            extra: 0,
            fixed_literals,
            fixed_distances,
        }
    }

    /// Whether there might not be room for what one look at the message yields.
    pub(super) fn is_full(&self) -> bool {
        self.tokens.len() + 2 * LONGEST_SKIP > TOKENS
    }

    pub(super) fn push(&mut self, token: Token) {
        self.tokens.push(token);
        if token.distance() == 0 {
            count(&mut self.literals, token.value() as usize);
        } else {
            let (length, _, length_extra) = length_symbol(token.value());
            let (distance, _, distance_extra) = distance_symbol(token.distance());
            count(&mut self.literals, length);
            count(&mut self.distances, distance);
            self.extra += length_extra + distance_extra;
        }
    }

    /// Writes the block, of whatever type is shortest, and begins the next. `raw` is what the tokens stand for.
    pub(super) fn write(&mut self, raw: &[u8], bits: &mut Bits<'_>) {
        count(&mut self.literals, END);
        let fixed_cost = self.cost(&self.fixed_literals, &self.fixed_distances);
        // Where less than two symbols are in use, others are taken as used: a code needs two.
        for counts in [&mut self.literals[..], &mut self.distances[..]] {
            let missing = 2_usize.saturating_sub(counts.iter().filter(|count| **count > 0).count());
            counts.iter_mut().filter(|count| **count == 0).take(missing).for_each(|count| *count = 1);
        }
        let own = OwnCodes::new(&self.literals, &self.distances);
        let own_cost = own.header_cost() + self.cost(&own.literals, &own.distances);
        let stored_cost = 7 + 32 + raw.len() * 8;
        if stored_cost < own_cost.min(fixed_cost) + self.extra as usize {
            bits.stored_header();
            let len = raw.len() as u32;
            bits.put(len | !len << 16, 32);
            bits.out.extend_from_slice(raw);
        } else if fixed_cost <= own_cost {
            bits.put(Type::Fixed as u32, 3);
            write_tokens(&self.tokens, &self.fixed_literals, &self.fixed_distances, bits);
        } else {
            bits.put(Type::Own as u32, 3);
            own.write_header(bits);
            write_tokens(&self.tokens, &own.literals, &own.distances, bits);
        }
        self.tokens.clear();
        self.literals.fill(0);
        self.distances.fill(0);
        self.extra = 0;
    }

    /// How many bits the tokens would take, but for the extra bits, which are the same in all codes.
    fn cost(&self, literals: &Literals, distances: &Distances) -> usize {
        let cost = |counts: &[u32], codes: &[Code]| -> u32 {
            counts.iter().zip(codes).map(|(count, code)| count * u32::from(code.len)).sum()
        };
        (cost(&self.literals, literals) + cost(&self.distances, distances)) as usize
    }
}

fn write_tokens(tokens: &[Token], literals: &Literals, distances: &Distances, bits: &mut Bits<'_>) {
    for token in tokens {
        if token.distance() == 0 {
            bits.code(code(literals, token.value() as usize));
        } else {
            for ((symbol, extra, count), codes) in [
                (length_symbol(token.value()), &literals[..]),
                (distance_symbol(token.distance()), distances),
            ] {
                let code = code(codes, symbol);
                bits.put(u32::from(code.bits) | extra << code.len, u32::from(code.len) + count);
            }
        }
    }
    bits.code(code(literals, END));
}
