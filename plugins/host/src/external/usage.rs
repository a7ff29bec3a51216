//! What a process takes of its machine, as the kernel tells it.

use std::fs;

/// What a process takes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// Memory that it holds, in bytes.
    pub resident_bytes: u64,
    /// The most that it has held, in bytes.
    pub peak_bytes: u64,
    /// Its threads.
    pub threads: u64,
    /// Processor time that it has used, in milliseconds.
    pub processor_ms: f64,
}

impl Usage {
    pub(super) fn of(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        // Its first number is the time on a processor, in nanoseconds; of each thread.
        let mut processor_ns = 0;
        for thread in fs::read_dir(format!("/proc/{process}/task")).ok()? {
            let schedule = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            processor_ns += schedule.split(' ').next()?.parse::<u64>().ok()?;
        }
        Some(Self {
            resident_bytes: number("VmRSS:")? << 10,
            peak_bytes: number("VmHWM:")? << 10,
            threads: number("Threads:")?,
            processor_ms: processor_ns as f64 / 1e6,
        })
    }
}
