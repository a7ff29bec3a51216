//! The whole program as its users meet it: real processes, real engines, and nothing but the command line and the API.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what it has measured"
)]

mod again;
mod away;
mod backup;
mod boundaries;
mod compared;
mod creations;
mod doors;
mod files;
mod guide;
mod imports;
mod installation;
mod isolation;
mod kill;
mod late;
mod measured;
mod modes;
mod oracle;
mod partial;
mod pauses;
mod plugins;
mod process;
mod published;
mod readiness;
mod records;
mod refusals;
mod rejects;
mod scikit;
mod scopes;
mod seats;
mod story;
mod sums;
mod tenants;
mod traces;
mod transcripts;
mod world;
mod zones;

use std::path::PathBuf;

/// The program as it is released, with the built-in segmenters beside it. Where it is named, it is driven instead of the one that
/// cargo builds for the tests, and worlds have the sizes that the product promises; else they are small.
pub(crate) fn released() -> Option<PathBuf> {
    std::env::var_os("SEXTANT_TEST_PROGRAM").map(PathBuf::from)
}
