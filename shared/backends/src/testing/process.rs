//! Programs that a fixture starts.

#![expect(
    clippy::panic,
    reason = "a fixture that cannot be set up fails the test that needs it"
)]

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The user that servers run as where tests run as root, which PostgreSQL refuses.
const SERVER_USER: &str = "postgres";

/// A setting of the test run.
#[expect(
    clippy::disallowed_methods,
    reason = "a fixture of tests, not a part of the product"
)]
pub(super) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The path of a program, on the search path or in one of the other places.
///
/// # Panics
/// It is not installed.
pub(super) fn program(name: &str, package: &str, elsewhere: &[PathBuf]) -> PathBuf {
    let path = setting("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(elsewhere.iter().cloned())
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!("\"{name}\" is not installed: install the package {package} (tests/install does)")
    })
}

/// A command that runs as the server user if the tests run as root.
pub(super) fn as_server_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid",
            SERVER_USER,
            "--regid",
            SERVER_USER,
            "--init-groups",
            "--",
        ])
        .arg(program);
    command
}

/// Makes a folder the server user's own.
pub(super) fn give_to_server_user(folder: &Path) {
    if is_root() {
        run(Command::new("chown").arg(SERVER_USER).arg(folder));
    }
}

fn is_root() -> bool {
    let output = run(Command::new("id").arg("-u"));
    output.stdout.trim_ascii() == b"0"
}

/// Runs a command to its end.
///
/// # Panics
/// It cannot be started or fails.
pub(super) fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    if !output.status.success() {
        panic!(
            "{command:?} failed: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    output
}

/// A shell that waits for this process to end, however it ends, and then stops a server and removes its folder.
#[derive(Debug)]
pub(super) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// `stop` is a shell command; it and `folder` are given over.
    pub(super) fn watch(stop: &str, folder: &Path) -> Self {
        // The read ends when the writing end of the pipe, which only this process holds, is closed.
        let script = format!("read -r _; {stop}; rm -rf \"$0\"");
        let shell = Command::new("sh")
            .arg("-c")
            .arg(script)
            .arg(folder)
            // A signal to the group of the tests (an interrupt from the keyboard) must not end it before its work.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("\"sh\" cannot be started: {error}"));
        Self { shell }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        if let Err(error) = self.shell.wait() {
            panic!("the watchdog of a test server is lost: {error}");
        }
    }
}
