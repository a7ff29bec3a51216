//! Rows from plain values, in the columns that a descriptor asks for.

use std::sync::Arc;

use arrow_array::types::{Float64Type, Int32Type};
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, ListArray, RecordBatch,
    RecordBatchOptions, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, Field, Schema};
use serde_json::Value;

use crate::{Descriptor, Feature, FeatureType};

/// The schema that a descriptor asks for: a column for each feature, in its order.
pub fn schema(descriptor: &Descriptor) -> Schema {
    let field = |feature: &Feature| Field::new(&feature.name, feature.kind.data_type(), true);
    Schema::new(descriptor.features.iter().map(field).collect::<Vec<_>>())
}

/// A batch that has its rows also where it has no columns.
pub(crate) fn batch(
    schema: Schema,
    rows: usize,
    columns: Vec<ArrayRef>,
) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
}

/// A batch of rows with a value for each feature, in the descriptor's order; null: unknown.
///
/// # Errors
///
/// A row of another length, or a value of another type than its feature.
pub fn of_values(descriptor: &Descriptor, rows: &[Vec<Value>]) -> Result<RecordBatch, String> {
    let width = descriptor.features.len();
    if let Some(row) = rows.iter().find(|row| row.len() != width) {
        let found = row.len();
        return Err(format!(
            "a row has {found} values, there are {width} features"
        ));
    }
    let columns = descriptor.features.iter().enumerate().map(|(k, feature)| {
        let cells: Vec<&Value> = rows.iter().filter_map(|row| row.get(k)).collect();
        let fits = |cell: &&&Value| cell.is_null() || is_of(feature.kind, cell);
        match cells.iter().find(|cell| !fits(cell)) {
            None => Ok(column(feature.kind, &cells)),
            Some(other) => Err(format!("{other} is no value of \"{}\"", feature.name)),
        }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    batch(schema(descriptor), rows.len(), columns).map_err(|error| error.to_string())
}

fn is_of(kind: FeatureType, cell: &Value) -> bool {
    match kind {
        FeatureType::Float64 => cell.is_number(),
        FeatureType::Int64 | FeatureType::Timestamp => cell.is_i64(),
        FeatureType::Bool => cell.is_boolean(),
        FeatureType::Utf8 | FeatureType::Dictionary => cell.is_string(),
        FeatureType::Float64List => {
            let items = cell.as_array();
            items.is_some_and(|items| items.iter().all(|one| one.is_number() || one.is_null()))
        },
    }
}

pub(crate) fn column(kind: FeatureType, cells: &[&Value]) -> ArrayRef {
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
        FeatureType::Float64List => {
            let lists = cells.map(|cell| Some(cell.as_array()?.iter().map(Value::as_f64)));
            Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists))
        },
    }
}
