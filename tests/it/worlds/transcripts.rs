//! What README and the demo suggest to type works, word for word.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use sextant::installation::Role;

use crate::worlds::process::{Process, free_address, program_path, run, segmenters};

const README: &str = include_str!("../../../README.md");
/// Stands for the rest of a line, or alone for any lines.
const ANY: &str = "…";
/// Ends the output of a command.
const END: &str = "=== end of the command ===";

/// Runs lines in a shell, as a person would in that folder.
fn shell(lines: &str, folder: &Path, address: &str) -> Output {
    let path = std::env::var_os("PATH").unwrap();
    let mut shell = Command::new("bash");
    shell
        .env_clear()
        .env("PATH", path)
        .env("SEXTANT_SERVER__LISTEN", address)
        .current_dir(folder);
    shell.args(["-c", lines]).output().unwrap()
}

/// The commands of a transcript, each with what it prints.
fn commands(transcript: &str) -> Vec<(String, Vec<&str>)> {
    let mut commands: Vec<(String, Vec<&str>)> = Vec::new();
    for line in transcript.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push((command.to_owned(), Vec::new()));
        } else if let (Some(more), Some((command, _))) =
            (line.strip_prefix("> "), commands.last_mut())
        {
            command.push('\n');
            command.push_str(more);
        } else {
            commands.last_mut().unwrap().1.push(line);
        }
    }
    commands
}

/// Whether lines are as a transcript shows them.
fn are(shown: &[&str], printed: &[&str]) -> bool {
    let Some((first, rest)) = shown.split_first() else {
        return printed.is_empty();
    };
    if first.trim() == ANY {
        return (0..=printed.len()).any(|skipped| are(rest, &printed[skipped..]));
    }
    let is = |line: &&str| match first.strip_suffix(ANY) {
        Some(beginning) => line.starts_with(beginning.trim_end()),
        None => line == first,
    };
    printed.first().is_some_and(is) && are(rest, &printed[1..])
}

#[test]
fn a_transcript_is_told_from_another() {
    assert!(are(&["a", " …", "z"], &["a", "b", "c", "z"]));
    assert!(are(&["a …"], &["a b"]));
    for (shown, printed) in [
        (&["a"][..], &["a", "b"][..]),
        (&["a", "b"], &["a"]),
        (&["a", "…", "z"], &["a", "b"]),
        (&["b…"], &["a b"]),
    ] {
        assert!(!are(shown, printed), "{shown:?} {printed:?}");
    }
}

#[test]
fn the_walk_through_own_data_in_readme_prints_what_readme_shows() {
    let (_, section) = README.split_once("## Your own data\n").unwrap();
    let transcript = section.split("```\n").nth(1).unwrap();
    let commands = commands(transcript);
    assert!(commands.len() > 5);

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Where cargo would put it.
    fs::create_dir_all(folder.join("target/release")).unwrap();
    symlink(program_path(), folder.join("target/release/sextant")).unwrap();
    let address = free_address().to_string();
    let settings = [
        format!("store.data_dir={}", folder.join("data").display()),
        format!("plugins.builtin_dir={}", segmenters().display()),
        format!("server.listen={address}"),
        format!("server.admin_listen={}", free_address()),
        "server.drain_notice_ms=0".to_owned(),
        "telemetry.log_format=json".to_owned(),
    ];
    // The reader has run the demo in this folder before.
    let demo = [
        "demo",
        "--exit",
        "--quiet",
        "--dataset",
        "saas",
        "--accounts",
        "12",
        "--months",
        "3",
    ];
    let shown = run(&settings, &demo);
    let told = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success(), "{told}");
    let mut process = Process::serve(Role::All, &settings);

    let lines: Vec<String> = commands
        .iter()
        .map(|(command, _)| format!("{command}\necho '{END}'\n"))
        .collect();
    let output = shell(
        &format!("set -e -o pipefail\n{}", lines.concat()),
        folder,
        &address,
    );
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), told.as_str()), (Some(0), ""));
    let printed = String::from_utf8(output.stdout).unwrap();
    let end = format!("{END}\n");
    let printed: Vec<&str> = printed.split_terminator(end.as_str()).collect();
    assert_eq!(printed.len(), commands.len());
    for ((command, shown), printed) in commands.iter().zip(printed) {
        let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
        assert!(are(shown, &lines), "{command}\nprints\n{printed}");
    }
    process.end();
}

/// Runs what a demo suggests when it serves.
fn suggestions_of(dataset: &str) {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        "store.data_dir=data".to_owned(),
        format!("plugins.builtin_dir={}", segmenters().display()),
        format!("server.listen={}", free_address()),
        format!("server.admin_listen={}", free_address()),
        "server.drain_notice_ms=0".to_owned(),
    ];
    let arguments = ["--dataset", dataset, "--accounts", "12", "--months", "3"];
    let (mut process, told) = Process::demo(&arguments, folder.path(), &settings);
    let (_, suggested) = told.split_once("Try next, ").unwrap();
    let (export, commands) = suggested
        .split_once('\n')
        .unwrap()
        .1
        .split_once('\n')
        .unwrap();
    let commands: Vec<&str> = commands.lines().collect();
    assert_eq!(commands.len(), 3, "{told}");
    for command in commands {
        let output = shell(
            &format!("{export}\n{command}"),
            folder.path(),
            "127.0.0.1:1",
        );
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{dataset}: {command}: {complaint}"
        );
        assert!(
            output.stdout.len() > 100,
            "{dataset}: {command} prints nothing"
        );
    }
    process.end();
}

#[test]
fn every_command_that_the_demo_of_the_company_suggests_works() {
    suggestions_of("saas");
}

#[test]
fn every_command_that_the_demo_of_the_log_suggests_works() {
    suggestions_of("cdnow");
}

#[test]
fn every_command_that_the_demo_of_both_suggests_works() {
    suggestions_of("all");
}
