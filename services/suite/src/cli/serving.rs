//! What a process serves, and what it does that with: printed once it does.

use sextant_runtime::config::{Config, Loaded, StoreKind};

use crate::cli::key_origin;
use crate::doctor::stores::host_and_port;
use crate::installation::{Role, Running};
use crate::output::{Block, Cell, Column, format};

/// One line about each thing that an operator looks for first. Nothing in it is secret.
pub(crate) fn block(loaded: &Loaded, role: Role, running: &Running) -> Block {
    let config = &loaded.config;
    let columns = vec![Column::left("what", "What"), Column::left("value", "Value")];
    let mut block = Block::new("serving", "Serving until Ctrl-C", columns);
    let mut line = |what: &'static str, value: String| {
        block.rows.push(vec![Cell::text(what), Cell::text(value)]);
    };
    line("services", services(role));
    line("address", format!("http://{}", running.address));
    line("admin", format!("http://{}", config.server.admin_listen));
    line("store", store(config));
    if matches!(role, Role::All | Role::Segmentation) {
        line("caches", caches(config));
        line("segmenters", running.segmenters.join(", "));
    }
    let file = loaded.file.as_ref().map(|file| file.display().to_string());
    line(
        "configuration",
        file.unwrap_or_else(|| "no file".to_owned()),
    );
    line("key", key(config, role));
    block
}

fn services(role: Role) -> String {
    let of_all = Role::ALL.into_iter().filter(|one| *one != Role::All);
    let names: Vec<&str> = match role {
        Role::All => of_all.map(Role::as_str).collect(),
        Role::Ingestion | Role::Scoring | Role::Segmentation | Role::Metrics => vec![role.as_str()],
    };
    names.join(", ")
}

fn store(config: &Config) -> String {
    let directory = config.store.data_dir.display();
    let url = config.store.postgres_url.as_ref();
    match (config.store.kind, url.map(|url| place(url.expose()))) {
        (StoreKind::Embedded, _) => format!("SQLite files in {directory}"),
        (StoreKind::Postgres, Some(place)) => format!("PostgreSQL at {place}"),
        (StoreKind::Postgres, None) => "PostgreSQL".to_owned(),
    }
}

/// Hosts of a PostgreSQL URL: neither its user, its password nor its options.
fn place(url: &str) -> String {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let hosts = authority
        .rsplit_once('@')
        .map_or(authority, |(_, hosts)| hosts);
    if hosts.is_empty() {
        "the host of its options".to_owned()
    } else {
        hosts.to_owned()
    }
}

fn caches(config: &Config) -> String {
    let entries = config.cache.in_process_entries;
    let own = (entries > 0).then(|| format!("{} entries in this process", format::count(entries)));
    let redis = config.cache.redis_url.as_ref().map(|url| {
        host_and_port(url.expose()).map_or_else(
            || "Redis".to_owned(),
            |(host, port)| format!("Redis at {host}:{port}"),
        )
    });
    let all: Vec<String> = own.into_iter().chain(redis).collect();
    if all.is_empty() {
        "none".to_owned()
    } else {
        all.join(", ")
    }
}

/// Where a first key to call with is.
fn key(config: &Config, role: Role) -> String {
    match (&config.auth.admin_key, role) {
        (Some(_), Role::All | Role::Ingestion) => {
            "that of auth.admin_key, and those in the store".to_owned()
        },
        (None, Role::All) => key_origin::local_file(&config.store.data_dir)
            .display()
            .to_string(),
        (Some(_) | None, Role::Ingestion | Role::Scoring | Role::Segmentation | Role::Metrics) => {
            "those that ingestion has in its store".to_owned()
        },
    }
}

#[cfg(test)]
mod tests;
