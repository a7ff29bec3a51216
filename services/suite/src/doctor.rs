//! What may keep an installation from working, each with its fix.
//!
//! Checked here is what needs no store: directories, ports, segmenters, the clock. What only a store can tell comes from
//! [`crate::installation::Installation::checks`].

pub mod stores;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use sextant_domain::time::{Day, Instant};
use sextant_runtime::config::{Config, StoreKind};

use crate::output::format::day_of;
use crate::output::{Block, Cell, Column};

/// The built-in segmenters' files.
const SEGMENTERS: [&str; 3] = [
    "libsextant_segmenter_lifecycle.so",
    "libsextant_segmenter_rfm.so",
    "libsextant_segmenter_value_tiers.so",
];
/// 2026-01-01: a clock that stands before this program was written is wrong.
const WRITTEN_ON: Day = Day(20_454);

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Works, but look at it.
    Warning,
    /// Does not work.
    Failed,
}

impl Verdict {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// One check and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked, such as "data directory".
    pub check: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// How to mend it; empty where nothing is broken.
    pub fix: String,
}

impl Finding {
    /// As it should be.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Ok,
            found: found.into(),
            fix: String::new(),
        }
    }

    /// Works, but look at it.
    pub fn warning(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Warning,
            found: found.into(),
            fix: fix.into(),
        }
    }

    /// Does not work.
    pub fn failed(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Failed,
            found: found.into(),
            fix: fix.into(),
        }
    }
}

/// Checks what needs no store.
#[must_use]
pub fn local_checks(config: &Config, now: Instant) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.store.kind == StoreKind::Embedded {
        findings.push(data_dir(&config.store.data_dir));
    }
    findings.push(port("gRPC port", "server.listen", config.server.listen));
    findings.push(port(
        "admin port",
        "server.admin_listen",
        config.server.admin_listen,
    ));
    findings.push(segmenters(
        config
            .plugins
            .builtin_dir
            .clone()
            .or_else(beside_the_binary),
    ));
    findings.push(clock(now));
    findings
}

fn data_dir(directory: &Path) -> Finding {
    const CHECK: &str = "data directory";
    let shown = directory.display();
    match std::fs::metadata(directory) {
        Ok(found) if !found.is_dir() => Finding::failed(
            CHECK,
            format!("{shown} is no directory"),
            "name a directory as store.data_dir",
        ),
        Ok(found) if found.permissions().readonly() => Finding::failed(
            CHECK,
            format!("{shown} cannot be written"),
            "make it writable for the user that runs Sextant",
        ),
        Ok(_) => Finding::ok(CHECK, shown.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::ok(
            CHECK,
            format!("{shown} does not exist yet and is made on the first start"),
        ),
        Err(error) => Finding::failed(
            CHECK,
            format!("{shown}: {error}"),
            "mend the path or name another as store.data_dir",
        ),
    }
}

fn port(check: &'static str, key: &str, address: SocketAddr) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(check, format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::warning(
            check,
            format!("{address} is in use"),
            format!(
                "fine if Sextant runs there; otherwise stop what does, or set {key} to another address"
            ),
        ),
        Err(error) => Finding::failed(
            check,
            format!("{address}: {error}"),
            format!("set {key} to an address of this machine"),
        ),
    }
}

fn beside_the_binary() -> Option<PathBuf> {
    std::env::current_exe().ok()?.parent().map(Path::to_owned)
}

fn segmenters(directory: Option<PathBuf>) -> Finding {
    const CHECK: &str = "built-in segmenters";
    let fix = "build them with `cargo build`, or name their directory as plugins.builtin_dir";
    let Some(directory) = directory else {
        return Finding::failed(CHECK, "the directory of the binary is unknown", fix);
    };
    let missing: Vec<&str> = SEGMENTERS
        .into_iter()
        .filter(|file| !directory.join(file).is_file())
        .collect();
    if missing.is_empty() {
        return Finding::ok(
            CHECK,
            format!("{} in {}", SEGMENTERS.len(), directory.display()),
        );
    }
    Finding::failed(
        CHECK,
        format!("{} lacks {}", directory.display(), missing.join(", ")),
        fix,
    )
}

fn clock(now: Instant) -> Finding {
    let today = day_of(now);
    if today < WRITTEN_ON {
        let found = format!("it is {today} here, before this program was written");
        return Finding::failed("clock", found, "set the machine's clock, best by NTP");
    }
    Finding::ok("clock", format!("{today} (UTC)"))
}

/// All findings, the worst verdict decides about the exit code.
#[must_use]
pub fn block(findings: &[Finding]) -> Block {
    let columns = vec![
        Column::left("check", "Check"),
        Column::left("verdict", "Verdict"),
        Column::prose("found", "Found"),
        Column::prose("fix", "Fix"),
    ];
    let mut block = Block::new("checks", "What this installation needs", columns);
    for finding in findings {
        block.rows.push(vec![
            Cell::text(finding.check),
            Cell::text(finding.verdict.as_str()),
            Cell::text(finding.found.clone()),
            Cell::text(finding.fix.clone()),
        ]);
    }
    block
}

#[cfg(test)]
mod tests;
