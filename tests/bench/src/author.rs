//! What an author of segmenters waits for: compiling from nothing, and the whole check.

use std::path::Path;
use std::process::{Command, Stdio};

use tokio::time::Instant;

use crate::program::{scratch, sextant};
use crate::report::{Report, Row, Target};

/// Runs a command to its end, which has to be a good one; seconds.
fn timed(command: &mut Command) -> f64 {
    let began = Instant::now();
    let ended = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let took = began.elapsed().as_secs_f64();
    let status = ended.unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    assert!(status.success(), "{command:?}: {status}");
    took
}

/// A segmenter as `plugin new` makes it, compiled from nothing in release, and every test of the check of it.
fn once(folder: &Path) -> [f64; 2] {
    let named = ["plugin", "new", "team_size", "--id", "acme.team_size"];
    timed(Command::new(sextant()).args(named).current_dir(folder));
    let own = folder.join("team_size");
    let mut build = Command::new("cargo");
    build
        .args(["build", "--release", "--quiet"])
        .current_dir(&own)
        .env_remove("CARGO_TARGET_DIR");
    let compiled = timed(&mut build);
    let mut check = Command::new(sextant());
    check
        .args(["plugin", "check", "target/release/libteam_size.so"])
        .current_dir(&own);
    [compiled, timed(&mut check)]
}

/// Measures both.
pub(crate) fn measure(report: &mut Report, n_rounds: usize) {
    let mut measured: [Vec<f64>; 2] = Default::default();
    for _ in 0..n_rounds {
        let folder = scratch();
        for (values, value) in measured.iter_mut().zip(once(folder.path())) {
            values.push(value);
        }
    }
    let [compiled, checked] = measured;
    let most = Target::AtMost;
    let from_nothing = Row::new(
        "a new segmenter in Rust, compiled from nothing",
        "s",
        compiled,
    );
    report.add(from_nothing.should_be(most(15.0)));
    report.add(Row::new("the whole check of it", "s", checked).should_be(most(30.0)));
}
