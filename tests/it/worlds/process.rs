//! The program as a process.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;

use sextant::installation::Role;

use crate::worlds::released;

/// Longest wait for the next line of a program that starts, or of a demo that computes: longer than any machine takes.
const LONGEST_START: Duration = Duration::from_secs(600);

/// A program with a plain environment.
fn plain(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    command
}

/// Where the program is.
pub(crate) fn program_path() -> PathBuf {
    released().unwrap_or_else(|| env!("CARGO_BIN_EXE_sextant-under-test").into())
}

/// The program, without arguments.
pub(crate) fn program() -> Command {
    plain(program_path())
}

/// Where cargo puts the built-in segmenters: beside the program as it is released, and beside the tests.
pub(crate) fn segmenters() -> PathBuf {
    let beside = released().unwrap_or_else(|| std::env::current_exe().unwrap());
    beside.parent().unwrap().to_owned()
}

/// Ports below those that systems give to outgoing connections and to whoever asks for any.
const PORTS: Range<u32> = 10_000..32_768;

/// An address that is free now and stays free for a server that is started there again and again: it is given to nobody else.
pub(crate) fn free_address() -> SocketAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Test programs that run at the same time begin at different ports.
    let first = std::process::id().wrapping_mul(7919);
    for _ in PORTS {
        let next = first.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + next % (PORTS.end - PORTS.start);
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port of {PORTS:?} is free");
}

/// Runs a command to its end. `settings` are pairs for `--set`.
pub(crate) fn run(settings: &[String], arguments: &[&str]) -> Output {
    let mut command = program();
    command.args(arguments);
    for setting in settings {
        command.args(["--set", setting]);
    }
    command.output().unwrap()
}

/// Starts a command whose end is not waited for.
pub(crate) fn start(settings: &[String], arguments: &[&str]) -> Child {
    let mut command = program();
    command.args(arguments);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// A serving process; it is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Starts the services of a role and waits until they serve.
    pub(crate) fn serve(role: Role, settings: &[String]) -> Self {
        Self::serve_into(Stdio::null(), role, settings)
    }

    /// The same; what it prints goes there.
    pub(crate) fn serve_into(stdout: impl Into<Stdio>, role: Role, settings: &[String]) -> Self {
        let mut command = program();
        command.args(["serve", role.as_str()]).stdout(stdout);
        let started = Self::start(command, settings, is_serving);
        let (process, _) = started.unwrap_or_else(|seen| panic!("{role:?} ended at once: {seen}"));
        process
    }

    /// Runs a demo in a folder until it serves, and gives what it said until then.
    pub(crate) fn demo(arguments: &[&str], folder: &Path, settings: &[String]) -> (Self, String) {
        let mut command = program();
        command
            .arg("demo")
            .args(arguments)
            .current_dir(folder)
            .stdout(Stdio::null());
        // The last thing that it suggests.
        Self::start(command, settings, |line| line.contains(" account "))
            .unwrap_or_else(|seen| panic!("{arguments:?} ended: {seen}"))
    }

    /// The same in a program that dies at the first commit of a service, `before` or `after` it; `None`: it died before it served.
    pub(crate) fn serve_dying(
        [service, moment]: [&str; 2],
        role: Role,
        settings: &[String],
    ) -> Option<Self> {
        let mut command = plain(env!("CARGO_BIN_EXE_sextant-that-dies"));
        command.args([service, moment, "serve", role.as_str()]);
        command.stdout(Stdio::null());
        let started = Self::start(command, settings, is_serving).ok();
        started.map(|(process, _)| process)
    }

    /// Waits until the program says that it serves, and gives what it said; otherwise what it said until it ended.
    fn start(
        mut command: Command,
        settings: &[String],
        is_last: fn(&str) -> bool,
    ) -> Result<(Self, String), String> {
        for setting in settings {
            command.args(["--set", setting]);
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = lines_of(child.stderr.take().unwrap());
        let process = Self(child);
        let mut seen = String::new();
        loop {
            match log.recv_timeout(LONGEST_START) {
                Ok(line) => {
                    seen.push_str(&line);
                    seen.push('\n');
                    if is_last(&line) {
                        return Ok((process, seen));
                    }
                },
                Err(RecvTimeoutError::Timeout) => panic!("{command:?} does not start: {seen}"),
                Err(RecvTimeoutError::Disconnected) => return Err(seen),
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits for it to end by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }

    /// Asks it to end, as a supervisor does, and waits for that.
    pub(crate) fn end(&mut self) {
        let id = self.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(asked.success(), "process {id} is gone");
        let status = self.0.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    /// SIGKILL.
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What a process logs. The pipe is emptied as long as the process lives.
fn lines_of(stderr: ChildStderr) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // Whoever waited for the start is gone once it has happened.
            drop(sender.send(line));
        }
    });
    lines
}

fn is_serving(line: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|line| line["message"] == "serving")
}
