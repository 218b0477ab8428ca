//! Where a client's keys and masks come from.

/// A source of unpredictable bytes.
///
/// A client's masks must not be predictable by the application (RFC 6455 §5.3, §10.3): what implements this is a
/// cryptographically secure generator, seeded by the operating system. The engine has none of its own;
/// `antiphon-socket` brings one.
pub trait Entropy {
    /// Fills `bytes` with fresh unpredictable bytes.
    fn fill(&mut self, bytes: &mut [u8]);
}
