//! Huffman codes as deflate has them (RFC 1951 §3.2.2): canonical, of limited length, sent as the lengths of the codes.

/// As many symbols as the largest alphabet has: literals and lengths.
const SYMBOLS: usize = 288;

/// One code: how many bits, and the bits as they go out, first bit lowest.
#[derive(Clone, Copy, Default)]
pub(super) struct Code {
    pub(super) bits: u16,
    pub(super) len: u8,
}

/// The shortest codes of at most `limit` bits for symbols that are as frequent as `counts` says. Those that are not in use
/// have no bits.
///
/// At least two symbols must be in use: a code of one is one that not every inflater takes.
pub(super) fn best(counts: &[u32], limit: u8, codes: &mut [Code]) {
    // The symbols in use, the rarest first.
    let mut sorted = [0_u32; SYMBOLS];
    let mut used = 0;
    for (symbol, count) in (0..).zip(counts) {
        if *count > 0
            && let Some(slot) = sorted.get_mut(used)
        {
            *slot = count << 9 | symbol;
            used += 1;
        }
    }
    let sorted = sorted.get_mut(..used).unwrap_or_default();
    sorted.sort_unstable();

    let mut of_len = lens_of(sorted);
    limit_lens(&mut of_len, limit);

    // The rarest get the longest.
    let mut symbols = sorted.iter().map(|entry| entry & 0x1ff);
    for (len, times) in (0..32).zip(of_len).rev() {
        for symbol in symbols.by_ref().take(usize::from(times)) {
            if let Some(code) = codes.get_mut(symbol as usize) {
                code.len = len;
            }
        }
    }
    number(codes);
}

/// How many codes there are of each length, up to the longest that can come of 64 KiB: below 32.
type Lens = [u16; 32];

/// How long Huffman's codes are for these counts (in the upper bits, ascending).
///
/// After Moffat and Katajainen, "In-place calculation of minimum-redundancy codes": one array holds in turn the counts, then
/// the parents, then the depths.
fn lens_of(sorted: &[u32]) -> Lens {
    let mut nodes = [0_u32; SYMBOLS];
    for (node, entry) in nodes.iter_mut().zip(sorted) {
        *node = entry >> 9;
    }
    let count = sorted.len();
    let at = |nodes: &[u32; SYMBOLS], index: usize| nodes.get(index).copied().unwrap_or(0);
    // Each inner node joins the two lightest of the leaves and inner nodes that are left.
    let (mut leaf, mut root) = (0, 0);
    for next in 0..count.saturating_sub(1) {
        let mut sum = 0;
        for _ in 0..2 {
            if leaf >= count || (root < next && at(&nodes, root) < at(&nodes, leaf)) {
                sum += at(&nodes, root);
                if let Some(node) = nodes.get_mut(root) {
                    *node = next as u32;
                }
                root += 1;
            } else {
                sum += at(&nodes, leaf);
                leaf += 1;
            }
        }
        if let Some(node) = nodes.get_mut(next) {
            *node = sum;
        }
    }
    // The last of them is the root of the tree; each other is one deeper than its parent, which comes after it.
    let inner = count.saturating_sub(1);
    let mut of_depth = Lens::default();
    let mut depths = nodes;
    for node in (0..inner).rev() {
        let depth = if node + 1 == inner { 0 } else { at(&depths, at(&depths, node) as usize) + 1 };
        if let Some(slot) = depths.get_mut(node) {
            *slot = depth;
        }
        if let Some(slot) = of_depth.get_mut(depth as usize) {
            *slot += 1;
        }
    }
    // What is not an inner node at a depth is a leaf.
    let mut lens = Lens::default();
    let mut places = 1;
    for (len, inner) in lens.iter_mut().zip(of_depth) {
        *len = places - inner;
        places = inner * 2;
    }
    lens
}

/// Shortens codes that are too long, and lengthens others for it, as few and as little as can be.
fn limit_lens(lens: &mut Lens, limit: u8) {
    let limit = usize::from(limit);
    let over: u16 = lens.iter().skip(limit + 1).sum();
    if over == 0 {
        return;
    }
    lens.iter_mut().skip(limit + 1).for_each(|len| *len = 0);
    if let Some(len) = lens.get_mut(limit) {
        *len += over;
    }
    // How much of the space of codes is taken, of `1 << limit`.
    let mut taken: u32 =
        (0..=limit).zip(lens.iter()).map(|(len, times)| u32::from(*times) << (limit - len)).sum();
    while taken > 1 << limit {
        // A code of full length and a shorter one become two that are one longer than the shorter one.
        let Some(shorter) = (1..limit).rev().find(|len| lens.get(*len).is_some_and(|times| *times > 0))
        else {
            return;
        };
        for (len, change) in [(limit, -1), (shorter, -1), (shorter + 1, 2)] {
            if let Some(times) = lens.get_mut(len) {
                *times = times.wrapping_add_signed(change);
            }
        }
        taken -= 1;
    }
}

/// Gives out the codes of each length in the order of the symbols (§3.2.2).
pub(super) fn number(codes: &mut [Code]) {
    let mut of_len = Lens::default();
    for code in codes.iter().filter(|code| code.len > 0) {
        if let Some(times) = of_len.get_mut(usize::from(code.len)) {
            *times += 1;
        }
    }
    let mut next = Lens::default();
    let mut first = 0_u16;
    for (next, times) in next.iter_mut().skip(1).zip(of_len.iter().skip(1)) {
        *next = first;
        first = first.wrapping_add(*times) << 1;
    }
    for code in codes.iter_mut().filter(|code| code.len > 0) {
        if let Some(next) = next.get_mut(usize::from(code.len)) {
            code.bits = next.reverse_bits() >> (16 - code.len);
            *next += 1;
        }
    }
}

/// The code of a symbol.
pub(super) fn code(codes: &[Code], symbol: usize) -> Code {
    codes.get(symbol).copied().unwrap_or_default()
}

/// Counts a symbol.
pub(super) fn count(counts: &mut [u32], symbol: usize) {
    if let Some(count) = counts.get_mut(symbol) {
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn codes_of(counts: &[u32], limit: u8) -> Vec<Code> {
        let mut codes = vec![Code::default(); counts.len()];
        best(counts, limit, &mut codes);
        codes
    }

    /// Every sequence of bits is one of codes, and of one only (§3.2.2): no code begins another, and none is missing.
    fn check(counts: &[u32], codes: &[Code], limit: u8) {
        let used: Vec<&Code> = codes.iter().filter(|code| code.len > 0).collect();
        assert!(counts.iter().zip(codes).all(|(count, code)| (*count > 0) == (code.len > 0)));
        assert!(used.iter().all(|code| code.len <= limit));
        assert_eq!(used.iter().map(|code| 1_u32 << (limit - code.len)).sum::<u32>(), 1 << limit);
        for (at, code) in used.iter().enumerate() {
            for other in &used[at + 1..] {
                let shorter = code.len.min(other.len);
                assert_ne!(code.bits << (16 - shorter), other.bits << (16 - shorter));
            }
        }
    }

    #[test]
    fn codes_are_as_short_as_they_can_be() {
        for (counts, lens) in [
            (&[5, 5][..], &[1, 1][..]),
            (&[1, 0, 9], &[1, 0, 1]),
            (&[10, 1, 1], &[1, 2, 2]),
            (&[1, 1, 2, 3, 5, 8], &[5, 5, 4, 3, 2, 1]),
            (&[7; 8], &[3; 8]),
            (&[7; 5], &[2, 2, 2, 3, 3]),
        ] {
            let codes = codes_of(counts, 15);
            check(counts, &codes, 15);
            let cost = |lens: &mut dyn Iterator<Item = u8>| -> u32 {
                counts.iter().zip(lens).map(|(count, len)| count * u32::from(len)).sum()
            };
            assert_eq!(cost(&mut codes.iter().map(|code| code.len)), cost(&mut lens.iter().copied()));
        }
    }

    #[test]
    fn codes_keep_to_the_limit() {
        // The counts of which Huffman's codes are longest.
        let mut counts = vec![1_u32, 1];
        while counts.iter().sum::<u32>() < 16_000 {
            counts.push(counts.iter().rev().take(2).sum());
        }
        assert!(counts.len() > 16);
        for limit in [5, 7, 15] {
            check(&counts, &codes_of(&counts, limit), limit);
        }
    }

    proptest! {
        #[test]
        fn codes_are_complete(counts in vec(prop_oneof![Just(0_u32), 1..4_u32, 1..16_384_u32], 2..286)) {
            prop_assume!(counts.iter().filter(|count| **count > 0).count() > 1);
            check(&counts, &codes_of(&counts, 15), 15);
        }

        #[test]
        fn codes_of_runs_are_complete(counts in vec(prop_oneof![Just(0_u32), 1..4_u32, 1..300_u32], 19)) {
            prop_assume!(counts.iter().filter(|count| **count > 0).count() > 1);
            check(&counts, &codes_of(&counts, 7), 7);
        }
    }
}
