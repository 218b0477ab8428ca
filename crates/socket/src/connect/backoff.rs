//! How long to wait before connecting again (RFC 6455 §7.2.3).

use std::time::Duration;

use antiphon_proto::Entropy;

use crate::entropy::OsEntropy;

/// The delays of a client that reconnects: a number generator, without a timer of its own.
///
/// The first delay after a loss is random between 0 and 5 seconds, so that the clients of a server that fell over do not come back
/// all at once (§7.2.3). Later ones are *full jitter*: random between 0 and a ceiling that doubles from `base` up to `cap`.
///
/// ```
/// use std::time::Duration;
/// use antiphon_socket::connect::Backoff;
///
/// let mut backoff = Backoff::new();
/// assert!(backoff.next_delay() <= Duration::from_secs(5));
/// // … sleep, connect; and once a connection has proved itself:
/// backoff.reset();
/// ```
#[derive(Clone, Debug)]
pub struct Backoff<E = OsEntropy> {
    entropy: E,
    first: Duration,
    base: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    /// First delay up to 5 s, then ceilings of 2 s, 4 s, 8 s and so on up to 60 s.
    pub fn new() -> Self {
        Self::with_entropy(OsEntropy)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Entropy> Backoff<E> {
    /// The default delays, drawn from `entropy`.
    pub fn with_entropy(entropy: E) -> Self {
        Self {
            entropy,
            first: Duration::from_secs(5),
            base: Duration::from_secs(2),
            cap: Duration::from_secs(60),
            failures: 0,
        }
    }

    /// The ceiling of the first delay (5 s).
    pub fn first(mut self, first: Duration) -> Self {
        self.first = first;
        self
    }

    /// The ceiling of the second delay (2 s), which doubles from there.
    pub fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// The ceiling of every delay but the first (60 s).
    pub fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Counts one more failure and says how long to wait.
    pub fn next_delay(&mut self) -> Duration {
        let ceiling = match self.failures {
            0 => self.first,
            later => self.base.saturating_mul(1 << (later - 1).min(31)).min(self.cap),
        };
        self.failures = self.failures.saturating_add(1);
        let mut draw = [0; 4];
        self.entropy.fill(&mut draw);
        // The draw is a fraction of 2^32; a ceiling that overflows u64 nanoseconds (584 years) is cut there.
        let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(((u128::from(nanos) * u128::from(u32::from_be_bytes(draw))) >> 32) as u64)
    }

    /// Starts over. Call it when a connection has carried a message or lasted a while, not when it has merely opened: a server that accepts
    /// and closes at once would otherwise be asked every few seconds for ever.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How many delays were given since the start or the last [`reset`](Self::reset).
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Always draws the same byte.
    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn req_60_first_up_to_5_s_then_truncated_exponential() {
        let mut backoff = Backoff::with_entropy(Fixed(0xff));
        let delays: Vec<_> = (0..9).map(|_| backoff.next_delay().as_secs_f64().round()).collect();
        assert_eq!(delays, [5.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]);
        backoff.reset();
        assert_eq!(backoff.next_delay().as_secs_f64().round(), 5.0);
    }

    #[test]
    fn req_60_jitter_is_full() {
        let mut low = Backoff::with_entropy(Fixed(0));
        assert!((0..9).all(|_| low.next_delay() == Duration::ZERO));
        let mut half = Backoff::with_entropy(Fixed(0x80));
        assert_eq!(half.next_delay().as_secs_f64().round(), 3.0);

        let mut sum = Duration::ZERO;
        for _ in 0..2_000 {
            let delay = Backoff::new().next_delay();
            assert!(delay < Duration::from_secs(5));
            sum += delay;
        }
        // The mean of 2,000 draws from 0..5 s has a deviation of 32 ms.
        assert!((2.3..2.7).contains(&(sum / 2_000).as_secs_f64()), "{sum:?}");
    }

    #[test]
    fn the_ten_thousandth_failure_does_not_overflow() {
        let mut backoff = Backoff::with_entropy(Fixed(0xff)).base(Duration::MAX).cap(Duration::MAX);
        for _ in 0..10_000 {
            backoff.next_delay();
        }
        assert_eq!(backoff.failures(), 10_000);
    }
}
