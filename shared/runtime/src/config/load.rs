//! Merging: flags over environment over file over defaults.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use toml::{Table, Value};

use crate::config::environment::Environment;
use crate::config::error::{Error, Origin};
use crate::config::keys::{KEYS, Key, find, near, of_section};
use crate::config::{Config, StoreKind};

const PREFIX: &str = "SEXTANT_";
/// Names the configuration file; not itself a key.
const FILE_VARIABLE: &str = "SEXTANT_CONFIG";
/// Variables of our own test runs; never configuration.
const TEST_PREFIX: &str = "SEXTANT_TEST_";

/// A value given on the command line.
#[derive(Debug, Clone)]
pub struct Flag {
    /// The flag as the user typed it, for messages: `--set`, `--listen`.
    pub name: String,
    /// The key it sets: `server.listen`.
    pub key: String,
    /// The value as text.
    pub value: String,
}

/// Where values may come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Command line, strongest; the last of two equal keys wins.
    pub flags: Vec<Flag>,
    /// Environment.
    pub environment: Environment,
    /// Configuration file; without one, `SEXTANT_CONFIG` may name it.
    pub file: Option<PathBuf>,
}

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: &'static str,
    /// The value as text, `(redacted)` for a secret, empty if absent.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
    /// What it means.
    pub about: &'static str,
}

/// A configuration and the origin of each of its values.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The typed configuration.
    pub config: Config,
    /// Every key, in a fixed order.
    pub entries: Vec<Entry>,
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
}

type Given = BTreeMap<&'static str, (Value, Origin)>;

/// Merges all sources.
///
/// # Errors
/// An unreadable file, an unknown key, a value out of its range, or a value that needs another; the error names key and source.
pub fn load(sources: &Sources) -> Result<Loaded, Error> {
    let mut given = Given::new();
    for key in KEYS {
        if let Some(text) = key.default {
            put(&mut given, key, text, Origin::Default)?;
        }
    }
    let named = sources.environment.get(FILE_VARIABLE).map(PathBuf::from);
    let file = sources.file.clone().or(named);
    if let Some(path) = &file {
        from_file(&mut given, path)?;
    }
    from_environment(&mut given, &sources.environment)?;
    for flag in &sources.flags {
        let origin = Origin::Flag(flag.name.clone());
        let Some(key) = find(&flag.key) else {
            return Err(unknown(flag.key.clone(), origin));
        };
        put(&mut given, key, &flag.value, origin)?;
    }
    let entries = KEYS
        .iter()
        .map(|key| entry(key, given.get(key.name)))
        .collect();
    let config = typed(given)?;
    Ok(Loaded {
        config,
        entries,
        file,
    })
}

fn put(given: &mut Given, key: &'static Key, text: &str, origin: Origin) -> Result<(), Error> {
    match key.kind.parse(text) {
        Some(value) => {
            given.insert(key.name, (value, origin));
            Ok(())
        },
        None => Err(invalid(key, text, origin)),
    }
}

fn invalid(key: &'static Key, text: &str, origin: Origin) -> Error {
    // Nothing is no secret, and the reader must know that it is nothing.
    let got = if key.is_secret() && !text.is_empty() {
        "(redacted)"
    } else {
        text
    };
    Error::ValueInvalid {
        key: key.name,
        origin,
        expected: key.kind.expected(),
        got: got.to_owned(),
    }
}

fn unknown(key: String, origin: Origin) -> Error {
    if of_section(&key).next().is_some() {
        return Error::SectionWithValue {
            section: key,
            origin,
        };
    }
    let did_you_mean = near(&key)
        .into_iter()
        .map(|key| key.name.to_owned())
        .collect();
    Error::KeyUnknown {
        key,
        origin,
        did_you_mean,
    }
}

fn from_file(given: &mut Given, path: &Path) -> Result<(), Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::FileUnreadable {
        path: path.to_owned(),
        source,
    })?;
    let table: Table = text
        .parse()
        .map_err(|error| malformed(path, &text, &error))?;
    let mut leaves = Vec::new();
    flatten("", &table, &mut leaves);
    for (name, value) in leaves {
        let origin = Origin::File(path.to_owned());
        let Some(key) = find(&name) else {
            return Err(unknown(name, origin));
        };
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Boolean(flag) => flag.to_string(),
            Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
                return Err(invalid(key, &value.to_string(), origin));
            },
        };
        put(given, key, &text, origin)?;
    }
    Ok(())
}

fn malformed(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let start = error.span().map_or(0, |span| span.start);
    let line = text
        .bytes()
        .take(start)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1;
    Error::FileMalformed {
        path: path.to_owned(),
        line,
        message: error.message().to_owned(),
    }
}

/// Every value of the file under its dotted name; an empty table has none.
fn flatten<'t>(prefix: &str, table: &'t Table, leaves: &mut Vec<(String, &'t Value)>) {
    for (name, value) in table {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            Value::Table(inner) if find(&path).is_none() => flatten(&path, inner, leaves),
            _ => leaves.push((path, value)),
        }
    }
}

fn from_environment(given: &mut Given, environment: &Environment) -> Result<(), Error> {
    for (variable, text) in environment.starting_with(PREFIX) {
        if variable == FILE_VARIABLE || variable.starts_with(TEST_PREFIX) {
            continue;
        }
        if let Some(key) = KEYS.iter().find(|key| key.variable() == variable) {
            put(given, key, text, Origin::Env(variable.to_owned()))?;
            continue;
        }
        let direct = variable.strip_suffix("_FILE").unwrap_or_default();
        if let Some(key) = KEYS
            .iter()
            .find(|key| key.is_secret() && key.variable() == direct)
        {
            if environment.get(direct).is_some() {
                return Err(Error::GivenTwice {
                    key: key.name,
                    variable: direct.to_owned(),
                });
            }
            let path = PathBuf::from(text);
            let secret = fs::read_to_string(&path).map_err(|source| Error::SecretUnreadable {
                variable: variable.to_owned(),
                path: path.clone(),
                source,
            })?;
            put(
                given,
                key,
                secret.trim_end(),
                Origin::EnvFile {
                    variable: variable.to_owned(),
                    path,
                },
            )?;
            continue;
        }
        refuse_unless_foreign(variable)?;
    }
    Ok(())
}

/// Kubernetes puts `SEXTANT_INGESTION_SERVICE_HOST` and the like into every pod beside a service of ours. A variable is
/// taken for configuration if it has the double underscore that every key has, or is a key but for underscores.
fn refuse_unless_foreign(variable: &str) -> Result<(), Error> {
    let squeezed = |name: &str| name.replace('_', "");
    let sloppy = KEYS
        .iter()
        .map(Key::variable)
        .find(|known| squeezed(known) == squeezed(variable));
    if sloppy.is_none() && !variable.contains("__") {
        return Ok(());
    }
    let name = variable
        .strip_prefix(PREFIX)
        .unwrap_or(variable)
        .to_lowercase()
        .replace("__", ".");
    let did_you_mean = match sloppy {
        Some(variable) => vec![variable],
        None => near(&name).into_iter().map(Key::variable).collect(),
    };
    Err(Error::KeyUnknown {
        key: variable.to_owned(),
        origin: Origin::Env(variable.to_owned()),
        did_you_mean,
    })
}

fn entry(key: &'static Key, given: Option<&(Value, Origin)>) -> Entry {
    let (value, origin) = match given {
        None => (String::new(), Origin::Default),
        Some((_, origin)) if key.is_secret() => ("(redacted)".to_owned(), origin.clone()),
        Some((Value::String(text), origin)) => (text.clone(), origin.clone()),
        Some((value, origin)) => (value.to_string(), origin.clone()),
    };
    Entry {
        key: key.name,
        value,
        origin,
        about: key.about,
    }
}

fn typed(given: Given) -> Result<Config, Error> {
    let mut root = Table::new();
    for key in KEYS {
        // Every section exists, even if none of its keys is given.
        let section = key.name.split('.').next().unwrap_or(key.name);
        root.entry(section)
            .or_insert_with(|| Value::Table(Table::new()));
    }
    for (name, (value, _)) in given {
        if let Some((section, leaf)) = name.split_once('.')
            && let Some(Value::Table(table)) = root.get_mut(section)
        {
            table.insert(leaf.to_owned(), value);
        }
    }
    let config = Config::deserialize(root).map_err(|source| Error::Inconsistent {
        source: Box::new(source),
    })?;
    if config.store.kind == StoreKind::Postgres && config.store.postgres_url.is_none() {
        return Err(Error::KeyNeeded {
            key: "store.postgres_url",
            because: "store.kind is \"postgres\"",
        });
    }
    Ok(config)
}
