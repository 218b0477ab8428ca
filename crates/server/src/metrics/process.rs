//! The process, as the operating system sees it, under the names that Prometheus gives to it everywhere.
//!
//! Where there is no `/proc`, the families are without samples.

use std::fmt;
use std::fs;

use super::page::{PLAIN, Page};

/// Clock ticks in a second, as `/proc` counts them for programs, whatever the kernel's own are (proc(5), time(7)).
const TICKS: f64 = 100.0;

/// What is known of the process.
#[derive(Debug, Default, PartialEq)]
struct Process {
    resident: Option<u64>,
    virtual_size: Option<u64>,
    threads: Option<u64>,
    open_files: Option<u64>,
    file_limit: Option<u64>,
    /// Seconds.
    cpu: Option<f64>,
    /// In seconds since 1970.
    start: Option<f64>,
}

impl Process {
    fn read() -> Self {
        Self {
            open_files: open_files(),
            file_limit: rlimit::getrlimit(rlimit::Resource::NOFILE).ok().map(|(soft, _)| soft),
            ..Self::parse(&text("/proc/self/status"), &text("/proc/self/stat"), &text("/proc/stat"))
        }
    }

    /// Reads `/proc/self/status`, `/proc/self/stat` and `/proc/stat`.
    fn parse(status: &str, stat: &str, system: &str) -> Self {
        let kib = |name| Some(number(status, name)? * 1024);
        // The second field is the program's name in parentheses, which may hold anything.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        // Counted from the third, which is the first of these.
        let ticks = |place: usize| Some(fields.get(place - 3)?.parse::<u64>().ok()? as f64 / TICKS);
        Self {
            resident: kib("VmRSS:"),
            virtual_size: kib("VmSize:"),
            threads: number(status, "Threads:"),
            cpu: ticks(14).zip(ticks(15)).map(|(user, system)| user + system),
            start: ticks(22).zip(number(system, "btime")).map(|(since, boot)| boot as f64 + since),
            ..Self::default()
        }
    }
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The number behind a name at the start of a line.
fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn open_files() -> Option<u64> {
    let directory = "/proc/self/fd";
    // Linux 6.2 and later say it at once; to read the names of 20,000 files takes milliseconds, in which a worker does nothing else.
    match fs::metadata(directory).ok()?.len() {
        0 => Some(fs::read_dir(directory).ok()?.count() as u64),
        count => Some(count),
    }
}

/// What the process uses, without what takes longer to find out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Resident memory, in bytes.
    pub(crate) memory: Option<u64>,
    /// Seconds of a processor, since the start.
    pub(crate) cpu: Option<f64>,
}

impl Usage {
    pub(crate) fn read() -> Self {
        let Process { resident, cpu, .. } =
            Process::parse(&text("/proc/self/status"), &text("/proc/self/stat"), "");
        Self { memory: resident, cpu }
    }
}

pub(super) fn write(page: &mut Page<'_>) -> fmt::Result {
    let process = Process::read();
    let plain = |value: Option<u64>| value.map(|value| (PLAIN, value));
    page.gauges("process_resident_memory_bytes", "Resident memory of the process", plain(process.resident))?;
    page.gauges(
        "process_virtual_memory_bytes",
        "Virtual memory of the process",
        plain(process.virtual_size),
    )?;
    page.gauges("process_threads", "Threads of the process", plain(process.threads))?;
    page.gauges("process_open_fds", "File descriptors that are open", plain(process.open_files))?;
    page.gauges("process_max_fds", "File descriptors that may be open", plain(process.file_limit))?;
    let cpu = process.cpu.map(|seconds| (PLAIN, seconds));
    page.counters("process_cpu_seconds_total", "Processor time that the process has used", cpu)?;
    let start = process.start.map(|seconds| (PLAIN, seconds));
    page.gauges("process_start_time_seconds", "When the process started, in seconds since 1970", start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_moves_no_field() {
        let status = "Name:\ta b) c\nVmSize:\t  20 kB\nVmRSS:\t   8 kB\nThreads:\t3\n";
        let numbers: Vec<String> = (4..=52).map(|place| (place * 100).to_string()).collect();
        let stat = format!("7 (a b) c) S {}", numbers.join(" "));
        let process = Process::parse(status, &stat, "cpu 1 2\nbtime 1000\n");
        let expected = Process {
            resident: Some(8192),
            virtual_size: Some(20_480),
            threads: Some(3),
            cpu: Some(14.0 + 15.0),
            start: Some(1000.0 + 22.0),
            ..Process::default()
        };
        assert_eq!(process, expected);
        assert_eq!(Process::parse("", "7 (x", "cpu"), Process::default());
    }

    #[test]
    fn this_process_is_known() {
        let Process { resident, threads, open_files, file_limit, start, .. } = Process::read();
        assert!(resident > Some(0) && threads > Some(0) && start > Some(0.0));
        assert!(open_files > Some(0) && open_files < file_limit);
        let Usage { memory, cpu } = Usage::read();
        assert!(memory > Some(0) && cpu >= Some(0.0));
    }
}
