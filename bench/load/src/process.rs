//! The server's process as the operating system accounts for it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// A process by its id.
#[derive(Clone, Copy)]
pub(crate) struct Process(pub u32);

impl Process {
    /// User and system time of all its threads. In nanoseconds where the kernel keeps scheduler statistics (threads
    /// that ended are missing then), otherwise in ticks of 10 ms.
    pub(crate) fn cpu(self) -> Result<Duration> {
        match self.scheduled() {
            Some(time) if !time.is_zero() => Ok(time),
            _ => self.ticks(),
        }
    }

    fn scheduled(self) -> Option<Duration> {
        let mut total = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.0)).ok()? {
            let line = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            total += line.split_whitespace().next()?.parse::<u64>().ok()?;
        }
        Some(Duration::from_nanos(total))
    }

    fn ticks(self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.0);
        let line = fs::read_to_string(&path)
            .with_context(|| format!("reading {path}: is the server still there?"))?;
        // The name may hold spaces; the fields after its closing parenthesis start with the third, so `utime` and
        // `stime`, the 14th and 15th, are number 11 and 12 here.
        let fields = line.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>())
            .sum::<Result<u64, _>>();
        let per_second = rustix::param::clock_ticks_per_second();
        Ok(Duration::from_secs(1) * ticks.with_context(|| format!("times in {path}"))? as u32
            / per_second as u32)
    }

    /// Proportional set size in bytes: its memory, with shared pages counted in part.
    pub(crate) fn pss(self) -> Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.0);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Pss:"))
            .with_context(|| format!("no Pss in {path}"))?;
        let kilobytes: u64 =
            line.trim().trim_end_matches("kB").trim().parse().with_context(|| format!("Pss in {path}"))?;
        Ok(kilobytes * 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_agree_about_this_process() {
        let this = Process(std::process::id());
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_millis(300) {
            std::hint::black_box(0);
        }
        let (fine, coarse) = (this.cpu().expect("cpu"), this.ticks().expect("ticks"));
        assert!(coarse >= Duration::from_millis(50), "{coarse:?}");
        assert!(fine.abs_diff(coarse) < Duration::from_millis(100), "{fine:?} and {coarse:?}");
        assert!(this.pss().expect("pss") > 100_000);
    }
}
