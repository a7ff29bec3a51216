//! What only the stores can tell: who holds the data directory, whether the servers answer and take writes, whether their
//! tables are of this program's version, and which tenants wait for the end of an import.

use std::fs::File;
use std::future::ready;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use sextant_backends::postgres::{self, ConnectError};
use sextant_domain::time::Zone;
use sextant_runtime::config::{Config, StoreKind};
use sextant_store::embedded::Embedded;
use sextant_store::port::{Page, TenantRow, Tenants as _};

use crate::doctor::Finding;
use crate::error::with_causes;
use crate::output::format;

/// File by which the embedded engine holds its directory.
const LOCK_FILE: &str = "lock";
/// Longest wait for a server.
const PATIENCE: Duration = Duration::from_secs(3);
const REDIS_PORT: u16 = 6_379;
/// Tenants that are looked at together.
const TENANTS: usize = 1_000;

/// Checks the configured stores.
pub async fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    match (config.store.kind, &config.store.postgres_url) {
        (StoreKind::Embedded, _) | (StoreKind::Postgres, None) => {
            let data_dir = &config.store.data_dir;
            findings.push(lock(data_dir));
            findings.push(access(data_dir));
            findings.push(files(data_dir.clone()).await);
            let list = |page| {
                let tenants = Embedded::peek_tenants(data_dir, &page);
                Box::pin(ready(tenants.map_err(|error| error.to_string()))) as Listed<'_>
            };
            findings.extend(imports(list).await);
        },
        (StoreKind::Postgres, Some(url)) => findings.extend(tables(url.expose()).await),
    }
    if let Some(url) = &config.cache.redis_url {
        findings.push(redis(url.expose()).await);
    }
    findings
}

fn lock(directory: &Path) -> Finding {
    const CHECK: &str = "data directory lock";
    let file = match File::open(directory.join(LOCK_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::ok(CHECK, "nobody has used it yet");
        },
        Err(error) => {
            let fix = "make the directory readable for the user that runs Sextant";
            return Finding::failed(CHECK, error.to_string(), fix);
        },
    };
    match file.try_lock_shared() {
        Ok(()) => Finding::ok(CHECK, "free"),
        Err(_held) => Finding::warning(
            CHECK,
            "held by another process",
            "fine if Sextant runs on it; otherwise stop what does",
        ),
    }
}

/// Whether others than the owner may read what customers have sent.
fn access(directory: &Path) -> Finding {
    const CHECK: &str = "data directory access";
    match Embedded::open_to_others(directory) {
        Ok(open) if open.is_empty() => Finding::ok(CHECK, "its owner's alone"),
        Ok(open) => {
            let open: Vec<String> = open.iter().map(|path| path.display().to_string()).collect();
            Finding::warning(
                CHECK,
                format!("others may read {}", open.join(", ")),
                format!("chmod -R go= {}", directory.display()),
            )
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::ok(CHECK, "there is none yet")
        },
        Err(error) => {
            let fix = "make the directory readable for the user that runs Sextant";
            Finding::failed(CHECK, error.to_string(), fix)
        },
    }
}

/// Whether the files are whole. Reads all of them.
async fn files(directory: PathBuf) -> Finding {
    const CHECK: &str = "data files";
    let checked = spawn_blocking(move || Embedded::damaged(&directory)).await;
    let damaged = match checked {
        Ok(damaged) => damaged,
        Err(error) => return Finding::failed(CHECK, error.to_string(), "run the check again"),
    };
    if damaged.is_empty() {
        return Finding::ok(CHECK, "undamaged");
    }
    let found: Vec<String> = damaged.iter().map(ToString::to_string).collect();
    let fix =
        "stop Sextant, keep a copy of the directory, and `sextant restore` a backup into a new one";
    Finding::failed(CHECK, found.join("; "), fix)
}

/// One finding for the tables of each service; connecting asks the server for its role and version too.
async fn tables(url: &str) -> Vec<Finding> {
    let mut config = postgres::Config::new(url);
    config.pool_size = 1;
    let ingestion = postgres::Ingestion::connect(&config).await;
    let mut findings = vec![
        table("PostgreSQL: ingestion", ingestion.as_ref().err()),
        table(
            "PostgreSQL: scoring",
            postgres::Scoring::connect(&config).await.err().as_ref(),
        ),
        table(
            "PostgreSQL: segmentation",
            postgres::Segmentation::connect(&config)
                .await
                .err()
                .as_ref(),
        ),
        table(
            "PostgreSQL: metrics",
            postgres::Metrics::connect(&config).await.err().as_ref(),
        ),
    ];
    if let Ok(ingestion) = &ingestion {
        let list = |page: Page| {
            Box::pin(async move {
                let tenants = ingestion.list(&page).await;
                tenants.map_err(|error| error.to_string())
            }) as Listed<'_>
        };
        findings.extend(imports(list).await);
    }
    findings
}

fn table(check: &'static str, error: Option<&ConnectError>) -> Finding {
    let Some(error) = error else {
        return Finding::ok(
            check,
            "answers, takes writes, and its tables are of this program's version",
        );
    };
    let fix = match &error {
        ConnectError::Url(_) => "correct store.postgres_url: postgresql://user@host/database",
        ConnectError::Refused(_) => {
            "correct store.postgres_url, or make the database and the user that it names"
        },
        ConnectError::Pool(_) | ConnectError::Unreachable(_) | ConnectError::Starting(_) => {
            "start the server, or correct store.postgres_url; behind a failover give all hosts and the writable one is used"
        },
        ConnectError::Forbidden { .. } => {
            "let a superuser grant sextant_app to the user of store.postgres_url, as `sextant serve` says"
        },
        ConnectError::Outdated { .. } => "run `sextant migrate`",
        ConnectError::Newer { .. } => {
            "run the version of Sextant that made these tables, or a newer one"
        },
    };
    Finding::failed(check, with_causes(&error), fix)
}

/// A page of tenants by name, or why there is none.
type Listed<'l> = BoxFuture<'l, Result<Vec<TenantRow>, String>>;

/// Of each tenant with an open import of history, that it waits for its end.
async fn imports<'l>(list: impl Fn(Page) -> Listed<'l>) -> Vec<Finding> {
    const CHECK: &str = "open imports";
    let mut findings = Vec::new();
    let mut page = Page::first(TENANTS);
    loop {
        let tenants = match list(page.clone()).await {
            Ok(tenants) => tenants,
            Err(error) => {
                let found = format!("the tenants cannot be read: {error}");
                let fix = "mend what else is found; `sextant serve` brings a store of an older version up to date";
                return vec![Finding::warning(CHECK, found, fix)];
            },
        };
        for one in &tenants {
            let Some(at) = one.import_opened_at else {
                continue;
            };
            let (name, since) = (&one.name, format::moment(at, &Zone::utc()));
            findings.push(Finding::warning(
                CHECK,
                format!(
                    "tenant \"{name}\": an import of history is open since {since} (UTC), and nothing of the tenant is evaluated until it is completed"
                ),
                format!(
                    "wait for it; if it was interrupted, go on in it with `sextant import --history … --resume`, or complete it as it is with \
                     `sextant tenants complete-import --tenant {name}`"
                ),
            ));
        }
        match tenants.last() {
            Some(last) if tenants.len() == TENANTS => page.after = Some(last.name.clone()),
            _ => break,
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "none"));
    }
    findings
}

async fn redis(url: &str) -> Finding {
    const CHECK: &str = "Redis";
    let Some((host, port)) = host_and_port(url) else {
        return Finding::failed(
            CHECK,
            "cache.redis_url has no host",
            "write redis://host:6379",
        );
    };
    let fix =
        "start the server or correct cache.redis_url; without it answers are the same, only slower";
    match timeout(PATIENCE, ping(host, port)).await {
        Ok(Ok(())) => Finding::ok(CHECK, format!("{host}:{port} answers")),
        Ok(Err(error)) => Finding::failed(CHECK, format!("{host}:{port}: {error}"), fix),
        Err(_elapsed) => Finding::failed(
            CHECK,
            format!(
                "{host}:{port} does not answer within {} s",
                PATIENCE.as_secs()
            ),
            fix,
        ),
    }
}

/// Any reply to PING is Redis: a server that wants a password says so.
async fn ping(host: &str, port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut reply = [0; 1];
    stream.read_exact(&mut reply).await?;
    if matches!(reply, [b'+' | b'-']) {
        return Ok(());
    }
    Err(io::Error::other("something else than Redis answers"))
}

/// Host and port of a `redis://` URL, without what is secret in it.
pub(crate) fn host_and_port(url: &str) -> Option<(&str, u16)> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let place = authority
        .rsplit_once('@')
        .map_or(authority, |(_, place)| place);
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (place, REDIS_PORT),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then_some((host, port))
}
