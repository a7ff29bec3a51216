//! The product as a process.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use sextant_runtime::auth::Key;

/// Longest wait for a process to be ready.
const LONGEST_START: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Where a process may run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cores {
    /// On this one alone.
    Only(&'static str),
    /// On all.
    All,
}

/// The core of servers in rows that give client and server one core each.
pub(crate) const SERVER_CORE: Cores = Cores::Only("0");
/// The core of their clients.
pub(crate) const CLIENT_CORE: Cores = Cores::Only("1");

/// A command that runs on these cores.
pub(crate) fn command(program: &Path, cores: Cores) -> Command {
    match cores {
        Cores::All => Command::new(program),
        Cores::Only(core) => {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", core]).arg(program);
            command
        },
    }
}

/// The `sextant` program, beside this one.
pub(crate) fn sextant() -> PathBuf {
    let path = beside("sextant");
    assert!(
        path.is_file(),
        "{} is missing: start this by tests/bench/run",
        path.display()
    );
    path
}

/// A file beside this program.
pub(crate) fn beside(name: &str) -> PathBuf {
    std::env::current_exe().unwrap().with_file_name(name)
}

/// An address of the loopback interface that is free now.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap()
}

/// A child that is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}")))
    }

    /// Resident memory, in MiB, with that of the processes that it has started.
    pub(crate) fn resident_mib(&self) -> f64 {
        let own = self.0.id();
        let threads = fs::read_dir(format!("/proc/{own}/task")).unwrap();
        let children = threads.map(|thread| {
            let children = thread.unwrap().path().join("children");
            fs::read_to_string(children).unwrap_or_default()
        });
        let children: Vec<String> = children.collect();
        let children = children.iter().flat_map(|some| some.split_whitespace());
        let children: f64 = children.map(resident_mib).sum();
        resident_mib(&own.to_string()) + children
    }

    /// Processor time that it has used, in seconds. Linux counts it in hundredths.
    pub(crate) fn processor_s(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        // The name of the program, in parentheses, is the second value; times in user and in system mode are 14 and 15.
        let behind_name = stat.rsplit(") ").next().unwrap();
        let times = behind_name.split(' ').skip(11).take(2);
        times.map(|time| time.parse::<f64>().unwrap()).sum::<f64>() / 100.0
    }
}

/// Resident memory of a process, in MiB; none of one that has ended.
fn resident_mib(process: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.map_or("0", |line| line.trim().trim_end_matches(" kB"));
    kib.parse::<f64>().unwrap() / 1_024.0
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().unwrap_or(());
        self.0.wait().map(drop).unwrap_or(());
    }
}

/// All services in one process, with a key that opens everything.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    /// From the start of the process until it said it was ready.
    pub(crate) started_in: Duration,
}

impl Served {
    /// Starts on the embedded engine in a folder, with more settings as `key=value`.
    pub(crate) async fn embedded(folder: &Path, cores: Cores, settings: &[String]) -> Self {
        let mut all = vec![format!("store.data_dir={}", folder.display())];
        all.extend_from_slice(settings);
        Self::start(cores, &all).await
    }

    /// Starts on a database whose tables are there, with more settings as `key=value`.
    pub(crate) async fn postgres(url: &str, cores: Cores, settings: &[String]) -> Self {
        let mut all = vec![
            "store.kind=postgres".to_owned(),
            format!("store.postgres_url={url}"),
        ];
        all.extend_from_slice(settings);
        Self::start(cores, &all).await
    }

    async fn start(cores: Cores, settings: &[String]) -> Self {
        let (address, admin) = (free_address(), free_address());
        let key = Key::generate().unwrap().expose();
        let mut command = command(&sextant(), cores);
        command.args(["serve", "all"]);
        let own = [
            format!("server.listen={address}"),
            format!("server.admin_listen={admin}"),
            format!("auth.admin_key={key}"),
            "telemetry.log_filter=warn".to_owned(),
        ];
        for setting in own.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        let begun = Instant::now();
        let process = Process::spawn(&mut command);
        while !is_ready(admin) {
            assert!(
                begun.elapsed() < LONGEST_START,
                "{command:?} does not become ready"
            );
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Self {
            process,
            address,
            key,
            started_in: begun.elapsed(),
        }
    }
}

fn is_ready(admin: SocketAddr) -> bool {
    let Ok(mut connection) = TcpStream::connect(admin) else {
        return false;
    };
    let request = "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut answer = String::new();
    let asked = connection.write_all(request.as_bytes());
    asked
        .and_then(|()| connection.read_to_string(&mut answer))
        .is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

/// Waits until something listens.
pub(crate) async fn listening(address: SocketAddr) {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(
            begun.elapsed() < LONGEST_START,
            "nothing listens on {address}"
        );
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// A folder of one run.
pub(crate) fn scratch() -> TempDir {
    tempfile::Builder::new()
        .prefix("sextant-bench-")
        .tempdir()
        .unwrap()
}
