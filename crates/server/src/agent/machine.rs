//! This machine, as the operating system tells of it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use sysinfo::{Disks, Networks, System};

/// What a machine does, and what of it is taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figures {
    cores: usize,
    /// The part of all cores that is in use, from 0 to 1.
    cpu: f64,
    /// Processes that run or wait to, on the mean of 1, 5 and 15 minutes.
    load: [f64; 3],
    memory: Share,
    swap: Share,
    network: Traffic,
    /// The one with the root directory, or with the working directory where there is none.
    disk: Share,
    /// Since it started, in seconds.
    uptime_s: u64,
}

/// What is taken of something, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Share {
    used: u64,
    total: u64,
}

/// Bytes in a second through all interfaces but the loopback.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
struct Traffic {
    received_per_s: f64,
    sent_per_s: f64,
}

/// Looks at the machine again and again: what is a rate is one since the look before.
pub(crate) struct Machine {
    system: System,
    networks: Networks,
    disks: Disks,
    looked_at: Instant,
}

impl Machine {
    /// The first look, from which the first rates count.
    ///
    /// # Errors
    /// Where this operating system tells nothing.
    pub(crate) fn new() -> Result<Self, String> {
        let untold = |error: sysinfo::Error| format!("this machine cannot be looked at: {error}");
        let mut system = System::new().map_err(untold)?;
        system.refresh_cpu_usage();
        Ok(Self {
            system,
            networks: Networks::new_with_refreshed_list().map_err(untold)?,
            disks: Disks::new_with_refreshed_list().map_err(untold)?,
            looked_at: Instant::now(),
        })
    }

    /// The machine's name.
    pub(crate) fn name() -> String {
        System::host_name().ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".into())
    }

    /// The machine since the last look. Rates need some time in between: 200 ms at least.
    pub(crate) fn look(&mut self) -> Figures {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.networks.refresh(true);
        self.disks.refresh(true);
        let passed = self.looked_at.elapsed();
        self.looked_at += passed;
        let load = System::load_average().ok().unwrap_or_default();
        Figures {
            cores: self.system.cpus().len(),
            cpu: f64::from(self.system.global_cpu_usage().clamp(0.0, 100.0)) / 100.0,
            load: [load.one, load.five, load.fifteen],
            memory: Share { used: self.system.used_memory(), total: self.system.total_memory() },
            swap: Share { used: self.system.used_swap(), total: self.system.total_swap() },
            network: self.traffic(passed),
            disk: self.disk(),
            uptime_s: System::uptime().unwrap_or_default(),
        }
    }

    fn traffic(&self, passed: Duration) -> Traffic {
        let outside = || self.networks.iter().filter(|(name, _)| **name != "lo" && **name != "lo0");
        let per_second = |bytes: u64| bytes as f64 / passed.as_secs_f64().max(0.001);
        Traffic {
            received_per_s: per_second(outside().map(|(_, data)| data.received()).sum()),
            sent_per_s: per_second(outside().map(|(_, data)| data.transmitted()).sum()),
        }
    }

    fn disk(&self) -> Share {
        let here = std::env::current_dir().unwrap_or_default();
        let holds = |path: &Path| {
            let holding = self.disks.iter().filter(|disk| path.starts_with(disk.mount_point()));
            holding.max_by_key(|disk| disk.mount_point().components().count())
        };
        let disk = holds(Path::new("/")).or_else(|| holds(&here));
        disk.map_or(Share::default(), |disk| Share {
            used: disk.total_space().saturating_sub(disk.available_space()),
            total: disk.total_space(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_that_runs_the_tests_has_cores_and_memory() {
        let mut machine = Machine::new().unwrap();
        let figures = machine.look();
        assert!(figures.cores > 0);
        assert!((0.0..=1.0).contains(&figures.cpu));
        assert!(figures.memory.used > 0 && figures.memory.used <= figures.memory.total);
        assert!(figures.disk.used <= figures.disk.total);
        assert!(figures.network.received_per_s >= 0.0 && figures.network.sent_per_s >= 0.0);
        assert!(!Machine::name().is_empty());
    }
}
