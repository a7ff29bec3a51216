//! The list of keys: name, kind, default and meaning. The only place where a default is written.

use std::net::SocketAddr;

use toml::Value;

/// One configurable value.
#[derive(Debug)]
pub(crate) struct Key {
    /// Section and name: `server.listen`.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// `None` = absent unless given.
    pub(crate) default: Option<&'static str>,
    /// One line for `config show`.
    pub(crate) about: &'static str,
}

/// What texts a key accepts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Secret,
    Path,
    /// `host:port` with a numeric host.
    Address,
    /// `http://…` or `https://…`.
    Url,
    /// A URL of something that is spoken to without TLS.
    PlainUrl,
    Integer {
        min: i64,
        max: i64,
    },
    /// true or false.
    Flag,
    /// 0 to 1.
    Ratio,
    OneOf(&'static [&'static str]),
}

const HOUR_MS: i64 = 3_600_000;

const fn key(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key {
        name,
        kind,
        default: Some(default),
        about,
    }
}

const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key {
        name,
        kind,
        default: None,
        about,
    }
}

const fn integer(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max }
}

/// All keys, in the order in which `config show` prints them.
pub(crate) const KEYS: &[Key] = &[
    key(
        "server.listen",
        Kind::Address,
        "127.0.0.1:7070",
        "address of the gRPC port",
    ),
    key(
        "server.admin_listen",
        Kind::Address,
        "127.0.0.1:7071",
        "address of /metrics, /healthz and /readyz",
    ),
    key(
        "server.expose",
        Kind::Flag,
        "false",
        "whether the embedded engine may be served at an address that other machines reach, unencrypted",
    ),
    key(
        "server.max_in_flight",
        integer(1, 1_000_000),
        "512",
        "calls that one service works on at the same time, of clients and again of other services; one that waits for a position is none",
    ),
    key(
        "server.max_queue_ms",
        integer(1, 60_000),
        "100",
        "longest wait of a call for its turn before it is shed",
    ),
    key(
        "server.default_deadline_ms",
        integer(1, HOUR_MS),
        "10000",
        "longest wait for an answer when the caller gave no deadline",
    ),
    key(
        "server.drain_notice_ms",
        integer(0, 600_000),
        "0",
        "time between \"not ready\" and refusing connections after SIGTERM",
    ),
    key(
        "server.drain_ms",
        integer(0, HOUR_MS),
        "20000",
        "time that running calls have to finish during shutdown",
    ),
    key(
        "server.max_connection_age_s",
        integer(1, 86_400),
        "1800",
        "age at which a connection is asked to reconnect",
    ),
    key(
        "store.kind",
        Kind::OneOf(&["embedded", "postgres"]),
        "embedded",
        "engine that keeps the data",
    ),
    key(
        "store.data_dir",
        Kind::Path,
        "data",
        "directory of the embedded engine's files",
    ),
    optional(
        "store.postgres_url",
        Kind::Secret,
        "connection string of PostgreSQL",
    ),
    key(
        "store.pool_size",
        integer(1, 10_000),
        "8",
        "database connections per process",
    ),
    key(
        "cache.in_process_entries",
        integer(0, 1_000_000_000),
        "100000",
        "entries of the in-process cache",
    ),
    optional(
        "cache.redis_url",
        Kind::Secret,
        "Redis, when several processes share a cache",
    ),
    key(
        "cache.redis_timeout_ms",
        integer(1, 60_000),
        "100",
        "longest wait for Redis; then the read is a miss",
    ),
    key(
        "cache.tenant_idle_s",
        integer(1, 86_400),
        "300",
        "time after which a tenant that nobody asks for leaves memory",
    ),
    key(
        "cache.tenant_facts",
        integer(0, 1_000_000_000_000),
        "1000000",
        "facts, accounts, memberships and moves that a service keeps in memory, a few hundred bytes each; more than the largest tenant has",
    ),
    optional(
        "services.ingestion",
        Kind::Url,
        "address of ingestion; absent = in this process",
    ),
    optional(
        "services.scoring",
        Kind::Url,
        "address of scoring; absent = in this process",
    ),
    optional(
        "services.segmentation",
        Kind::Url,
        "address of segmentation; absent = in this process",
    ),
    optional(
        "services.metrics",
        Kind::Url,
        "address of metrics; absent = in this process",
    ),
    optional(
        "auth.service_key",
        Kind::Secret,
        "key by which services in processes of their own know each other, the same in each; absent = one is made, which is enough for serve all",
    ),
    optional(
        "auth.admin_key",
        Kind::Secret,
        "first key of the installation, with every scope; absent = local.key in the data directory",
    ),
    key(
        "auth.key_cache_s",
        integer(0, 3_600),
        "30",
        "longest time that a revoked key keeps working",
    ),
    optional(
        "plugins.builtin_dir",
        Kind::Path,
        "directory of the built-in segmenters; absent = beside the binary",
    ),
    optional(
        "plugins.watched_dir",
        Kind::Path,
        "directory whose segmenters (*.so) are published as they come; absent = there is none",
    ),
    key(
        "plugins.trust",
        Kind::OneOf(&["open", "digest", "signed"]),
        "open",
        "open = what is published may be used, digest = once an admin has approved it, signed = where a key of plugins.trust_file has signed it; with the last two, of servers only those that are listed there",
    ),
    optional(
        "plugins.trust_file",
        Kind::Path,
        "JSON file with the keys that may sign segmenters, the servers that may be registered, and what was taken back; read again when it changes",
    ),
    optional(
        "plugins.token_dir",
        Kind::Path,
        "directory with the tokens that servers of segmenters ask for, a file each; absent = there are none",
    ),
    key(
        "plugins.sandbox",
        Kind::OneOf(&["whole", "partial"]),
        "partial",
        "whole = a segmenter is refused where the kernel does not offer all of its sandbox",
    ),
    key(
        "plugins.memory_mb",
        integer(16, 65_536),
        "1024",
        "most memory of a segmenter in a process of its own, whatever it asks for",
    ),
    key(
        "plugins.call_ms",
        integer(1, 60_000),
        "1000",
        "longest time of one call of such a segmenter",
    ),
    key(
        "plugins.fit_ms",
        integer(1, 3_600_000),
        "60000",
        "longest time in which such a segmenter learns from the accounts of a tenant",
    ),
    key(
        "telemetry.log_filter",
        Kind::Text,
        "info",
        "log level, and levels per target",
    ),
    key(
        "telemetry.log_format",
        Kind::OneOf(&["text", "json"]),
        "text",
        "how log lines look",
    ),
    optional(
        "telemetry.otlp_endpoint",
        Kind::PlainUrl,
        "OTLP collector (gRPC, without TLS) for traces",
    ),
    key(
        "telemetry.trace_sample_ratio",
        Kind::Ratio,
        "1",
        "share of traces that start here and are kept",
    ),
    key(
        "ingest.retention_days",
        integer(1, 36_500),
        "1826",
        "age in days up to which records are taken, of tenants that name none; what is stored stays",
    ),
    key(
        "ingest.max_batch_bytes",
        integer(1_024, 67_108_864),
        "4194304",
        "largest batch in bytes",
    ),
    key(
        "ingest.max_batch_records",
        integer(1, 1_000_000),
        "10000",
        "largest batch in records",
    ),
    key(
        "ingest.max_waiting_bytes",
        integer(1_048_576, 1_099_511_627_776),
        "268435456",
        "bytes of records that all streams together may have sent and not stored yet; a tenant's may have a quarter, then they wait",
    ),
    optional(
        "ingest.webhook_dir",
        Kind::Path,
        "directory of the endpoints of webhooks, a file NAME.json each, read at every delivery; absent = there are none",
    ),
];

impl Key {
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }

    /// `SEXTANT_SERVER__LISTEN` for `server.listen`.
    pub(crate) fn variable(&self) -> String {
        format!("SEXTANT_{}", self.name.replace('.', "__").to_uppercase())
    }
}

impl Kind {
    /// The value of a text, or `None` if the text is not of this kind.
    pub(crate) fn parse(self, text: &str) -> Option<Value> {
        match self {
            Self::Text | Self::Secret | Self::Path => {
                (!text.is_empty()).then(|| Value::String(text.to_owned()))
            },
            Self::Address => text
                .parse::<SocketAddr>()
                .ok()
                .map(|_| Value::String(text.to_owned())),
            Self::Url | Self::PlainUrl => {
                let uri: http::Uri = text.parse().ok()?;
                let known = match uri.scheme_str() {
                    Some("http") => true,
                    Some("https") => matches!(self, Self::Url),
                    _ => false,
                };
                (known && uri.host().is_some()).then(|| Value::String(text.to_owned()))
            },
            Self::Integer { min, max } => {
                let number: i64 = text.parse().ok()?;
                (min..=max)
                    .contains(&number)
                    .then_some(Value::Integer(number))
            },
            Self::Flag => text.parse().ok().map(Value::Boolean),
            Self::Ratio => {
                let number: f64 = text.parse().ok()?;
                (0.0..=1.0)
                    .contains(&number)
                    .then_some(Value::Float(number))
            },
            Self::OneOf(words) => words
                .contains(&text)
                .then(|| Value::String(text.to_owned())),
        }
    }

    /// What [`Kind::parse`] accepts, for an error message.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Text | Self::Secret => "a text that is not empty".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Address => "an address such as 127.0.0.1:7070".to_owned(),
            Self::Url => "an address such as http://127.0.0.1:7070".to_owned(),
            Self::PlainUrl => "an address without TLS, such as http://127.0.0.1:4317".to_owned(),
            Self::Integer { min, max } => format!("an integer from {min} to {max}"),
            Self::Flag => "true or false".to_owned(),
            Self::Ratio => "a number from 0 to 1".to_owned(),
            Self::OneOf(words) => words.join(" or "),
        }
    }
}

/// The key of that name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Similarity below which a suggestion would only confuse.
const NEAR: f64 = 0.7;

/// The keys that a reader may have meant: the one with this last part if there is just one, else the one whose last part is most
/// similar, else those that have a word in common with it, else all of the section. A known section is left only by the first.
pub(crate) fn near(name: &str) -> Vec<&'static Key> {
    let (section, leaf) = parts(name);
    let same_leaf: Vec<&Key> = KEYS
        .iter()
        .filter(|key| parts(key.name).1 == leaf)
        .collect();
    if same_leaf.len() == 1 {
        return same_leaf;
    }
    let of_section: Vec<&Key> = of_section(section).collect();
    let candidates = if of_section.is_empty() {
        KEYS.iter().collect()
    } else {
        of_section.clone()
    };
    let similar = nearest(leaf, candidates.iter().map(|key| parts(key.name).1));
    let is_similar = |key: &&&Key| similar == Some(parts(key.name).1);
    if let Some(key) = candidates.iter().find(is_similar) {
        return vec![key];
    }
    let sharing: Vec<&Key> = candidates
        .into_iter()
        .filter(|key| words(parts(key.name).1).any(|word| words(leaf).any(|other| other == word)))
        .collect();
    if sharing.is_empty() {
        of_section
    } else {
        sharing
    }
}

/// The keys of a section.
pub(crate) fn of_section(section: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| parts(key.name).0 == section)
}

/// The name that a reader may have meant who wrote another one; `None`: it is like none of them.
#[must_use]
pub fn nearest<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let similarity = |name: &str| strsim::normalized_damerau_levenshtein(written, name);
    names
        .into_iter()
        .filter(|name| similarity(name) >= NEAR)
        .max_by(|left, right| similarity(left).total_cmp(&similarity(right)))
}

/// Section, empty if there is none, and last part.
fn parts(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

/// The words of a last part, units such as `ms` left out.
fn words(leaf: &str) -> impl Iterator<Item = &str> {
    leaf.split('_').filter(|word| word.len() > 2)
}
