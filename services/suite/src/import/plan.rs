//! A proposal how a file that others wrote is mapped: from the names of its columns and what is in them.

mod names;
mod sample;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map as Object, Value as Json};

use sextant_domain::time::Zone;

use crate::import::Error;
use crate::import::columns::Kind;
use crate::import::map::{Encoding, Map};
use crate::import::plan::names::{Meaning, Product, kind_of, meant};
use crate::import::plan::sample::Sample;
use crate::import::writing::Writing;

/// How times are written in exports, in the order in which they are tried: where a day and a month may be either, as in the United
/// States first. None: as our own files have it.
const TIMES: [Option<&str>; 17] = [
    None,
    Some("%Y-%m-%d %H:%M:%S"),
    Some("%Y-%m-%d %H:%M"),
    Some("%Y-%m-%dT%H:%M:%S%.f%z"),
    Some("%Y-%m-%dT%H:%M:%S%.f"),
    Some("%Y/%m/%d"),
    Some("%m/%d/%Y"),
    Some("%d/%m/%Y"),
    Some("%d.%m.%Y"),
    Some("%m/%d/%Y %H:%M"),
    Some("%d/%m/%Y %H:%M"),
    Some("%d.%m.%Y %H:%M"),
    Some("%m/%d/%Y, %I:%M %p"),
    Some("%d/%m/%Y, %I:%M %p"),
    Some("%m/%d/%Y %I:%M %p"),
    Some("%d/%m/%Y %I:%M %p"),
    Some("%d-%b-%Y"),
];
/// One cell of so many that cannot be read is few.
const FEW: usize = 10;
/// Formats that differ in nothing but which of two numbers is the month.
const EITHER_WAY: [(&str, &str); 4] = [
    ("%m/%d/%Y", "%d/%m/%Y"),
    ("%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M"),
    ("%m/%d/%Y, %I:%M %p", "%d/%m/%Y, %I:%M %p"),
    ("%m/%d/%Y %I:%M %p", "%d/%m/%Y %I:%M %p"),
];

/// A column of the file in a proposal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proposed {
    /// Its name.
    pub(crate) name: String,
    /// What it becomes; nothing: it is left out.
    pub(crate) targets: Vec<String>,
    /// What is in it, of a row that has it.
    pub(crate) example: String,
    /// Why it is not what its name says.
    pub(crate) note: String,
}

/// A proposal.
#[derive(Debug)]
pub(crate) struct Proposal {
    /// Whose export it is, if it is known.
    pub(crate) product: Option<&'static str>,
    pub(crate) columns: Vec<Proposed>,
    pub(crate) map: Map,
    /// What to look at before it is used.
    pub(crate) notes: Vec<String>,
}

/// Proposes a map for a file. What its rows are, and its delimiter, are guessed where they are not said.
///
/// # Errors
/// A file that cannot be read, or that has no rows that anything can be told from.
pub(crate) fn propose(
    path: &Path,
    kind: Option<Kind>,
    delimiter: Option<u8>,
) -> Result<Proposal, Error> {
    let sample = Sample::read(path, delimiter)?;
    let product = Product::of(&sample.names);
    let kind = match kind {
        Some(kind) => kind,
        None => kind_of(product, &sample.names),
    };
    let product = product.filter(|_| kind == Kind::Accounts);
    let mut draft = Draft::new(kind, product, &sample);
    draft.find_times();
    draft.find_numbers();
    draft.find_traits();
    Ok(draft.finish())
}

/// A proposal that is being made.
struct Draft<'s> {
    kind: Kind,
    product: Option<Product>,
    sample: &'s Sample,
    columns: Vec<Proposed>,
    times: Option<&'static str>,
    decimal: Option<char>,
    notes: Vec<String>,
}

impl<'s> Draft<'s> {
    /// What the names say alone.
    fn new(kind: Kind, product: Option<Product>, sample: &'s Sample) -> Self {
        let mut columns: Vec<Proposed> = Vec::with_capacity(sample.names.len());
        let mut meanings = Vec::new();
        for (place, name) in sample.names.iter().enumerate() {
            let Meaning { targets, rank } = meant(kind, product, name);
            meanings.push((rank, place, targets));
            columns.push(Proposed {
                name: name.clone(),
                targets: Vec::new(),
                example: sample.example(place),
                note: String::new(),
            });
        }
        // Of several columns of one meaning the one has it whose name says it most plainly, and of these the first.
        meanings.sort_unstable();
        let mut taken = BTreeSet::new();
        for (_, place, targets) in meanings {
            if let Some(column) = columns.get_mut(place) {
                let free = targets
                    .into_iter()
                    .filter(|target| taken.insert(target.clone()));
                column.targets = free.collect();
            }
        }
        Self {
            columns,
            kind,
            product,
            sample,
            times: None,
            decimal: None,
            notes: Vec::new(),
        }
    }

    /// The format by which most times can be read.
    fn find_times(&mut self) {
        let plain = Writing::new(&Zone::utc());
        // A format that could not be read by at all would read nothing.
        let ways = TIMES.iter().filter_map(|format| match format {
            None => Some((None, plain.clone())),
            Some(format) => Some((Some(*format), plain.clone().with_times(format).ok()?)),
        });
        let read = self.read_by(ways, is_time, |writing, _, text| writing.time(text).is_ok());
        let Some(best) = best_of(&read) else { return };
        let other_way = EITHER_WAY.iter().find(|(one, _)| Some(*one) == best.way);
        let is_either = other_way.filter(|(_, other)| {
            let other = read.iter().find(|one| one.way == Some(*other));
            other.is_some_and(|other| other.n_read() >= best.n_read())
        });
        if let Some((one, other)) = is_either {
            self.notes.push(format!(
                "times fit \"{one}\" and \"{other}\" alike: see which it is, and write it into the map"
            ));
        }
        self.times = best.way;
        self.judge(&best.columns, "time");
    }

    /// The sign by which most numbers can be read.
    fn find_numbers(&mut self) {
        let plain = Writing::new(&Zone::utc());
        let ways = [
            (None, plain.clone()),
            (Some('.'), plain.clone().with_decimal('.')),
            (Some(','), plain.with_decimal(',')),
        ];
        let read = self.read_by(ways, is_number, |writing, targets, text| {
            writing.is_number(text, is_whole(targets))
        });
        let Some(best) = best_of(&read) else { return };
        self.decimal = best.way;
        self.judge(&best.columns, "number");
    }

    /// How many cells of the columns that become one of some can be read, by each way of writing.
    fn read_by<W>(
        &self,
        ways: impl IntoIterator<Item = (W, Writing)>,
        is_one: impl Fn(&str) -> bool,
        is_read: impl Fn(&Writing, &[String], &str) -> bool,
    ) -> Vec<ReadBy<W>> {
        let columns = self.columns.iter().enumerate();
        let columns = columns.filter(|(_, one)| one.targets.iter().any(|target| is_one(target)));
        let columns: Vec<(usize, &Proposed)> = columns.collect();
        let read = ways.into_iter().map(|(way, writing)| ReadBy {
            way,
            columns: columns
                .iter()
                .map(|(place, one)| {
                    let texts = self.sample.texts(*place);
                    let read = texts.filter(|text| is_read(&writing, &one.targets, text));
                    (*place, read.count())
                })
                .collect(),
        });
        read.collect()
    }

    /// Columns of which few cells cannot be read keep what their names say: those rows are refused. Of the others the names mislead.
    fn judge(&mut self, read: &[(usize, usize)], what: &str) {
        for (place, n_read) in read {
            let n_cells = self.sample.texts(*place).count();
            let n_unread = n_cells - n_read;
            if n_unread * FEW > n_cells {
                self.demote(
                    *place,
                    &format!("{n_unread} of {n_cells} cells are no {what} that can be read"),
                );
            } else if n_unread > 0
                && let Some(column) = self.columns.get_mut(*place)
            {
                column.note = format!(
                    "{n_unread} of {n_cells} cells are no {what} that can be read: these rows will not be taken"
                );
            }
        }
    }

    /// Takes from a column what its name says.
    fn demote(&mut self, place: usize, note: &str) {
        if let Some(column) = self.columns.get_mut(place) {
            column.targets.clear();
            note.clone_into(&mut column.note);
        }
    }

    /// What is left becomes traits, or data of events; what is empty is left out.
    fn find_traits(&mut self) {
        let mut taken: BTreeSet<String> = self
            .columns
            .iter()
            .flat_map(|one| one.targets.clone())
            .collect();
        for column in self.columns.iter_mut().filter(|one| one.targets.is_empty()) {
            if column.example.is_empty() {
                "empty".clone_into(&mut column.note);
                continue;
            }
            let Some(prefix) = self.kind.value_prefix() else {
                if column.note.is_empty() {
                    column.note = format!("{} have no such column", self.kind.as_str());
                }
                continue;
            };
            let name = format!("{prefix}{}", names::snake(&column.name));
            let mut numbered = (2..).map(|number| format!("{name}_{number}"));
            let free = if taken.contains(&name) {
                numbered.find(|name| !taken.contains(name))
            } else {
                Some(name)
            };
            taken.extend(free.clone());
            column.targets.extend(free);
        }
    }

    fn finish(mut self) -> Proposal {
        self.note_what_lacks();
        let mut columns = Object::new();
        for column in &self.columns {
            let json = match column.targets.as_slice() {
                [] => Json::Null,
                [one] => Json::from(one.as_str()),
                several => Json::from(several.to_vec()),
            };
            columns.insert(column.name.clone(), json);
        }
        let map = Map {
            kind: self.kind.as_str().to_owned(),
            delimiter: self.sample.delimiter_text(),
            encoding: self.sample.encoding,
            times: self.times.map(str::to_owned),
            time_zone: None,
            decimal: self.decimal,
            constants: std::collections::BTreeMap::new(),
            columns,
        };
        Proposal {
            product: self.product.map(Product::as_str),
            columns: self.columns,
            map,
            notes: self.notes,
        }
    }

    fn note_what_lacks(&mut self) {
        if self.sample.encoding == Encoding::Windows1252 {
            self.notes.push(
                "it is read as Windows-1252, for most of its letters beyond ASCII are no UTF-8"
                    .to_owned(),
            );
        }
        let has = |name: &str| {
            let mut targets = self.columns.iter().flat_map(|one| &one.targets);
            targets.any(|target| target == name)
        };
        let required = self.kind.columns().iter().filter(|column| column.required);
        let lacking: Vec<&str> = required
            .map(|column| column.name)
            .filter(|name| !has(name))
            .collect();
        let has_no_time = self.kind == Kind::Accounts && !has("time") && !has("created_at");
        for name in lacking {
            self.notes.push(format!(
                "no column is \"{name}\": map one to it, or, where every row has the same, write it into constants"
            ));
        }
        if has_no_time {
            self.notes.push(
                "no column is \"time\" or \"created_at\": map one to it, or write the day of the export into constants, as time"
                    .to_owned(),
            );
        }
        if self.times.is_some_and(|format| !format.contains("%z")) {
            self.notes.push(
                "times have no offset: they are those of the tenant's zone, unless the map names another time_zone"
                    .to_owned(),
            );
        }
    }
}

/// What can be read by a way of writing.
struct ReadBy<W> {
    way: W,
    /// Places of columns, and how many of their cells.
    columns: Vec<(usize, usize)>,
}

impl<W> ReadBy<W> {
    fn n_read(&self) -> usize {
        self.columns.iter().map(|(_, n_read)| n_read).sum()
    }
}

/// The way by which most can be read; of several the first.
fn best_of<W>(read: &[ReadBy<W>]) -> Option<&ReadBy<W>> {
    read.iter().rev().max_by_key(|one| one.n_read())
}

fn is_time(target: &str) -> bool {
    target == "time" || target.ends_with("_at")
}

fn is_whole(targets: &[String]) -> bool {
    const DECIMALS: [&str; 14] = [
        "score",
        "scale_min",
        "scale_max",
        "sentiment",
        "weight",
        "csat_score",
        "depth_weight",
        "unit_amount",
        "total",
        "tax",
        "amount",
        "refunded",
        "fx_rate",
        "percent_off",
    ];
    !targets
        .iter()
        .any(|target| DECIMALS.contains(&target.as_str()))
}

fn is_number(target: &str) -> bool {
    const COUNTS: [&str; 10] = [
        "employee_count",
        "reopened_count",
        "message_count",
        "minutes",
        "step",
        "horizon_days",
        "quantity",
        "duration_ms",
        "interval_count",
        "rank",
    ];
    COUNTS.contains(&target) || !is_whole(&[target.to_owned()])
}

#[cfg(test)]
mod tests;
