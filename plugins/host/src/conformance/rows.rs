//! Rows to show a segmenter: those of its examples, and made up ones.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch,
    RecordBatchOptions, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, Field, Schema};
use serde_json::Value;

use crate::{Descriptor, Example, Feature, FeatureType, OnMissing};

/// What made up rows are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Values as accounts have them, and every tenth unknown where that may be.
    Plain,
    /// Unknown wherever that may be.
    Unknown,
    /// The greatest, the least and the oddest values of each type.
    Extreme,
}

/// The schema that a descriptor asks for.
pub(super) fn schema(descriptor: &Descriptor) -> Schema {
    let field = |feature: &Feature| Field::new(&feature.name, feature.kind.data_type(), true);
    Schema::new(descriptor.features.iter().map(field).collect::<Vec<_>>())
}

fn batch(
    descriptor: &Descriptor,
    rows: usize,
    columns: Vec<ArrayRef>,
) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(schema(descriptor)), columns, &options)
}

/// The rows of an example. Its values have been judged with the descriptor only as far as they are JSON.
pub(super) fn of_example(
    descriptor: &Descriptor,
    example: &Example,
) -> Result<RecordBatch, String> {
    let width = descriptor.features.len();
    if let Some(row) = example.rows.iter().find(|row| row.len() != width) {
        let found = row.len();
        return Err(format!(
            "a row has {found} values, there are {width} features"
        ));
    }
    let columns = descriptor.features.iter().enumerate().map(|(k, feature)| {
        let cells: Vec<&Value> = example.rows.iter().filter_map(|row| row.get(k)).collect();
        let fits = |cell: &&&Value| cell.is_null() || is_of(feature.kind, cell);
        match cells.iter().find(|cell| !fits(cell)) {
            None => Ok(column(feature.kind, &cells)),
            Some(other) => Err(format!("{other} is no value of \"{}\"", feature.name)),
        }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    batch(descriptor, example.rows.len(), columns).map_err(|error| error.to_string())
}

fn is_of(kind: FeatureType, cell: &Value) -> bool {
    match kind {
        FeatureType::Float64 => cell.is_number(),
        FeatureType::Int64 | FeatureType::Timestamp => cell.is_i64(),
        FeatureType::Bool => cell.is_boolean(),
        FeatureType::Utf8 | FeatureType::Dictionary => cell.is_string(),
    }
}

fn column(kind: FeatureType, cells: &[&Value]) -> ArrayRef {
    let cells = cells.iter();
    match kind {
        FeatureType::Float64 => Arc::new(Float64Array::from_iter(cells.map(|cell| cell.as_f64()))),
        FeatureType::Int64 => Arc::new(Int64Array::from_iter(cells.map(|cell| cell.as_i64()))),
        FeatureType::Timestamp => {
            let at = TimestampMicrosecondArray::from_iter(cells.map(|cell| cell.as_i64()));
            Arc::new(at.with_timezone("UTC"))
        },
        FeatureType::Bool => Arc::new(BooleanArray::from_iter(cells.map(|cell| cell.as_bool()))),
        FeatureType::Utf8 => Arc::new(StringArray::from_iter(cells.map(|cell| cell.as_str()))),
        FeatureType::Dictionary => Arc::new(
            cells
                .map(|cell| cell.as_str())
                .collect::<DictionaryArray<Int32Type>>(),
        ),
    }
}

/// Numbers that look random and are the same in every run (Knuth's linear congruential generator).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

/// Made up rows.
pub(super) fn made_up(
    descriptor: &Descriptor,
    rows: usize,
    kind: Kind,
) -> Result<RecordBatch, ArrowError> {
    let mut numbers = Numbers(20_261_130);
    let columns = descriptor.features.iter().map(|feature| {
        let cells: Vec<Value> = (0..rows)
            .map(|row| cell(descriptor, feature, (kind, row), &mut numbers))
            .collect();
        match (feature.kind, kind) {
            // JSON has no words for these.
            (FeatureType::Float64, Kind::Extreme) => odd_numbers(rows),
            _ => column(feature.kind, &cells.iter().collect::<Vec<_>>()),
        }
    });
    batch(descriptor, rows, columns.collect())
}

fn odd_numbers(rows: usize) -> ArrayRef {
    const ODD: [f64; 9] = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        f64::EPSILON,
        -0.0,
        0.0,
    ];
    Arc::new(Float64Array::from_iter_values(
        ODD.into_iter().cycle().take(rows),
    ))
}

fn cell(
    descriptor: &Descriptor,
    feature: &Feature,
    (kind, row): (Kind, usize),
    numbers: &mut Numbers,
) -> Value {
    // What is skipped, filled in or fatal never reaches a segmenter as unknown.
    let may_be_unknown = feature.on_missing == OnMissing::Null;
    let is_unknown = match kind {
        Kind::Plain => numbers.below(10) == 0,
        Kind::Unknown => true,
        Kind::Extreme => false,
    };
    if may_be_unknown && is_unknown {
        return Value::Null;
    }
    if kind == Kind::Extreme {
        return extreme(feature.kind, row);
    }
    let segment = || {
        let keys = descriptor.segments.iter().map(|segment| &segment.key);
        keys.cycle().nth(row).cloned().unwrap_or_default()
    };
    match feature.kind {
        FeatureType::Float64 => match numbers.below(4) {
            0 => 0.0.into(),
            1 => 1.0.into(),
            _ => (numbers.below(1_000) as f64 / 1_000.0).into(),
        },
        FeatureType::Int64 => match numbers.below(3) {
            0 => numbers.below(6).into(),
            1 => numbers.below(400).into(),
            _ => numbers.below(20_000_000).into(),
        },
        // Within three years before the moment of the calls.
        FeatureType::Timestamp => {
            let before = i64::try_from(numbers.below(94_608_000)).unwrap_or(0);
            (super::subject::AS_OF_US - before * 1_000_000).into()
        },
        FeatureType::Bool => (numbers.below(2) == 1).into(),
        FeatureType::Utf8 | FeatureType::Dictionary if feature.name.starts_with("self.") => {
            segment().into()
        },
        FeatureType::Utf8 | FeatureType::Dictionary => {
            const WORDS: [&str; 5] = ["software", "DE", "eu-west", "", "T\u{fc}rkiye"];
            let word = usize::try_from(numbers.below(5)).unwrap_or(0);
            WORDS.get(word).copied().unwrap_or_default().into()
        },
    }
}

fn extreme(kind: FeatureType, row: usize) -> Value {
    let integers = [i64::MAX, i64::MIN, 0, -1, 1];
    let texts = [
        "x".repeat(65_536),
        String::new(),
        "\u{1f680}\u{202e}\u{0}\n\"".to_owned(),
        "\u{fffd}".repeat(3),
    ];
    match kind {
        FeatureType::Int64 | FeatureType::Timestamp => integers.into_iter().cycle().nth(row).into(),
        FeatureType::Bool => row.is_multiple_of(2).into(),
        FeatureType::Utf8 | FeatureType::Dictionary => texts.into_iter().cycle().nth(row).into(),
        FeatureType::Float64 => Value::Null,
    }
}
