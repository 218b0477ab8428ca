//! How fast publications come in a channel.

/// How long a window is, in tenths of a second.
const WINDOW: u32 = 100;

const TENTHS: u64 = 100_000_000;

/// Publications of the window that runs, and of the one before it. Twelve bytes for each channel; a list of seconds would be more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pace {
    /// The number of the window that runs: all windows follow each other from 0 on.
    window: u32,
    current: u32,
    previous: u32,
}

impl Pace {
    /// Counts one, at a time in nanoseconds.
    pub(super) fn count(&mut self, now: u64) {
        let window = tenths(now) / WINDOW;
        if window != self.window {
            self.previous = if window == self.window.wrapping_add(1) { self.current } else { 0 };
            self.current = 0;
            self.window = window;
        }
        self.current = self.current.saturating_add(1);
    }

    /// Publications a second, over about the length of a window: of the one before as much counts as lies within that. Exact where
    /// they come evenly.
    pub(super) fn rate(&self, now: u64) -> f64 {
        let (window, passed) = (tenths(now) / WINDOW, tenths(now) % WINDOW);
        let (current, previous) = match window.wrapping_sub(self.window) {
            0 => (self.current, self.previous),
            1 => (0, self.current),
            _ => (0, 0),
        };
        let share = f64::from(WINDOW - passed) / f64::from(WINDOW);
        (f64::from(current) + f64::from(previous) * share) / (f64::from(WINDOW) / 10.0)
    }
}

/// Thirteen years fit.
fn tenths(nanos: u64) -> u32 {
    u32::try_from(nanos / TENTHS).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn what_comes_evenly_is_told_exactly() {
        let mut pace = Pace::default();
        for quarter in 0..400 {
            pace.count(quarter * SECOND / 4);
            if quarter >= 80 && quarter % 40 == 39 {
                assert_eq!(pace.rate((quarter + 1) * SECOND / 4), 4.0, "{quarter}");
            }
        }
        assert!((pace.rate(105 * SECOND) - 2.0).abs() < 0.001);
    }

    #[test]
    fn who_rests_is_forgotten() {
        let mut pace = Pace::default();
        (0..50).for_each(|_| pace.count(3 * SECOND));
        assert_eq!(pace.rate(3 * SECOND), 5.0);
        assert_eq!(pace.rate(9 * SECOND), 5.0);
        assert_eq!(pace.rate(15 * SECOND), 2.5);
        assert_eq!(pace.rate(20 * SECOND), 0.0);
        pace.count(40 * SECOND);
        assert_eq!(pace.rate(40 * SECOND), 0.1);
    }

    #[test]
    fn it_takes_little() {
        assert_eq!(size_of::<Pace>(), 12);
    }
}
