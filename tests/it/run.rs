//! What `tests/run` does with its time.

use std::path::Path;
use std::process::Command;

#[test]
fn a_run_that_takes_too_long_fails_on_a_machine_of_ci_only() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("run");
    let text = std::fs::read_to_string(script).unwrap();
    let (_, rest) = text.split_once("keep_to_the_budget() {").unwrap();
    let (body, _) = rest.split_once("\n}\n").unwrap();
    for (seconds, ci, passes) in [
        (10, "true", true),
        (11, "true", false),
        (11, "", true),
        (11, "false", true),
    ] {
        let run =
            format!("set -euo pipefail\nBUDGET_S=10 SECONDS={seconds}\nkept() {{{body}\n}}\nkept");
        let output = Command::new("bash")
            .args(["-c", &run])
            .env("CI", ci)
            .output()
            .unwrap();
        assert_eq!(output.status.success(), passes, "{seconds} s, CI={ci}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(told.contains("the run took 11 s"), seconds == 11, "{told}");
    }
}
