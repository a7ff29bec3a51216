//! How a file that others wrote is read: which of its columns are what, and how it writes times and numbers.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map as Object, Value as Json};

use sextant_domain::time::Zone;

use crate::import::columns::Kind;
use crate::import::writing::Writing;

/// A mapping file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Map {
    /// What the rows are.
    pub(crate) kind: String,
    /// Between the columns: one character, or tab.
    #[serde(default = "comma")]
    pub(crate) delimiter: String,
    /// How letters beyond ASCII are written.
    #[serde(default)]
    pub(crate) encoding: Encoding,
    /// How times are written, in the directives of strftime, such as `%d.%m.%Y %H:%M`; without it RFC 3339 and days such as 2026-01-31.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<String>,
    /// IANA zone of times without an offset; without it, the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time_zone: Option<String>,
    /// What decimals begin with, a point or a comma; then digits may be grouped in threes, and have currency signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decimal: Option<char>,
    /// What every row says beside its cells, by column of ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) constants: BTreeMap<String, String>,
    /// Columns of the file, and the column of ours that each is; null: left out; a list: several.
    pub(crate) columns: Object<String, Json>,
}

/// How letters beyond ASCII are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Encoding {
    /// As everywhere today.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// As older programs for Windows have it; Latin-1 with letters where that has none.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

fn comma() -> String {
    ",".to_owned()
}

impl Map {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence with the fix.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|error| error.to_string())?;
        let map: Self = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        map.kind()?;
        map.delimiter()?;
        if let Some(decimal) = map.decimal
            && decimal != '.'
            && decimal != ','
        {
            return Err(format!("decimal is {decimal:?}; it must be \".\" or \",\""));
        }
        Ok(map)
    }

    pub(crate) fn kind(&self) -> Result<Kind, String> {
        Kind::parse(&self.kind).ok_or_else(|| {
            let kinds = Kind::ALL.map(Kind::as_str).join(", ");
            format!("kind is {:?}, which is none of {kinds}", self.kind)
        })
    }

    pub(crate) fn delimiter(&self) -> Result<u8, String> {
        delimiter(&self.delimiter).ok_or_else(|| {
            format!(
                "delimiter is {:?}; it must be one character, or tab",
                self.delimiter
            )
        })
    }

    /// How its cells are read. Days begin in the tenant's zone, unless the file has one of its own.
    pub(crate) fn writing(&self, tenants: &Zone) -> Result<Writing, String> {
        let zone = match &self.time_zone {
            None => tenants.clone(),
            Some(name) => Zone::parse(name).map_err(|error| format!("time_zone: {error}"))?,
        };
        let writing = Writing::new(&zone);
        let writing = match &self.times {
            None => writing,
            Some(format) => writing.with_times(format)?,
        };
        Ok(match self.decimal {
            None => writing,
            Some(decimal) => writing.with_decimal(decimal),
        })
    }

    /// Which columns of ours each column of the file is, in the order of the file.
    ///
    /// # Errors
    /// A column of the file that is not in the map, or one in the map that is not in the file, or that is mapped to no text.
    pub(crate) fn targets(&self, names: &[String]) -> Result<Vec<Vec<String>>, String> {
        let absent = self.columns.keys().find(|column| !names.contains(column));
        if let Some(absent) = absent {
            return Err(format!(
                "lacks the column \"{absent}\" of the map; its header is {}",
                names.join(", ")
            ));
        }
        names.iter().map(|name| self.targets_of(name)).collect()
    }

    fn targets_of(&self, name: &str) -> Result<Vec<String>, String> {
        let wrong = || {
            format!(
                "column \"{name}\" is mapped to something that is no column, no list of columns and not null"
            )
        };
        let text = |json: &Json| json.as_str().map(str::to_owned).ok_or_else(wrong);
        match self.columns.get(name) {
            None => Err(format!(
                "has the column \"{name}\", which is not in the map; add it there, with null to leave it out"
            )),
            Some(Json::Null) => Ok(Vec::new()),
            Some(Json::Array(several)) => several.iter().map(text).collect(),
            Some(one) => Ok(vec![text(one)?]),
        }
    }
}

/// A delimiter as it is written on the command line and in maps.
pub(crate) fn delimiter(text: &str) -> Option<u8> {
    match text.as_bytes() {
        _ if text == "tab" => Some(b'\t'),
        [byte] if byte.is_ascii() && *byte != b'"' && *byte != b'\n' && *byte != b'\r' => {
            Some(*byte)
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests;
