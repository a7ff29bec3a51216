//! The cache on Redis. Whatever goes wrong is a miss, and never for long.

mod gets;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, IntoConnectionInfo, Pipeline, RedisError,
    ServerErrorKind, Value,
};
use tokio::time::Instant;

use sextant_store::BoxFuture;
use sextant_store::cache::{Cache, Entry};

use self::gets::Gets;

/// Stores a value unless the stored one has a greater position; both begin with theirs.
const PUT: &str = include_str!("../queries/redis/put.lua");
const POSITION_BYTES: usize = 8;
/// Of the 40 digits of a run of a server.
const RUN_DIGITS: usize = 8;
/// Commands that travel together.
const MAX_PIPELINED: usize = 500;

/// How the cache reaches Redis.
#[derive(Clone)]
pub struct Config {
    /// `redis://user:password@host:port/database`.
    pub url: String,
    /// Longest wait for an answer, and for a connection.
    pub response_timeout: Duration,
    /// After a failure nothing is asked for so long.
    pub pause: Duration,
    /// How long an entry is kept; shortened by up to a tenth, so that entries of one moment do not expire at one moment.
    pub time_to_live: Duration,
}

impl Config {
    /// The defaults: 100 ms for an answer, a pause of 1 s, an hour to live.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            response_timeout: Duration::from_millis(100),
            pause: Duration::from_secs(1),
            time_to_live: Duration::from_secs(3_600),
        }
    }
}

impl fmt::Debug for Config {
    /// Without the URL: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("response_timeout", &self.response_timeout)
            .field("pause", &self.pause)
            .field("time_to_live", &self.time_to_live)
            .finish_non_exhaustive()
    }
}

/// The URL of a Redis server cannot be read.
#[derive(Debug)]
pub struct UrlError(RedisError);

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redis url is unreadable: write redis://host:6379")
    }
}

impl std::error::Error for UrlError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// A cache on a Redis server.
///
/// One connection carries all commands. It is given up, and the address resolved anew, when the server does not answer in
/// time, closes it, is loading, has lost its primary, or has become a read-only replica; then there is a pause in which every
/// call is a miss at once.
pub struct Redis {
    client: Client,
    config: Config,
    state: Mutex<State>,
    /// Held by the one caller that connects; the others have a miss meanwhile.
    connecting: tokio::sync::Mutex<()>,
}

/// What the cache knows about its server.
#[derive(Default)]
struct State {
    connection: Option<Arc<Connection>>,
    paused_until: Option<Instant>,
    n_connections: u64,
}

/// An open connection.
struct Connection {
    /// Tells connections apart: a late failure of an old one must not close its successor.
    number: u64,
    multiplexed: MultiplexedConnection,
    gets: Gets,
    loaded: Loaded,
}

/// What a server said when it was connected to.
#[derive(Debug)]
struct Loaded {
    /// Digest of the script that puts.
    put: String,
    /// Which run of the server it is, and since which promotion it leads. It leads every key: a server that comes back with an
    /// older state of its own, and another one that takes its place or the place that it had before, may lack what was put, so
    /// what they hold from before is never asked for.
    run: String,
}

impl Loaded {
    fn key(&self, key: &str) -> String {
        [&self.run, ":", key].concat()
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Redis {
    /// A cache that connects when it is first asked.
    ///
    /// # Errors
    /// The URL cannot be read.
    pub fn new(config: Config) -> Result<Self, UrlError> {
        let info = config
            .url
            .as_str()
            .into_connection_info()
            .map_err(UrlError)?;
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(info).map_err(UrlError)?;
        Ok(Self {
            client,
            config,
            state: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        })
    }

    /// The open connection, or a new one; `None` in a pause and while another caller connects.
    async fn connection(&self) -> Option<Arc<Connection>> {
        if let Some(answer) = self.present() {
            return answer;
        }
        let _connecting = self.connecting.try_lock().ok()?;
        if let Some(answer) = self.present() {
            return answer;
        }
        match self.connect().await {
            Ok((multiplexed, loaded)) => {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.n_connections += 1;
                let connection = Arc::new(Connection {
                    number: state.n_connections,
                    gets: Gets::over(multiplexed.clone()),
                    multiplexed,
                    loaded,
                });
                state.connection = Some(Arc::clone(&connection));
                tracing::info!("cache is connected");
                Some(connection)
            },
            Err(error) => {
                self.pause(None, &error);
                None
            },
        }
    }

    /// `None`: somebody has to connect. `Some(None)`: nobody may, for now.
    #[expect(
        clippy::option_option,
        reason = "connected, paused, or neither; read in one place"
    )]
    fn present(&self) -> Option<Option<Arc<Connection>>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = &state.connection {
            return Some(Some(Arc::clone(connection)));
        }
        let paused = state
            .paused_until
            .is_some_and(|until| Instant::now() < until);
        paused.then_some(None)
    }

    async fn connect(&self) -> Result<(MultiplexedConnection, Loaded), RedisError> {
        let timeout = Some(self.config.response_timeout);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(timeout)
            .set_response_timeout(timeout);
        let mut multiplexed = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let mut commands = Pipeline::new();
        commands.cmd("SCRIPT").arg("LOAD").arg(PUT);
        commands.cmd("INFO").arg("server");
        commands.cmd("INFO").arg("replication");
        let (put, server, replication): (String, String, String) =
            commands.query_async(&mut multiplexed).await?;
        let run = [
            told(&server, "run_id:"),
            told(&replication, "master_replid:"),
        ]
        .concat();
        Ok((multiplexed, Loaded { put, run }))
    }

    /// Gives a connection up (unless a newer one has taken its place) and asks nothing for a while.
    fn pause(&self, failed: Option<u64>, error: &RedisError) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .connection
            .as_ref()
            .map(|connection| connection.number)
            != failed
        {
            return;
        }
        state.connection = None;
        state.paused_until = Some(Instant::now() + self.config.pause);
        tracing::info!(error = %error, "cache does not answer: every read is a miss for a while");
    }

    /// Runs commands that travel together; `None` after any failure of the connection.
    async fn run(&self, commands: impl FnOnce(&Connection) -> Pipeline) -> Option<Value> {
        let connection = self.connection().await?;
        let mut multiplexed = connection.multiplexed.clone();
        let answer = commands(&connection).query_async(&mut multiplexed).await;
        self.unless_failed(&connection, answer)
    }

    /// The answer of a connection; a failure may have made the connection useless.
    fn unless_failed<T>(
        &self,
        connection: &Connection,
        answer: Result<T, RedisError>,
    ) -> Option<T> {
        answer
            .inspect_err(|error| {
                if gives_up(error) {
                    self.pause(Some(connection.number), error);
                }
            })
            .ok()
    }
}

/// Whether a connection is of no more use. Errors of a single command (such as a key of another type) are not among them.
fn gives_up(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::ReadOnly
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown
                | ServerErrorKind::NoScript
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::Moved
                | ServerErrorKind::NoPerm
        ),
        // An answer of another type, or a key of one (WRONGTYPE).
        ErrorKind::UnexpectedReturnType | ErrorKind::Extension => false,
        _ => true,
    }
}

/// The stored form: the position, big-endian, then the answer.
fn encode(entry: &Entry) -> Vec<u8> {
    let mut value = Vec::with_capacity(POSITION_BYTES + entry.bytes.len());
    value.extend_from_slice(&entry.position.to_be_bytes());
    value.extend_from_slice(&entry.bytes);
    value
}

/// Reads the stored form; `None` when something else wrote it.
fn decode(value: Vec<u8>) -> Option<Entry> {
    let position = *value.first_chunk::<POSITION_BYTES>()?;
    Some(Entry {
        position: u64::from_be_bytes(position),
        bytes: Bytes::from(value).slice(POSITION_BYTES..),
    })
}

/// Milliseconds that an entry is kept: less than `time_to_live` by a part of a tenth that its key decides (FNV-1a).
fn kept_ms(time_to_live: Duration, key: &str) -> u64 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let whole = u64::try_from(time_to_live.as_millis()).unwrap_or(u64::MAX);
    let jitter = whole / 10;
    whole.saturating_sub(hash % jitter.max(1)).max(1)
}

/// The leading digits of a number that begins a line of what a server says of itself; empty where it does not say.
fn told<'a>(server: &'a str, name: &str) -> &'a str {
    let numbers = server.lines().filter_map(|line| line.strip_prefix(name));
    let mut numbers = numbers.map(|number| number.get(..RUN_DIGITS).unwrap_or(number));
    numbers.next().unwrap_or_default()
}

fn puts(entries: &[(String, Entry)], loaded: &Loaded, time_to_live: Duration) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(entries.len());
    for (key, entry) in entries {
        pipeline
            .cmd("EVALSHA")
            .arg(&loaded.put)
            .arg(1)
            .arg(loaded.key(key))
            .arg(encode(entry))
            .arg(kept_ms(time_to_live, key));
    }
    pipeline
}

impl Cache for Redis {
    fn get<'a>(&'a self, key: &'a str, floor: u64) -> BoxFuture<'a, Option<Entry>> {
        Box::pin(async move {
            let connection = self.connection().await?;
            let answer = connection.gets.get(connection.loaded.key(key)).await;
            let value = self.unless_failed(&connection, answer)?;
            decode(value?).filter(|entry| entry.position >= floor)
        })
    }

    fn put<'a>(&'a self, entries: &'a [(String, Entry)]) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            for some in entries.chunks(MAX_PIPELINED) {
                let stored =
                    self.run(|connection| puts(some, &connection.loaded, self.config.time_to_live));
                if stored.await.is_none() {
                    return false;
                }
            }
            true
        })
    }
}

#[cfg(test)]
mod tests;
