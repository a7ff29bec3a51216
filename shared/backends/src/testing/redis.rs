//! A private Redis.

#![expect(
    clippy::panic,
    reason = "a fixture that cannot be set up fails the test that needs it"
)]

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::process::{Watchdog, program, run, setting};

const URL: &str = "SEXTANT_TEST_REDIS_URL";
const PACKAGE: &str = "redis-server";

/// A Redis server of this process alone, on a free port of the loopback interface. It saves only what it is told to.
#[derive(Debug)]
pub struct RedisServer {
    folder: PathBuf,
    port: u16,
    child: Mutex<Option<Child>>,
    /// Kills the server and removes the folder when it is dropped or the process ends.
    _watchdog: Watchdog,
}

impl RedisServer {
    /// Starts a server.
    ///
    /// # Panics
    /// Redis is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sextant-redis-")
            .tempdir()
            .map(tempfile::TempDir::keep);
        let folder = folder.unwrap_or_else(|error| panic!("no folder for a test server: {error}"));
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = port
            .unwrap_or_else(|error| panic!("no free port for a test server: {error}"))
            .port();
        let stop = format!("kill -9 \"$(cat '{}')\"", folder.join("pid").display());
        let server = Self {
            port,
            child: Mutex::default(),
            _watchdog: Watchdog::watch(&stop, &folder),
            folder,
        };
        server.start_again();
        server
    }

    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the server.
    ///
    /// # Panics
    /// It cannot be killed.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut child) = child.take()
            && let Err(error) = child.kill().and_then(|()| child.wait())
        {
            panic!("a test server cannot be killed: {error}");
        }
    }

    /// Starts a killed server at the same address, with what it was told to save.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_again(&self) {
        let mut command = Command::new(program("redis-server", PACKAGE, &[]));
        command.args([
            "--port",
            &self.port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command
            .arg("--dir")
            .arg(&self.folder)
            .arg("--pidfile")
            .arg(self.folder.join("pid"));
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut child =
            child.unwrap_or_else(|error| panic!("redis-server cannot be started: {error}"));
        // The level that is waited for is the open port; a server that has ended will never open it.
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("redis-server ended at once: {status}");
            }
            std::thread::yield_now();
        }
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
    }

    /// Stops the server's process from running, without closing anything.
    ///
    /// # Panics
    /// There is no such process.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen server go on.
    ///
    /// # Panics
    /// There is no such process.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = child
            .as_ref()
            .map(Child::id)
            .unwrap_or_else(|| panic!("the test server was killed"));
        run(Command::new("kill").args([signal, &pid.to_string()]));
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The Redis of this process. Tests share it: each uses keys of its own.
///
/// # Panics
/// Redis is not installed or does not start.
pub fn redis_url() -> String {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    setting(URL).unwrap_or_else(|| SERVER.get_or_init(RedisServer::start).url())
}
