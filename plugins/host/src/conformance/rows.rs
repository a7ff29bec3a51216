//! Rows to show a segmenter: those of its examples, and made up ones.

use std::iter;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch,
    StringArray,
};
use arrow_schema::{ArrowError, DataType};
use serde_json::Value;

use crate::{Descriptor, Feature, FeatureType, OnMissing, rows};

/// What made up rows are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Counts, shares and small amounts, and every tenth unknown where that may be.
    Plain,
    /// The same with percentages, large amounts, and what has become less.
    Wide,
    /// Unknown wherever that may be.
    Unknown,
    /// The greatest, the least and the oddest values of each type.
    Extreme,
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
    n_rows: usize,
    kind: Kind,
) -> Result<RecordBatch, ArrowError> {
    let mut numbers = Numbers(20_261_130);
    let columns = descriptor.features.iter().map(|feature| {
        let cells: Vec<Value> = (0..n_rows)
            .map(|row| cell(descriptor, feature, (kind, row), &mut numbers))
            .collect();
        match (feature.kind, kind) {
            // JSON has no words for these.
            (FeatureType::Float64, Kind::Extreme) => odd_numbers(n_rows),
            _ => rows::column(feature.kind, &cells.iter().collect::<Vec<_>>()),
        }
    });
    rows::batch(rows::schema(descriptor), n_rows, columns.collect())
}

/// The same rows, with dictionaries that hold their texts in another order, behind one that no row has.
pub(super) fn recoded(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = rows.columns().iter().map(|column| {
        let Some(texts) = column.as_dictionary_opt::<Int32Type>() else {
            return Ok(Arc::clone(column));
        };
        let words = texts.values().as_string::<i32>();
        let others = iter::once(Some("a text that no row has")).chain(words.iter().rev());
        let last = i32::try_from(words.len()).unwrap_or(i32::MAX);
        let keys = texts.keys().iter().map(|key| Some(last - key?));
        let recoded = DictionaryArray::<Int32Type>::try_new(
            keys.collect(),
            Arc::new(others.collect::<StringArray>()),
        )?;
        Ok(Arc::new(recoded) as ArrayRef)
    });
    RecordBatch::try_new(rows.schema(), columns.collect::<Result<_, ArrowError>>()?)
}

/// The same rows, with other values where one is unknown: what lies there means nothing.
pub(super) fn hidden(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = rows.columns().iter().map(|column| {
        let nulls = column.nulls().cloned();
        let cells = (0..column.len()).map(|row| column.is_valid(row));
        Ok::<ArrayRef, ArrowError>(match column.data_type() {
            DataType::Float64 => {
                let values = column.as_primitive::<Float64Type>().values();
                let other = cells.zip(values);
                let other = other.map(|(is_known, value)| if is_known { *value } else { 1e12 });
                Arc::new(Float64Array::try_new(other.collect(), nulls)?)
            },
            DataType::Int64 => {
                let values = column.as_primitive::<Int64Type>().values();
                let other = cells.zip(values);
                let other = other.map(|(is_known, value)| if is_known { *value } else { 1 << 40 });
                Arc::new(Int64Array::try_new(other.collect(), nulls)?)
            },
            DataType::Boolean => {
                let values = column.as_boolean().values();
                let other = cells
                    .zip(values)
                    .map(|(is_known, value)| !is_known || value);
                Arc::new(BooleanArray::new(other.collect(), nulls))
            },
            _ => Arc::clone(column),
        })
    });
    RecordBatch::try_new(rows.schema(), columns.collect::<Result<_, _>>()?)
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
        Kind::Plain | Kind::Wide => numbers.below(10) == 0,
        Kind::Unknown => true,
        Kind::Extreme => false,
    };
    if may_be_unknown && is_unknown {
        return Value::Null;
    }
    if kind == Kind::Extreme {
        return extreme(feature.kind, row);
    }
    let segment = || in_turn(&descriptor.segments, row).map_or("", |segment| segment.key.as_str());
    match feature.kind {
        FeatureType::Float64 if kind == Kind::Wide => match numbers.below(3) {
            0 => (numbers.below(1_001) as f64 / 10.0).into(),
            1 => (numbers.below(10_000_000) as f64 / 10.0).into(),
            _ => (numbers.below(1_000_000) as f64 / -1_000.0).into(),
        },
        FeatureType::Float64 => match numbers.below(4) {
            0 => 0.0.into(),
            1 => 1.0.into(),
            _ => (numbers.below(1_000) as f64 / 1_000.0).into(),
        },
        FeatureType::Int64 if kind == Kind::Wide => {
            let amount = i64::try_from(numbers.below(400_000_000)).unwrap_or(0);
            (amount - 200_000_000).into()
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
        FeatureType::Float64List => {
            let length = numbers.below(5);
            let items = (0..length).map(|_| Value::from(numbers.below(1_000) as f64 / 1_000.0));
            items.collect::<Vec<_>>().into()
        },
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
    match kind {
        FeatureType::Int64 | FeatureType::Timestamp => {
            in_turn(&[i64::MAX, i64::MIN, 0, -1, 1], row)
                .copied()
                .into()
        },
        FeatureType::Bool => row.is_multiple_of(2).into(),
        FeatureType::Utf8 | FeatureType::Dictionary => {
            let texts = [
                "x".repeat(65_536),
                String::new(),
                "\u{1f680}\u{202e}\u{0}\n\"".to_owned(),
                "\u{fffd}".repeat(3),
            ];
            in_turn(&texts, row).cloned().into()
        },
        FeatureType::Float64List => {
            let length = in_turn(&[0, 1_000, 1, 2], row).copied().unwrap_or(0);
            let numbers = [f64::MAX, f64::MIN, -0.0, 1.0].into_iter().cycle();
            numbers.take(length).map(Value::from).collect()
        },
        FeatureType::Float64 => Value::Null,
    }
}

/// The choice of a row, where every row has the next one.
fn in_turn<T>(choices: &[T], row: usize) -> Option<&T> {
    choices.get(row.checked_rem(choices.len())?)
}
