//! Connections: how many, how they are opened, how long anything may take, and when one is thrown away.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, RecyclingMethod, Runtime};
use tokio::time::{Instant, sleep};
use tokio_postgres::error::DbError;
use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, Row};

use sextant_domain::id::TenantId;
use sextant_store::{Error, Result};

use super::Service;
use super::migrate::{known_version, membership};
use super::session::Session;

const OPEN: &str = include_str!("../../queries/postgres/session/open.sql");
/// Fails unless the server can be written.
pub(super) const CHECK: &str = include_str!("../../queries/postgres/session/check.sql");
const VERSION: &str = include_str!("../../queries/postgres/session/version.sql");

/// A connection that was used within this time is not checked again before its next use.
const TRUSTED_FOR: Duration = Duration::from_millis(500);
/// Longest wait for a database that says that it starts or stops, before a service gives up to start.
const LONGEST_START: Duration = Duration::from_secs(60);
/// Time between two questions whether it has started.
const ASK_AGAIN: Duration = Duration::from_millis(250);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;

/// How a service reaches its database.
#[derive(Clone)]
pub struct Config {
    /// `postgresql://user@host/database`; several hosts may be given, the writable one is used.
    pub url: String,
    /// Connections at most, 1 or more.
    pub pool_size: usize,
    /// Longest wait for a free connection.
    pub wait_timeout: Duration,
    /// Longest time that opening a connection may take.
    pub connect_timeout: Duration,
    /// Longest time that a statement may take.
    pub statement_timeout: Duration,
    /// Longest wait for a lock.
    pub lock_timeout: Duration,
    /// An open transaction that does nothing for so long is ended by the server.
    pub idle_in_transaction_timeout: Duration,
}

impl Config {
    /// The defaults: 8 connections, 2 s for a free one, 3 s to connect, 30 s for a statement, 10 s for a lock, 10 s idle.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            pool_size: 8,
            wait_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
            idle_in_transaction_timeout: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for Config {
    /// Without the URL: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("pool_size", &self.pool_size)
            .field("wait_timeout", &self.wait_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("lock_timeout", &self.lock_timeout)
            .field(
                "idle_in_transaction_timeout",
                &self.idle_in_transaction_timeout,
            )
            .finish_non_exhaustive()
    }
}

/// Why a service cannot use its database.
#[derive(Debug)]
pub enum ConnectError {
    /// The URL cannot be read.
    Url(tokio_postgres::Error),
    /// The pool cannot be made.
    Pool(deadpool_postgres::BuildError),
    /// The database does not answer.
    Unreachable(Error),
    /// It answers that it starts or stops.
    Starting(Box<DbError>),
    /// It answers, and not with a connection: there is no such database or user, or there are too many connections.
    Refused(Box<DbError>),
    /// The user may not take on the role of the services.
    Forbidden {
        /// What a superuser, or who made the role, has to run.
        fix: String,
        /// What the database said.
        source: Error,
    },
    /// The schema is missing or older than this program needs.
    Outdated {
        /// The schema.
        schema: &'static str,
        /// Its version; 0: it is missing.
        stored: i32,
        /// The version that this program needs.
        known: i32,
    },
    /// The schema was made by a newer version of this program.
    Newer {
        /// The schema.
        schema: &'static str,
        /// Its version.
        stored: i32,
        /// The version that this program knows.
        known: i32,
    },
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(_) => write!(
                f,
                "database url is unreadable: write postgresql://user@host/database"
            ),
            Self::Pool(_) => write!(f, "connection pool cannot be made"),
            Self::Unreachable(_) => write!(f, "database does not answer"),
            Self::Starting(_) => write!(f, "database starts or stops"),
            Self::Refused(_) => write!(f, "database refuses the connection"),
            Self::Forbidden { fix, .. } => write!(
                f,
                "the user of store.postgres_url may not take on the role sextant_app: let a superuser run once: {fix}"
            ),
            Self::Outdated {
                schema,
                stored,
                known,
            } => {
                write!(
                    f,
                    "schema {schema} has version {stored}, this program needs {known}: run `sextant migrate` with store.kind = postgres and a \
                     store.postgres_url of this database whose user may make schemas (--set store.kind=postgres --set store.postgres_url=URL)"
                )
            },
            Self::Newer {
                schema,
                stored,
                known,
            } => {
                write!(
                    f,
                    "schema {schema} has version {stored}, this program knows {known}: install the newer program"
                )
            },
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Url(source) => Some(source),
            Self::Pool(source) => Some(source),
            Self::Unreachable(source) | Self::Forbidden { source, .. } => Some(source),
            Self::Starting(source) | Self::Refused(source) => Some(source),
            Self::Outdated { .. } | Self::Newer { .. } => None,
        }
    }
}

/// The connections of one service.
#[derive(Clone)]
pub(super) struct Pool {
    inner: deadpool_postgres::Pool,
    schema: &'static str,
    opened: Arc<AtomicU64>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("schema", &self.schema)
            .field("status", &self.inner.status())
            .finish()
    }
}

impl Pool {
    /// Opens a first connection and checks the version of the schema.
    pub(super) async fn connect(
        config: &Config,
        service: Service,
    ) -> std::result::Result<Self, ConnectError> {
        let opened = Arc::<AtomicU64>::default();
        let pool = Self {
            inner: build(config, service.schema(), &opened)?,
            schema: service.schema(),
            opened,
        };
        let known = known_version(service);
        let stored = pool.stored_version_once_started(config, known).await?;
        if stored < known {
            return Err(ConnectError::Outdated {
                schema: service.schema(),
                stored,
                known,
            });
        }
        if stored > known {
            return Err(ConnectError::Newer {
                schema: service.schema(),
                stored,
                known,
            });
        }
        Ok(pool)
    }

    /// One connection, without tables of any service, opened when it is needed.
    pub(super) fn of_no_service(config: &Config) -> std::result::Result<Self, ConnectError> {
        let (schema, opened) = ("sextant", Arc::default());
        let config = Config {
            pool_size: 1,
            ..config.clone()
        };
        Ok(Self {
            inner: build(&config, schema, &opened)?,
            schema,
            opened,
        })
    }

    /// The same of a database that is about to be there: one that says that it starts or stops is waited for, and while it is
    /// restarted, it does not answer in between.
    async fn stored_version_once_started(
        &self,
        config: &Config,
        known: i32,
    ) -> std::result::Result<i32, ConnectError> {
        let until = Instant::now() + LONGEST_START;
        let mut is_restarted = false;
        loop {
            let stored = self.stored_version(config, known).await;
            match &stored {
                Err(ConnectError::Starting(_)) => is_restarted = true,
                Err(ConnectError::Unreachable(_)) if is_restarted => {},
                _ => return stored,
            }
            if Instant::now() >= until {
                return stored;
            }
            sleep(ASK_AGAIN).await;
        }
    }

    async fn stored_version(
        &self,
        config: &Config,
        known: i32,
    ) -> std::result::Result<i32, ConnectError> {
        let client = self.inner.get().await.map_err(|error| {
            // The role is made by the first migration: a database without it was never migrated.
            let said = said_by_server(&error);
            match said.map(|said| (said.code().code(), said)) {
                Some(("22023" | "42704", _)) => ConnectError::Outdated {
                    schema: self.schema,
                    stored: 0,
                    known,
                },
                Some(("42501", _)) => ConnectError::Forbidden {
                    fix: config
                        .url
                        .parse()
                        .map_or_else(|_unreadable| String::new(), |server| membership(&server)),
                    source: Error::unavailable("connecting", error),
                },
                Some(("57P01" | "57P02" | "57P03", said)) => {
                    ConnectError::Starting(Box::new(said.clone()))
                },
                Some((_, said)) => ConnectError::Refused(Box::new(said.clone())),
                None => ConnectError::Unreachable(Error::unavailable("connecting", error)),
            }
        })?;
        match client.query_one(VERSION, &[]).await {
            Ok(row) => Ok(row.get::<_, Option<i32>>(0).unwrap_or(0)),
            Err(error)
                if matches!(
                    error.code().map(|code| code.code()),
                    Some("42P01" | "3F000" | "42501")
                ) =>
            {
                Ok(0)
            },
            Err(error) => Err(ConnectError::Unreachable(Error::unavailable(
                "reading the schema version",
                error,
            ))),
        }
    }

    /// Connections that were opened until now. While it stays the same, it is the same server that answers.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// A connection for a transaction of its own.
    pub(super) async fn session(&self, doing: &'static str) -> Result<Session> {
        let object = self
            .inner
            .get()
            .await
            .map_err(|error| Error::unavailable(doing, error))?;
        Ok(Session::new(object, doing))
    }

    /// Reads rows of one tenant.
    pub(super) async fn read(
        &self,
        tenant: TenantId,
        doing: &'static str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let session = self.session(doing).await?;
        let statement = session.prepare(sql).await?;
        session.only(tenant, &statement, params).await
    }

    /// Runs one statement on system tables.
    pub(super) async fn system(
        &self,
        doing: &'static str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let session = self.session(doing).await?;
        let statement = session.prepare(sql).await?;
        session.query(&statement, params).await
    }
}

fn build(
    config: &Config,
    schema: &str,
    opened: &Arc<AtomicU64>,
) -> std::result::Result<deadpool_postgres::Pool, ConnectError> {
    let opened = Arc::clone(opened);
    let mut server: tokio_postgres::Config = config.url.parse().map_err(ConnectError::Url)?;
    server
        .application_name(schema)
        .connect_timeout(config.connect_timeout)
        .keepalives(true)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES)
        .tcp_user_timeout(KEEPALIVE_IDLE + KEEPALIVE_INTERVAL * KEEPALIVE_RETRIES)
        .target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
    let open: Arc<str> = OPEN
        .replace("{schema}", schema)
        .replace(
            "{statement_timeout_ms}",
            &config.statement_timeout.as_millis().to_string(),
        )
        .replace(
            "{lock_timeout_ms}",
            &config.lock_timeout.as_millis().to_string(),
        )
        .replace(
            "{idle_timeout_ms}",
            &config.idle_in_transaction_timeout.as_millis().to_string(),
        )
        .into();
    let manager = Manager::from_config(
        server,
        NoTls,
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    );
    deadpool_postgres::Pool::builder(manager)
        .max_size(config.pool_size.max(1))
        .wait_timeout(Some(config.wait_timeout))
        .create_timeout(Some(config.connect_timeout))
        .recycle_timeout(Some(config.wait_timeout))
        .runtime(Runtime::Tokio1)
        .post_create(Hook::async_fn(move |client, _metrics| {
            let open = Arc::clone(&open);
            opened.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                client
                    .batch_execute(&open)
                    .await
                    .map_err(HookError::Backend)
            })
        }))
        .pre_recycle(Hook::async_fn(|client, metrics| {
            let trusted = metrics.last_used() < TRUSTED_FOR;
            Box::pin(async move {
                if trusted {
                    return Ok(());
                }
                client
                    .batch_execute(CHECK)
                    .await
                    .map_err(HookError::Backend)
            })
        }))
        .build()
        .map_err(ConnectError::Pool)
}

fn said_by_server(error: &deadpool_postgres::PoolError) -> Option<&DbError> {
    use deadpool_postgres::PoolError;
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            error.as_db_error()
        },
        _ => None,
    }
}
