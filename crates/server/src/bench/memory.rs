//! The memory of a process on this machine.

use std::fs;

/// The memory of a process in bytes, a page that several processes share counting in part (Linux: `Pss` of
/// `/proc/PID/smaps_rollup`).
///
/// # Errors
/// When there is no such process, or this user may not look at it.
pub(super) fn of(pid: u32) -> Result<u64, String> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).map_err(|e| format!("--pid {pid}: {path}: {e}"))?;
    pss(&text).ok_or_else(|| format!("--pid {pid}: {path} names no Pss; is the process still there?"))
}

fn pss(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proportional_size_is_read() {
        let rollup =
            "55d-7ff ---p 00000000 00:00 0 [rollup]\nRss:   9 kB\nPss:            1234 kB\nPss_Dirty: 5 kB\n";
        assert_eq!(pss(rollup), Some(1234 * 1024));
        assert_eq!(pss("Rss: 9 kB\n"), None);
        assert_eq!(pss(""), None);
    }
}
