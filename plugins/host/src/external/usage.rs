//! What a process takes of its machine, as the kernel tells it.

use std::fs;

/// What a process takes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// Memory that it holds, in bytes.
    pub resident_bytes: u64,
    /// Memory that the kernel holds to tell where its memory is, in bytes.
    pub table_bytes: u64,
    /// Memory of its own that it holds, in bytes.
    pub touched_bytes: u64,
    /// Memory of its own that it has asked for, whether it holds it or not, in bytes.
    pub data_bytes: u64,
    /// The most that it has held, in bytes.
    pub peak_bytes: u64,
    /// Its threads.
    pub threads: u64,
    /// Processor time that it has used, in milliseconds.
    pub processor_ms: f64,
}

/// How many files, sockets and the like a process has open; `None`: this process may not look.
pub(super) fn open_files(process: u32) -> Option<u64> {
    let open = fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    Some(open.count() as u64)
}

impl Usage {
    pub(super) fn of(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        // Behind the name in brackets, the twelfth and thirteenth number are the time on a processor of all its threads, also of those
        // that have ended, in ticks of ten milliseconds.
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let (_, numbers) = stat.rsplit_once(')')?;
        let ticks = numbers.split_whitespace().skip(11).take(2);
        let ticks = ticks
            .map(str::parse::<u32>)
            .collect::<Result<Vec<_>, _>>()
            .ok()?;
        Some(Self {
            resident_bytes: number("VmRSS:")? << 10,
            table_bytes: number("VmPTE:")? << 10,
            touched_bytes: number("RssAnon:")? << 10,
            data_bytes: number("VmData:")? << 10,
            peak_bytes: number("VmHWM:")? << 10,
            threads: number("Threads:")?,
            processor_ms: ticks.into_iter().map(f64::from).sum::<f64>() * 10.0,
        })
    }
}
