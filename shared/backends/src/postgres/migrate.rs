//! Bringing a database to the version that this program knows.

use std::fmt;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use super::Service;

/// Tables without row-level security, in any schema. They are read across tenants (which feeds have moved, whose key is
/// this, who is there) before a tenant is known, and hold no facts: names, numbers and hashes only.
pub const SYSTEM_TABLES: [&str; 12] = [
    "access_key",
    "cursor",
    "feed_head",
    "migration",
    "move_cursor",
    "feed_followed",
    "replica",
    "segmenter",
    "segmenter_code",
    "segmenter_event",
    "segmenter_use",
    "tenant",
];

const LOCK: &str = include_str!("../../queries/postgres/migrations/lock.sql");
const PREPARE: &str = include_str!("../../queries/postgres/migrations/prepare.sql");
/// What a superuser runs once for a migrator that may not do it.
const OWNER: &str = include_str!("../../queries/postgres/migrations/owner.sql");
/// What a superuser runs once for the user of a service.
const MEMBER: &str = include_str!("../../queries/postgres/migrations/member.sql");
const RECORD: &str = include_str!("../../queries/postgres/migrations/record.sql");
const VERSION: &str = include_str!("../../queries/postgres/session/version.sql");

struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// `migration!("ingestion", "0001", "tables")` is the migration in that file.
macro_rules! migration {
    ($service:literal, $number:literal, $name:literal) => {
        Migration {
            name: $name,
            sql: include_str!(concat!(
                "../../queries/postgres/migrations/",
                $service,
                "/",
                $number,
                "_",
                $name,
                ".sql"
            )),
        }
    };
}

/// The migrations of a service, in order: the version is the place in the list, from 1.
fn migrations(service: Service) -> &'static [Migration] {
    match service {
        Service::Ingestion => &[
            migration!("ingestion", "0001", "tables"),
            migration!("ingestion", "0002", "trace"),
            migration!("ingestion", "0003", "import"),
            migration!("ingestion", "0004", "batch"),
            migration!("ingestion", "0005", "releasing"),
            migration!("ingestion", "0006", "places"),
            migration!("ingestion", "0007", "corrections"),
            migration!("ingestion", "0008", "hierarchy"),
            migration!("ingestion", "0009", "sources"),
            migration!("ingestion", "0010", "events"),
        ],
        Service::Scoring => &[migration!("scoring", "0001", "tables")],
        Service::Segmentation => &[
            migration!("segmentation", "0001", "tables"),
            migration!("segmentation", "0002", "behind"),
            migration!("segmentation", "0003", "counts"),
            migration!("segmentation", "0004", "trouble"),
            migration!("segmentation", "0005", "catalogue"),
        ],
        Service::Metrics => &[
            migration!("metrics", "0001", "tables"),
            migration!("metrics", "0002", "behind"),
        ],
    }
}

/// The version of a service's schema that this program knows.
pub(super) fn known_version(service: Service) -> i32 {
    i32::try_from(migrations(service).len()).unwrap_or(i32::MAX)
}

/// What a migration did to one schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The service.
    pub service: Service,
    /// Version before; 0: there was none.
    pub from: i32,
    /// Version now.
    pub to: i32,
}

/// Why a database was not migrated.
#[derive(Debug)]
pub enum MigrateError {
    /// The URL cannot be read.
    Url(tokio_postgres::Error),
    /// The database does not answer.
    Unreachable(tokio_postgres::Error),
    /// A migration was refused; nothing of it was done.
    Refused {
        /// The schema.
        schema: &'static str,
        /// The migration.
        name: &'static str,
        /// What the database said.
        source: tokio_postgres::Error,
    },
    /// The user may not make the role of the services or a schema; nothing was done.
    Forbidden {
        /// What a superuser has to run, once.
        fix: String,
        /// What the database said.
        source: tokio_postgres::Error,
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

impl fmt::Display for MigrateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(_) => write!(
                f,
                "database url is unreadable: write postgresql://user@host/database"
            ),
            Self::Unreachable(_) => write!(f, "database does not answer"),
            Self::Refused { schema, name, .. } => {
                write!(f, "migration \"{name}\" of schema {schema} was refused")
            },
            Self::Forbidden { fix, .. } => write!(
                f,
                "the user of store.postgres_url may not make the role sextant_app or a schema: give it CREATEROLE and let it own the \
                 database, or let a superuser run once, without the statement for what exists already: {fix}"
            ),
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

impl std::error::Error for MigrateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Url(source)
            | Self::Unreachable(source)
            | Self::Forbidden { source, .. }
            | Self::Refused { source, .. } => Some(source),
            Self::Newer { .. } => None,
        }
    }
}

/// Brings the schemas of all services to the version that this program knows, under a lock: any number of migrators may be
/// started at once. The user of `url` becomes the owner of everything. It makes the role of the services if it may; else a superuser does.
///
/// # Errors
/// The database does not answer, refuses, or was migrated by a newer program (nothing is changed then).
pub async fn migrate(url: &str) -> Result<Vec<Migrated>, MigrateError> {
    let config: tokio_postgres::Config = url.parse().map_err(MigrateError::Url)?;
    let (mut client, connection) = config
        .connect(NoTls)
        .await
        .map_err(MigrateError::Unreachable)?;
    // The connection is driven here and nowhere else, so no task outlives the call.
    let work = migrate_all(&mut client, &config);
    let mut connection = std::pin::pin!(connection);
    let mut work = std::pin::pin!(work);
    tokio::select! {
        result = &mut work => result,
        ended = &mut connection => match ended {
            Err(source) => Err(MigrateError::Unreachable(source)),
            Ok(()) => work.await,
        },
    }
}

async fn migrate_all(
    client: &mut Client,
    config: &tokio_postgres::Config,
) -> Result<Vec<Migrated>, MigrateError> {
    client
        .batch_execute(LOCK)
        .await
        .map_err(MigrateError::Unreachable)?;
    let mut done = Vec::new();
    for service in Service::ALL {
        let prepare = PREPARE.replace("{schema}", service.schema());
        client
            .batch_execute(&prepare)
            .await
            .map_err(|source| match source.code() {
                Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                    MigrateError::Forbidden {
                        fix: filled(OWNER, config),
                        source,
                    }
                },
                Some(_) | None => refused(service, "prepare", source),
            })?;
        let from = stored_version(client)
            .await
            .map_err(|source| refused(service, "version", source))?;
        let to = known_version(service);
        if from > to {
            return Err(MigrateError::Newer {
                schema: service.schema(),
                stored: from,
                known: to,
            });
        }
        for (version, migration) in (1_i32..).zip(migrations(service)) {
            if version > from {
                apply(client, version, migration)
                    .await
                    .map_err(|source| refused(service, migration.name, source))?;
            }
        }
        done.push(Migrated { service, from, to });
    }
    Ok(done)
}

/// What has to be run so that the user of this configuration may take on the role of the services.
pub(super) fn membership(config: &tokio_postgres::Config) -> String {
    filled(MEMBER, config)
}

/// Statements for the user and the database of a configuration, on one line.
fn filled(statements: &str, config: &tokio_postgres::Config) -> String {
    let quoted = |name: Option<&str>, otherwise: &str| {
        name.map_or_else(
            || otherwise.to_owned(),
            |name| format!("\"{}\"", name.replace('"', "\"\"")),
        )
    };
    let user = quoted(config.get_user(), "USER");
    // Without a name, a database is called as its user.
    let database = quoted(
        config.get_dbname().or_else(|| config.get_user()),
        "DATABASE",
    );
    let statements = statements
        .replace("{user}", &user)
        .replace("{database}", &database);
    statements.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn apply(
    client: &mut Client,
    version: i32,
    migration: &Migration,
) -> Result<(), tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(migration.sql).await?;
    transaction
        .execute(RECORD, &[&version, &migration.name])
        .await?;
    transaction.commit().await
}

async fn stored_version(client: &Client) -> Result<i32, tokio_postgres::Error> {
    let row = client.query_one(VERSION, &[]).await?;
    Ok(row.try_get::<_, Option<i32>>(0)?.unwrap_or(0))
}

fn refused(service: Service, name: &'static str, source: tokio_postgres::Error) -> MigrateError {
    MigrateError::Refused {
        schema: service.schema(),
        name,
        source,
    }
}
