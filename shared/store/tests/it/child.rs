//! This test binary as a process of its own, to be killed.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A filter that no test has as its name: it carries the directory to the child.
const PREFIX: &str = "child-directory=";
/// Before each line that is said, since the test runner writes to the same stream.
const MARK: &str = "child says: ";

pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

/// Runs one test of this binary with a directory.
pub(crate) fn spawn(test: &str, directory: &Path) -> Process {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1", test])
        .arg(format!("{PREFIX}{}", directory.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    Process { child, output }
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that the child says.
    pub(crate) fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.output.read_line(&mut line).unwrap(),
                0,
                "the child ended by itself"
            );
            if let Some((_, said)) = line.trim_end().split_once(MARK) {
                return said.to_owned();
            }
        }
    }

    /// Kills the child (SIGKILL) and returns what it had said until then.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let rest = self.output.lines().map_while(Result::ok);
        rest.filter_map(|line| line.split_once(MARK).map(|(_, said)| said.to_owned()))
            .collect()
    }
}

/// In the child: the directory that it was given.
pub(crate) fn directory() -> Option<PathBuf> {
    env::args().find_map(|argument| argument.strip_prefix(PREFIX).map(PathBuf::from))
}

/// In the child: tells the parent.
pub(crate) fn say(line: &str) {
    let mut output = io::stdout().lock();
    writeln!(output, "{MARK}{line}").unwrap();
    output.flush().unwrap();
}

/// In the child: the end of its work.
pub(crate) fn wait_to_be_killed() {
    loop {
        std::thread::park();
    }
}
