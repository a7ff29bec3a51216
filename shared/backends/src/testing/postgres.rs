//! A private PostgreSQL.

#![expect(
    clippy::panic,
    reason = "a fixture that cannot be set up fails the test that needs it"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::process::{Watchdog, as_server_user, give_to_server_user, program, run, setting};
use crate::postgres::{Config, migrate};

const URL: &str = "SEXTANT_TEST_POSTGRES_URL";
const PACKAGE: &str = "postgresql";
const CREATE_DATABASE: &str = include_str!("../../queries/postgres/testing/create_database.sql");
const CREATE_USER: &str = include_str!("../../queries/postgres/testing/create_user.sql");
const DROP_DATABASE: &str = include_str!("../../queries/postgres/testing/drop_database.sql");
const NEWER: &str = include_str!("../../queries/postgres/testing/newer.sql");
const READ_ONLY: &str = include_str!("../../queries/postgres/testing/turn_read_only.sql");
const WRITABLE: &str = include_str!("../../queries/postgres/testing/turn_writable.sql");
const RELOAD: &str = include_str!("../../queries/postgres/testing/reload.sql");
const NO_VACUUM: &str = include_str!("../../queries/postgres/testing/turn_off_vacuum.sql");
const TRANSACTIONS: &str = include_str!("../../queries/postgres/testing/transactions.sql");

/// A PostgreSQL server of this process alone; it listens on a Unix socket in its own folder.
#[derive(Debug)]
pub struct PostgresServer {
    folder: PathBuf,
    pg_ctl: PathBuf,
    /// Stops the server and removes the folder when it is dropped or the process ends.
    _watchdog: Watchdog,
}

impl PostgresServer {
    /// Starts a server with default settings, `fsync` included.
    ///
    /// # Panics
    /// PostgreSQL is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let bin = installed();
        let (initdb, pg_ctl) = (
            program("initdb", PACKAGE, &bin),
            program("pg_ctl", PACKAGE, &bin),
        );
        let folder = tempfile::Builder::new()
            .prefix("sextant-pg-")
            .tempdir()
            .map(tempfile::TempDir::keep);
        let folder = folder.unwrap_or_else(|error| panic!("no folder for a test server: {error}"));
        give_to_server_user(&folder);
        let data = folder.join("data");
        run(as_server_user(&initdb).arg("-D").arg(&data).args([
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]));
        let stop = format!(
            "{} -m immediate stop",
            shell_command(&as_server_user(&pg_ctl), &data)
        );
        let server = Self {
            pg_ctl,
            _watchdog: Watchdog::watch(&stop, &folder),
            folder,
        };
        server.start_again();
        server
    }

    /// Where a database of the server is reached.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgresql:///{database}?host={}&user=postgres",
            self.folder.display()
        )
    }

    /// Stops the server as a crash would.
    ///
    /// # Panics
    /// The server does not do so.
    pub fn crash(&self) {
        run(self.control().args(["-m", "immediate", "stop"]));
    }

    /// Starts a stopped server with its data at the same address.
    ///
    /// # Panics
    /// The server does not do so.
    pub fn start_again(&self) {
        let options = format!(
            "-k {} -c listen_addresses='' -c max_connections=300 -c shared_buffers=256MB",
            self.folder.display()
        );
        run(self
            .control()
            .arg("-o")
            .arg(options)
            .arg("-l")
            .arg(self.folder.join("log"))
            .args(["-w", "start"]));
    }

    fn control(&self) -> Command {
        let mut command = as_server_user(&self.pg_ctl);
        command.arg("-D").arg(self.folder.join("data"));
        command
    }
}

/// Where distributions put the programs of PostgreSQL, newest version first.
fn installed() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| {
            Some((
                version.file_name().to_str()?.parse().ok()?,
                version.path().join("bin"),
            ))
        })
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, path)| path).collect()
}

/// A command as shell text, with the data folder.
fn shell_command(command: &Command, data: &Path) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    format!("{} -D '{}'", words.join(" "), data.display())
}

/// A database of one test. It is dropped with its last connection when the server goes; on a server that was named from
/// outside, by [`Database::drop_now`].
#[derive(Debug, Clone)]
pub struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    /// Makes an empty database on a server.
    ///
    /// # Panics
    /// The server does not.
    pub async fn on(server: &PostgresServer) -> Self {
        Self::create(server.url("postgres"), |name| server.url(name)).await
    }

    async fn create(server: String, url: impl Fn(&str) -> String) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "sextant_{}_{}",
            Uuid::new_v4().simple(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        execute(&server, &CREATE_DATABASE.replace("{database}", &name)).await;
        Self {
            url: url(&name),
            server,
            name,
        }
    }

    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes a user with no rights but to connect, and says where it reaches the database.
    ///
    /// # Panics
    /// The server does not, or is not reached as "postgres".
    pub async fn url_of_new_user(&self) -> String {
        let user = format!("user_{}", Uuid::new_v4().simple());
        execute(&self.url, &CREATE_USER.replace("{user}", &user)).await;
        let url = self
            .url
            .replace("user=postgres", &format!("user={user}"))
            .replace("//postgres@", &format!("//{user}@"));
        assert_ne!(url, self.url, "the server is reached as another user");
        url
    }

    /// Settings of an engine on it.
    #[must_use]
    pub fn config(&self) -> Config {
        Config::new(self.url.clone())
    }

    /// Transactions that the server has counted in it until about a second ago, those of this call among them.
    ///
    /// # Panics
    /// The server does not answer.
    pub async fn transactions(&self) -> i64 {
        let counted = ask(&self.url, async |client| {
            client.query_one(TRANSACTIONS, &[]).await?.try_get(0)
        });
        counted.await
    }

    /// Makes the whole server refuse to write from now on, as one does that has become a standby.
    ///
    /// # Panics
    /// The server does not.
    pub async fn turn_read_only(&self) {
        self.configure(READ_ONLY).await;
    }

    /// The server takes writes again.
    ///
    /// # Panics
    /// The server does not.
    pub async fn turn_writable(&self) {
        self.configure(WRITABLE).await;
    }

    /// Two statements, for a setting cannot be changed in a transaction.
    async fn configure(&self, setting: &str) {
        execute(&self.server, setting).await;
        execute(&self.server, RELOAD).await;
    }

    /// Has the server leave the tables of all services alone: what it does for them of its own accord, once a minute, it counts as
    /// transactions, too.
    ///
    /// # Panics
    /// The server does not.
    pub async fn turn_off_vacuum(&self) {
        execute(&self.url, NO_VACUUM).await;
    }

    /// Makes a schema look as if a newer program had migrated it, to version 99.
    ///
    /// # Panics
    /// The server does not, or there is no such schema.
    pub async fn pretend_newer(&self, schema: &str) {
        execute(&self.url, &NEWER.replace("{schema}", schema)).await;
    }

    /// Drops it, and its connections.
    ///
    /// # Panics
    /// The server does not.
    pub async fn drop_now(self) {
        execute(
            &self.server,
            &DROP_DATABASE.replace("{database}", &self.name),
        )
        .await;
    }
}

/// A fresh, empty database on the server of this process.
///
/// # Panics
/// PostgreSQL is not installed, does not start or does not answer.
pub async fn database() -> Database {
    if let Some(named) = setting(URL) {
        return Database::create(named.clone(), |name| with_database(&named, name)).await;
    }
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    Database::on(SERVER.get_or_init(PostgresServer::start)).await
}

/// A fresh database with the tables of all services.
///
/// # Panics
/// PostgreSQL is not installed, does not start, does not answer or refuses a migration.
pub async fn migrated_database() -> Database {
    let database = database().await;
    if let Err(error) = migrate(database.url()).await {
        panic!("a test database was not migrated: {error:?}");
    }
    database
}

/// The URL of another database on the same server.
fn with_database(url: &str, database: &str) -> String {
    let (address, options) = url
        .split_once('?')
        .map_or((url, None), |(address, options)| (address, Some(options)));
    let scheme_end = address.find("://").map_or(0, |at| at + 3);
    let base = address
        .get(scheme_end..)
        .and_then(|rest| rest.find('/'))
        .and_then(|slash| address.get(..scheme_end + slash));
    let base = base.unwrap_or(address);
    match options {
        Some(options) => format!("{base}/{database}?{options}"),
        None => format!("{base}/{database}"),
    }
}

async fn execute(url: &str, sql: &str) {
    ask(url, async |client| client.batch_execute(sql).await).await;
}

/// Asks on a connection of its own.
async fn ask<T>(
    url: &str,
    question: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
) -> T {
    let (client, connection) = match tokio_postgres::connect(url, NoTls).await {
        Ok(connected) => connected,
        Err(error) => panic!("test server does not answer: {error:?}"),
    };
    let answer = async {
        let answer = question(&client).await;
        drop(client);
        answer
    };
    match futures_util::future::join(answer, connection).await.0 {
        Ok(answer) => answer,
        Err(error) => panic!("test server refuses: {error:?}"),
    }
}

#[cfg(test)]
mod tests;
