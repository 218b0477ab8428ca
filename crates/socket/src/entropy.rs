//! Where the library's keys, masks and delays come from.

use antiphon_proto::Entropy;
use rand::Rng;

/// The default source of keys and masks: a ChaCha generator of the thread, seeded by the operating system.
///
/// The generator and its block of ready bytes belong to the thread, not to the connection: this handle has no size, and a
/// mask costs a copy of four bytes. The generator is seeded anew from the operating system after every 64 KiB, so
/// that a leaked state does not reveal masks for long (RFC 6455 §10.3 wants each one unpredictable).
///
/// # Panics
///
/// The first use on a thread panics if the operating system has no randomness to give: a client must not go on without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_handle_has_no_size() {
        assert_eq!(size_of::<OsEntropy>(), 0);
    }

    #[test]
    fn advisory_predictable_masks_bits_are_even_and_keys_do_not_repeat() {
        let mut keys = HashSet::new();
        let mut ones = [0u32; 128];
        let rounds = 20_000;
        for _ in 0..rounds {
            let mut key = [0; 16];
            OsEntropy.fill(&mut key);
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += u32::from(key[bit / 8] >> (bit % 8) & 1);
            }
            assert!(keys.insert(key), "a 16-byte key came twice");
        }
        // Six standard deviations of a fair coin: sqrt(20,000) / 2 is 71.
        for (bit, count) in ones.into_iter().enumerate() {
            assert!(count.abs_diff(rounds / 2) < 6 * 71, "bit {bit} was set {count} times of {rounds}");
        }
    }

    #[test]
    fn threads_do_not_share_a_stream() {
        let draw = || {
            let mut bytes = [0; 32];
            OsEntropy.fill(&mut bytes);
            bytes
        };
        let other = std::thread::spawn(draw).join().unwrap();
        assert_ne!(draw(), other);
    }
}
