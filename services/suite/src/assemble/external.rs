//! Where segmenters run that were published.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sextant_plugin_host::{Allowance, Hosts};
use sextant_runtime::config::{self, Config, Sandbox, StoreKind};
use sextant_runtime::lifecycle::BoxError;
use sextant_segmentation::{Isolation, Replicas, Trust, TrustLevel};

/// What the operator allows them.
pub(super) fn isolation(config: &Config) -> Result<Isolation, BoxError> {
    let plugins = &config.plugins;
    Ok(Isolation {
        hosts: Hosts::of_this_program()?,
        allowance: Allowance {
            memory_mb: plugins.memory_mb,
            longest_call: Duration::from_millis(plugins.call_ms),
            longest_fit: Duration::from_millis(plugins.fit_ms),
            needs_whole_sandbox: plugins.sandbox == Sandbox::Whole,
            ..Allowance::default()
        },
        trust: Trust {
            level: match plugins.trust {
                config::Trust::Open => TrustLevel::Open,
                config::Trust::Digest => TrustLevel::Digest,
                config::Trust::Signed => TrustLevel::Signed,
            },
            file: plugins.trust_file.clone(),
        },
        token_dir: plugins.token_dir.clone(),
        watched_dir: plugins.watched_dir.clone(),
        replicas: match config.store.kind {
            StoreKind::Embedded => Replicas::Alone,
            StoreKind::Postgres => Replicas::Several,
        },
    })
}

/// The shared objects of a folder, by name.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, BoxError> {
    let unreadable = |error| {
        format!(
            "directory \"{}\" (plugins.watched_dir): {error}",
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
