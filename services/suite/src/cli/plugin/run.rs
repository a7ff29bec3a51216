//! `sextant plugin run`: what a segmenter says of one's own rows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ArgMatches;
use serde_json::Value;

use sextant_domain::time::{Instant, Zone};
use sextant_plugin_host::{
    ABSTAIN, Call, Deadline, Descriptor, Feature, FeatureType, NO_SEGMENT, Segmenter, rows,
};
use sextant_proto::segmentation::v1::MembershipState;
use sextant_runtime::clock::Clock;

use crate::cli::context::{Context, text_of};
use crate::cli::plugin::{Origin, waiting};
use crate::error::Error;
use crate::output::{Block, Cell, Column};
use crate::view;

/// The column that names a row.
const ACCOUNT: &str = "account_id";
/// Rows that are shown at once.
const ROWS: usize = 4_096;
const REASONS: u32 = 3;
const LONGEST: Duration = Duration::from_secs(60);

/// Rows of a file: what they are called, and their values.
struct Rows {
    names: Vec<String>,
    values: Vec<Vec<Value>>,
}

/// Runs the rows of a CSV file through a segmenter.
pub(crate) async fn run(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let origin = Origin::named(&text_of(matches, "segmenter"), matches)?;
    let csv = matches.get_one::<PathBuf>("csv").cloned();
    let csv = csv.ok_or_else(|| Error::usage("name the rows with --csv FILE"))?;
    let config = text_of(matches, "segmenter-config");
    let as_of = as_of(matches)?;
    let block = waiting(move || Ok(shown(judge(&origin, &csv, &config, as_of)?))).await?;
    context.print(matches, &Zone::utc(), &block.into())
}

/// The "now" of the model.
pub(crate) fn as_of(matches: &ArgMatches) -> Result<Instant, Error> {
    match text_of(matches, "as-of").as_str() {
        "" => Ok(Clock::real().now()),
        text => Instant::parse(text).map_err(|error| Error::usage(format!("--as-of: {error}"))),
    }
}

/// What a segmenter says of one row.
pub(crate) struct Judged {
    /// The row's name.
    pub(crate) account: String,
    /// Where it is, or that it has no answer.
    pub(crate) segment: Cell,
    /// Why.
    pub(crate) reasons: Vec<String>,
    /// Why there is no answer.
    pub(crate) trouble: Cell,
}

/// The title of a segmenter, and what it says of the rows of a file.
pub(crate) fn judge(
    origin: &Origin,
    csv: &Path,
    config: &str,
    as_of: Instant,
) -> Result<(String, Vec<Judged>), Error> {
    let refused = |error: &dyn std::fmt::Display| Error::usage(error.to_string());
    let segmenter = Segmenter::from(origin.open()?);
    let configured = segmenter.configured(config, None);
    let configured = configured.map_err(|error| refused(&error))?;
    let read = read(csv, &configured)?;
    let batches = read.values.chunks(ROWS).map(|values| {
        let batch = rows::of_values(&configured, values);
        batch.map_err(|error| refused(&error))
    });
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    let call = || Call {
        tenant: "",
        as_of_us: as_of.0,
        seed: 0,
        deadline: Some(Deadline::after(LONGEST)),
        cancel: None,
    };
    // One that has to be fitted is fitted to these rows.
    let state = segmenter
        .fits()
        .then(|| segmenter.fit(config, &batches, &call()))
        .transpose()
        .map_err(|error| refused(&error))?;
    let bound = segmenter
        .bind(config, state.as_ref(), &rows::schema(&configured))
        .map_err(|error| refused(&error))?;
    let descriptor = bound.descriptor();
    let mut judged = Vec::with_capacity(read.names.len());
    for (names, batch) in read.names.chunks(ROWS).zip(&batches) {
        let call = call();
        let answers = bound
            .segment(batch, &call)
            .map_err(|error| refused(&error))?;
        let reasons = if segmenter.explains() {
            let reasons = bound.explain(batch, &call, REASONS);
            reasons.map_err(|error| refused(&error))?
        } else {
            vec![Vec::new(); batch.num_rows()]
        };
        for (row, name) in names.iter().enumerate() {
            let texts = reasons.get(row).into_iter().flatten();
            let trouble = answers.trouble_of(row);
            judged.push(Judged {
                account: name.clone(),
                segment: segment(descriptor, &answers.segment, row, trouble.is_some()),
                reasons: texts.filter_map(|reason| reason.text.clone()).collect(),
                trouble: trouble.map_or(Cell::Nothing, |trouble| Cell::text(trouble.to_string())),
            });
        }
    }
    Ok((descriptor.title.get("en").to_owned(), judged))
}

fn shown((title, judged): (String, Vec<Judged>)) -> Block {
    let columns = vec![
        Column::left("account", "Account"),
        Column::left("segment", "Segment"),
        Column::prose("reasons", "Why"),
        Column::rare("trouble", "No answer"),
    ];
    let mut block = Block::new("rows", &title, columns);
    for one in judged {
        block.rows.push(vec![
            Cell::text(one.account),
            one.segment,
            Cell::List(one.reasons),
            one.trouble,
        ]);
    }
    block
}

fn segment(descriptor: &Descriptor, answers: &[u16], row: usize, is_troubled: bool) -> Cell {
    match answers.get(row).copied() {
        _ if is_troubled => Cell::titled("(no answer)", ""),
        None | Some(ABSTAIN) => view::place(MembershipState::Abstained),
        Some(NO_SEGMENT) => view::place(MembershipState::None),
        Some(index) => match descriptor.segments.get(usize::from(index)) {
            Some(segment) => Cell::titled(segment.title.get("en"), &segment.key),
            None => Cell::Nothing,
        },
    }
}

/// Reads a file whose header names features. A feature without a column is unknown.
fn read(csv: &Path, descriptor: &Descriptor) -> Result<Rows, Error> {
    let unreadable = |error: csv::Error| Error::usage(format!("{}: {error}", csv.display()));
    let mut reader = csv::Reader::from_path(csv).map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    let place = |name: &str| header.iter().position(|column| column.trim() == name);
    for feature in descriptor.required() {
        if place(&feature.name).is_none() {
            let columns: Vec<&str> = header.iter().collect();
            let has = if columns.is_empty() {
                "no header".to_owned()
            } else {
                columns.join(", ")
            };
            return Err(Error::usage(format!(
                "{} has no column \"{}\", which the segmenter needs; it has {has}",
                csv.display(),
                feature.name,
            )));
        }
    }
    let places: Vec<Option<usize>> = descriptor
        .features
        .iter()
        .map(|feature| place(&feature.name))
        .collect();
    let named = place(ACCOUNT);
    let mut rows = Rows {
        names: Vec::new(),
        values: Vec::new(),
    };
    for (number, record) in reader.records().enumerate() {
        let record = record.map_err(unreadable)?;
        let cell = |place: Option<usize>| place.and_then(|place| record.get(place)).unwrap_or("");
        let values = descriptor
            .features
            .iter()
            .zip(&places)
            .map(|(feature, place)| {
                let text = cell(*place).trim();
                value(feature, text).ok_or_else(|| {
                    Error::usage(format!(
                        "row {}, column \"{}\": \"{text}\" is not of type {}",
                        number + 1,
                        feature.name,
                        feature.kind.data_type()
                    ))
                })
            });
        rows.values.push(values.collect::<Result<_, _>>()?);
        let name = Some(cell(named)).filter(|name| !name.is_empty());
        rows.names
            .push(name.map_or_else(|| format!("row {}", number + 1), ToOwned::to_owned));
    }
    Ok(rows)
}

/// The value of a cell; empty: unknown.
fn value(feature: &Feature, text: &str) -> Option<Value> {
    if text.is_empty() {
        return Some(Value::Null);
    }
    match feature.kind {
        FeatureType::Float64 => text.parse::<f64>().ok().map(Value::from),
        FeatureType::Int64 => text.parse::<i64>().ok().map(Value::from),
        FeatureType::Timestamp => {
            let at = Instant::parse(text).ok()?;
            Some(at.0.into())
        },
        FeatureType::Bool => text.parse::<bool>().ok().map(Value::from),
        FeatureType::Utf8 | FeatureType::Dictionary => Some(text.into()),
        FeatureType::Float64List => serde_json::from_str::<Vec<Option<f64>>>(text)
            .ok()
            .map(Value::from),
    }
}
