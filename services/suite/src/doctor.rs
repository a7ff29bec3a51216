//! What may keep an installation from working, each with its fix.
//!
//! Checked here is what needs no store: directories, ports, the services of other processes, segmenters, the clock. What only a store can tell comes from
//! [`crate::installation::Installation::checks`].

mod ports;
mod services;
pub mod stores;

use std::io;
use std::path::Path;

use sextant_domain::time::{Day, Instant};
use sextant_plugin_host::Verified;
use sextant_plugin_host::trust::Roots;
use sextant_runtime::config::{Config, Loaded, StoreKind};

use crate::assemble;
use crate::output::format::day_of;
use crate::output::{Block, Cell, Column};

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
pub async fn local_checks(loaded: &Loaded, now: Instant) -> Vec<Finding> {
    let config = &loaded.config;
    let mut findings = Vec::new();
    if config.store.kind == StoreKind::Embedded {
        findings.push(data_dir(&config.store.data_dir));
    }
    if let Err(error) = config.check_exposure() {
        let fix = "listen at 127.0.0.1, or set server.expose to true";
        findings.push(Finding::failed("exposure", error.to_string(), fix));
    }
    findings.push(ports::grpc(config.server.listen).await);
    findings.push(ports::admin(config.server.admin_listen).await);
    findings.extend(services::check(loaded).await);
    findings.push(segmenters(config));
    findings.extend(isolated(config));
    findings.extend(trusted(config));
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

/// What `serve` would load, loaded as it would.
fn segmenters(config: &Config) -> Finding {
    const CHECK: &str = "built-in segmenters";
    let fix = "build them with `cargo build`, or name their directory as plugins.builtin_dir";
    let directory = match assemble::segmenters(config) {
        Ok(directory) => directory,
        Err(error) => return Finding::failed(CHECK, error.to_string(), fix),
    };
    let shown = directory.display();
    let loaded = sextant_plugin_host::discover(&directory);
    let broken: Vec<String> = loaded
        .iter()
        .filter_map(|one| Some(one.as_ref().err()?.to_string()))
        .collect();
    match (loaded.len(), broken.is_empty()) {
        (0, _) => Finding::failed(CHECK, format!("none in {shown}{}", left_alone(config)), fix),
        (all, true) => Finding::ok(CHECK, format!("{all} in {shown}{}", left_alone(config))),
        (_, false) => Finding::failed(
            CHECK,
            broken.join("; "),
            "`sextant serve` refuses to start with these: remove or replace them, or name another directory as plugins.builtin_dir",
        ),
    }
}

/// What `serve` would publish, judged without running it.
fn isolated(config: &Config) -> Option<Finding> {
    const CHECK: &str = "watched segmenters";
    let folder = config.plugins.watched_dir.as_ref()?;
    let fix = "`sextant serve` does not publish these: mend or remove them";
    let files = match assemble::external::files(folder) {
        Ok(files) => files,
        Err(error) => return Some(Finding::failed(CHECK, error.to_string(), fix)),
    };
    let judged = files.iter().map(|file| Verified::read(file));
    let broken: Vec<String> = judged
        .filter_map(|one| Some(one.err()?.to_string()))
        .collect();
    Some(if broken.is_empty() {
        let found = format!("{} in {}", files.len(), folder.display());
        Finding::ok(CHECK, found)
    } else {
        Finding::failed(CHECK, broken.join("; "), fix)
    })
}

/// Whom the installation trusts with segmenters.
fn trusted(config: &Config) -> Option<Finding> {
    const CHECK: &str = "trusted keys";
    let file = config.plugins.trust_file.as_ref()?;
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
    Some(match text.and_then(|text| Roots::parse(&text)) {
        Ok(_read) => Finding::ok(CHECK, file.display().to_string()),
        Err(why) => Finding::failed(
            CHECK,
            format!("{}: {why}", file.display()),
            "mend plugins.trust_file: until then nothing new is taken or loaded, what runs is asked on, and nothing is revoked",
        ),
    })
}

/// What `serve` leaves alone in a directory that is for segmenters; nothing where it loads all there is.
fn left_alone(config: &Config) -> String {
    let directory = config.plugins.builtin_dir.as_deref();
    let others = directory.map(sextant_plugin_host::left_alone);
    let others = others.and_then(Result::ok).unwrap_or_default();
    match others.first().and_then(|path| path.file_name()) {
        Some(first) => format!(
            "; left alone, because segmenters are named libsextant_segmenter_*.so: {} and {} more",
            first.display(),
            others.len() - 1
        ),
        None => String::new(),
    }
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
