//! Segmenters of a folder that run in processes of their own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::{error, info, warn};

use sextant_plugin_host::{Allowance, External, Hosts, LoadError, Plugin, Segmenter, Verified};
use sextant_runtime::config::{Plugins, Sandbox};
use sextant_runtime::lifecycle::BoxError;

/// Starts each of them. One that fails a check is told of and left out: nobody but its own segmentations is harmed by that.
pub(super) fn segmenters(
    config: &Plugins,
    built_in: &[Plugin],
) -> Result<Vec<Segmenter>, BoxError> {
    let Some(folder) = &config.isolated_dir else {
        return Ok(Vec::new());
    };
    let hosts = Hosts::of_this_program()?;
    let mut ids: BTreeSet<String> = built_in
        .iter()
        .map(|one| one.descriptor().id.clone())
        .collect();
    let mut found = Vec::new();
    for path in files(folder)? {
        match start(&hosts, &path, config) {
            Ok(one) if ids.insert(one.descriptor().id.clone()) => {
                let (id, lacks) = (&one.descriptor().id, one.sandbox_lacks().join(", "));
                if lacks.is_empty() {
                    info!(segmenter = id, "runs in a process of its own");
                } else {
                    warn!(
                        segmenter = id,
                        lacks, "runs in a process of its own, without the whole sandbox"
                    );
                }
                found.push(Segmenter::from(one));
            },
            Ok(second) => {
                let id = &second.descriptor().id;
                error!(file = %path.display(), id, "not used: another segmenter has its id");
            },
            Err(refused) => error!("{refused}"),
        }
    }
    Ok(found)
}

fn start(hosts: &Hosts, path: &Path, config: &Plugins) -> Result<External, LoadError> {
    let allowance = Allowance {
        memory_mb: config.memory_mb,
        longest_call: Duration::from_millis(config.call_ms),
        needs_whole_sandbox: config.sandbox == Sandbox::Whole,
        ..Allowance::default()
    };
    External::start(hosts, Verified::read(path)?, allowance)
}

/// The shared objects of a folder, by name.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, BoxError> {
    let unreadable = |error| {
        format!(
            "directory \"{}\" (plugins.isolated_dir): {error}",
            folder.display()
        )
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // What is no file, such as a pipe, has no end to be read to.
        if path.extension().is_some_and(|extension| extension == "so") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
