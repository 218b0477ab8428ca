//! How often each latency occurred, within 3 %.

use std::time::Duration;

/// Steps between two powers of two, as a power of two itself.
const PRECISION: u32 = 5;
const STEPS: usize = 1 << PRECISION;

/// Durations in buckets whose width grows with them: 32 between two powers of two nanoseconds.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    buckets: Box<[u64]>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        let buckets = vec![0; bucket_of(u64::MAX) + 1].into();
        Self { buckets, count: 0, sum: 0, min: u64::MAX, max: 0 }
    }
}

impl Histogram {
    pub(super) fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket_of(nanoseconds)] += 1;
        self.count += 1;
        self.sum += u128::from(nanoseconds);
        self.min = self.min.min(nanoseconds);
        self.max = self.max.max(nanoseconds);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn min(&self) -> Duration {
        Duration::from_nanos(if self.count == 0 { 0 } else { self.min })
    }

    pub(super) fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    pub(super) fn mean(&self) -> Duration {
        let mean = self.sum.checked_div(u128::from(self.count)).unwrap_or_default();
        Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// The duration that so many of a million stay at or below.
    pub(super) fn quantile(&self, per_million: u64) -> Duration {
        let rank = (u128::from(self.count) * u128::from(per_million)).div_ceil(1_000_000).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= rank {
                return Duration::from_nanos(top_of(bucket).clamp(self.min, self.max));
            }
        }
        Duration::ZERO
    }
}

fn bucket_of(value: u64) -> usize {
    let exponent = u64::BITS - value.leading_zeros();
    let Some(shift) = exponent.checked_sub(PRECISION + 1) else { return value as usize };
    shift as usize * STEPS + (value >> shift) as usize
}

/// The largest value in a bucket.
fn top_of(bucket: usize) -> u64 {
    if bucket < 2 * STEPS {
        return bucket as u64;
    }
    let shift = bucket / STEPS - 1;
    let step = (bucket - shift * STEPS) as u64;
    (step << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_are_narrow() {
        for bucket in 0..bucket_of(u64::MAX) {
            let top = top_of(bucket);
            assert_eq!(bucket_of(top), bucket);
            assert_eq!(bucket_of(top + 1), bucket + 1);
            assert!(top + 1 - if bucket == 0 { 0 } else { top_of(bucket - 1) + 1 } <= 1 + top / 32);
        }
        assert_eq!(top_of(bucket_of(u64::MAX)), u64::MAX);
    }

    #[test]
    fn quantiles_of_a_ramp() {
        let mut histogram = Histogram::default();
        (1..=10_000).for_each(|us| histogram.record(Duration::from_micros(us)));
        for (per_million, exact) in
            [(500_000, 5000.0), (990_000, 9900.0), (999_000, 9990.0), (1_000_000, 10_000.0)]
        {
            let got = histogram.quantile(per_million).as_secs_f64() * 1e6;
            assert!((exact..=exact * 1.032).contains(&got), "{per_million}: {got}");
        }
        assert_eq!(histogram.min(), Duration::from_micros(1));
        assert_eq!(histogram.max(), Duration::from_micros(10_000));
        assert_eq!(histogram.mean(), Duration::from_nanos(5_000_500));
    }

    #[test]
    fn nothing_has_no_latency() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantile(500_000), Duration::ZERO);
        assert_eq!((histogram.min(), histogram.mean()), (Duration::ZERO, Duration::ZERO));
    }
}
