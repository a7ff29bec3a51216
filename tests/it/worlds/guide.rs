//! The guide for authors of segmenters, followed word for word.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::worlds::process::program_path;
use crate::worlds::records::{accept, account, at, event, subscription};
use crate::worlds::world::{Shape, World, tenant};

/// What introduces a command that goes on.
const OWN_TERMINAL: &str = "In a terminal of its own:";

/// The commands below a heading of a README, as one script.
pub(crate) fn script(readme: &str, heading: &str) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(readme);
    let guide = fs::read_to_string(guide).unwrap();
    let (_, section) = guide.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut script = "set -euo pipefail\n".to_owned();
    let mut rest = section;
    while let Some((before, block)) = rest.split_once("```sh\n") {
        let (block, after) = block.split_once("```").unwrap();
        if before.trim_end().ends_with(OWN_TERMINAL) {
            // The next commands are for who sees that it serves.
            script += &format!("cat >serve.sh <<'END'\n{block}END\n");
            script += "setsid bash -e serve.sh >served 2>&1 &\nserver=$!\n";
            script += "trap 'kill -9 -- -$server' EXIT\n";
            script += "until [ -s served ]; do sleep 0.1; kill -0 $server; done\n";
        } else {
            script += block;
        }
        rest = after;
    }
    script
}

/// A service with accounts of ten to a hundred seats, and a folder in which the commands of a heading are run.
async fn follow(heading: &str) -> String {
    let world = World::start(Shape::Embedded).await;
    let client = tenant(&world.client(), "guide", at("2026-02-01T12:00")).await;
    let time = at("2026-01-20T08:00");
    let accounts = (1..=10).flat_map(|n| {
        let name = format!("account-{n}");
        // Eight of ten seats are in use, or one.
        let users = if n == 1 { 0..8 } else { 0..1 };
        let mut records: Vec<_> = users
            .map(|user| event(&name, &format!("user-{user}"), time))
            .collect();
        records.push(account(&name, time));
        records.push(subscription(&name, time, 10 * n, 1_000));
        records
    });
    accept(&client, accounts.collect()).await;
    let folder = tempfile::tempdir().unwrap();
    let script = script("plugins/README.md", heading);
    shell(&script, folder.path(), |shell| {
        shell
            .env_remove("CARGO_TARGET_DIR")
            .env("SEXTANT_ADDRESS", &world.addresses().segmentation)
            .env("SEXTANT_KEY", world.key().expose())
            .env("SEXTANT_TENANT", "guide");
    })
}

/// Runs a script in a folder to its end and gives what it printed. The program is called as its users call it.
pub(crate) fn shell(script: &str, folder: &Path, prepare: impl FnOnce(&mut Command)) -> String {
    let own = tempfile::tempdir().unwrap();
    symlink(program_path(), own.path().join("sextant")).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path = format!("{}:{}", own.path().display(), path.to_str().unwrap());
    let mut shell = Command::new("bash");
    shell
        .args(["-c", script])
        .current_dir(folder)
        .env("PATH", path)
        .stdin(Stdio::null());
    prepare(&mut shell);
    let output = shell.output().unwrap();
    let (said, told) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}\n{told}");
    said
}

#[tokio::test]
async fn the_guide_for_rust_leads_from_nothing_to_a_model_that_was_taken_back() {
    let said = follow("A segmenter in 15 minutes, in Rust").await;
    assert!(said.contains("120 seats; large starts at 50"), "{said}");
    // Of ten accounts those with 20, 30 and 40 seats would move.
    for told in ["30.0 %", "rolled_back", "twenty is large", "1.1.0"] {
        assert!(said.contains(told), "{told}: {said}");
    }
}

#[tokio::test]
async fn the_guide_for_python_leads_from_nothing_to_a_server_that_judges_accounts() {
    let said = follow("A segmenter in 15 minutes, in Python").await;
    let counted = |segment: &str, accounts: &str| {
        let lines = said.lines().filter(|line| line.contains(segment));
        let mut words = lines.flat_map(str::split_whitespace);
        assert!(words.any(|word| word == accounts), "{segment}: {said}");
    };
    assert!(said.contains("remote"), "{said}");
    counted("High potential", "1");
    counted("Low potential", "9");
}
