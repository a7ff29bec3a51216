//! The header of a CSV file: which of our columns it has, and where.

use sextant_runtime::config::nearest;

use crate::import::columns::Kind;
use crate::import::map::Map;

/// The header of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    kind: Kind,
    /// The columns as the file names them.
    names: Vec<String>,
    /// Our columns that it has: the kind's in its order, then the free ones by name. The order makes rows comparable.
    columns: Vec<(String, Held)>,
}

/// What holds a column of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// The cell at this place of a row.
    Cell(usize),
    /// Every row the same.
    Constant(String),
}

impl Header {
    /// Reads the header of a file whose columns are named as ours.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence with the fix.
    pub(crate) fn read(kind: Kind, names: Vec<String>, delimiter: u8) -> Result<Self, String> {
        check_names(&names, delimiter, "say --delimiter")?;
        // What lacks is told first: it may be meant by what is unknown.
        check_required(kind, &names, |name| names.iter().any(|one| one == name))?;
        if let Some(unknown) = names.iter().find(|name| !kind.has_column(name)) {
            return Err(is_unknown(kind, unknown));
        }
        let columns = names.iter().enumerate();
        let columns = columns.map(|(place, name)| (name.clone(), Held::Cell(place)));
        Self::of(kind, names.clone(), columns.collect())
    }

    /// Reads the header of a file whose columns a map names.
    ///
    /// # Errors
    /// What is wrong with it or with the map, in one sentence with the fix.
    pub(crate) fn mapped(map: &Map, names: Vec<String>) -> Result<Self, String> {
        let kind = map.kind()?;
        check_names(&names, map.delimiter()?, "say it in the map: delimiter")?;
        let mut columns: Vec<(String, Held)> = Vec::new();
        for (place, targets) in map.targets(&names)?.into_iter().enumerate() {
            columns.extend(targets.into_iter().map(|name| (name, Held::Cell(place))));
        }
        let constants = map.constants.iter();
        columns.extend(constants.map(|(name, text)| (name.clone(), Held::Constant(text.clone()))));
        for (at, (name, _)) in columns.iter().enumerate() {
            if !kind.has_column(name) {
                return Err(format!("has a map whose {}", is_unknown(kind, name)));
            }
            if columns.iter().take(at).any(|(before, _)| before == name) {
                return Err(format!(
                    "has a map by which two columns are \"{name}\"; keep one of them"
                ));
            }
        }
        check_required(kind, &names, |name| {
            columns.iter().any(|(one, _)| one == name)
        })?;
        Self::of(kind, names, columns)
    }

    /// A header that has all columns that it must have.
    fn of(
        kind: Kind,
        names: Vec<String>,
        mut columns: Vec<(String, Held)>,
    ) -> Result<Self, String> {
        let own = kind.columns();
        let place = |name: &str| {
            let place = own.iter().position(|column| column.name == name);
            place.unwrap_or(own.len())
        };
        columns.sort_by(|(one, _), (other, _)| (place(one), one).cmp(&(place(other), other)));
        let header = Self {
            kind,
            names,
            columns,
        };
        if kind == Kind::Accounts && !header.has("time") && !header.has("created_at") {
            return Err(
                "needs a column \"time\" or \"created_at\": a record has a time of its own"
                    .to_owned(),
            );
        }
        Ok(header)
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Number of columns of the file.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The file's name of a column at a place.
    pub(crate) fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("", String::as_str)
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.held(column).is_some()
    }

    /// What holds a column of ours.
    pub(crate) fn held(&self, column: &str) -> Option<&Held> {
        let found = self.columns.iter().find(|(name, _)| name == column);
        found.map(|(_, held)| held)
    }

    /// Our columns that it has, in an order that does not depend on the file's.
    pub(crate) fn columns(&self) -> &[(String, Held)] {
        &self.columns
    }

    /// How the file names a column of ours.
    pub(crate) fn shown<'h>(&'h self, column: &'h str) -> &'h str {
        match self.held(column) {
            Some(Held::Cell(place)) => self.name(*place),
            Some(Held::Constant(_)) | None => column,
        }
    }
}

/// Refuses a header that is cut at another sign, lacks names, or has one twice.
fn check_names(names: &[String], delimiter: u8, fix: &str) -> Result<(), String> {
    if let [only] = names
        && let Some(other) = [',', ';', '\t', '|']
            .into_iter()
            .find(|other| only.contains(*other))
        && u32::from(delimiter) != u32::from(other)
    {
        let (shown, said) = if other == '\t' {
            ("tab".to_owned(), "tab".to_owned())
        } else {
            // As a shell takes it.
            (other.to_string(), format!("'{other}'"))
        };
        return Err(format!(
            "its header is one column with \"{shown}\" in it; {fix} {said}"
        ));
    }
    for (place, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(format!("column {} has no name in the header", place + 1));
        }
        if names.iter().take(place).any(|before| before == name) {
            return Err(format!(
                "column \"{name}\" is twice in the header; remove or rename one"
            ));
        }
    }
    Ok(())
}

fn check_required(kind: Kind, names: &[String], has: impl Fn(&str) -> bool) -> Result<(), String> {
    let mut required = kind.columns().iter().filter(|column| column.required);
    match required.find(|column| !has(column.name)) {
        Some(column) => Err(missing(kind, column.name, names)),
        None => Ok(()),
    }
}

fn missing(kind: Kind, column: &str, names: &[String]) -> String {
    let others = names.iter().map(String::as_str);
    let others = others.filter(|name| !kind.columns().iter().any(|column| column.name == *name));
    let meant = others.filter(|name| meant_by(name, kind) == Some(column));
    let meant: Vec<String> = meant
        .map(|name| format!("; did you mean it by \"{name}\"?"))
        .collect();
    format!(
        "lacks the column \"{column}\" that {} need{}; its header is {}",
        kind.as_str(),
        meant.concat(),
        names.join(", ")
    )
}

/// The column of the kind that a name may stand for.
fn meant_by(name: &str, kind: Kind) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    nearest(&lower, kind.columns().iter().map(|column| column.name))
}

fn is_unknown(kind: Kind, name: &str) -> String {
    let own = kind.columns().iter().map(|column| column.name.to_owned());
    let free = kind.free_prefixes().iter();
    let free = free.map(|(prefix, _)| format!("{prefix}NAME"));
    let known: Vec<String> = own.chain(free).collect();
    let meant = meant_by(name, kind).map(|meant| format!("did you mean \"{meant}\"? "));
    format!(
        "column \"{name}\" is none of {}; {}rename or remove it",
        known.join(", "),
        meant.unwrap_or_default()
    )
}
