use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

use sextant_domain::feature::Feature;
use sextant_domain::id::AccountUid;
use sextant_domain::mrr::Mrr;
use sextant_domain::time::Instant;

use crate::schema::{UID_COLUMN, column_of, exact_column_of};

/// The uids of a table's rows.
#[must_use]
pub fn uids(table: &RecordBatch) -> Vec<AccountUid> {
    let column = table.column(UID_COLUMN).as_fixed_size_binary();
    (0..column.len())
        .map(|row| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(column.value(row));
            AccountUid(u128::from_be_bytes(bytes))
        })
        .collect()
}

/// A text column's value in a row; `None`: null, or the column holds no text.
#[must_use]
pub fn text(table: &RecordBatch, column: usize, row: usize) -> Option<&str> {
    let column = table.column(column);
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().value(row)),
        DataType::Dictionary(..) => {
            let dictionary = column.as_dictionary::<Int32Type>();
            let key = usize::try_from(dictionary.keys().value(row)).ok()?;
            Some(dictionary.values().as_string::<i32>().value(key))
        },
        _ => None,
    }
}

/// A numeric feature of a row; `None`: unknown, or no number.
#[must_use]
pub fn number(table: &RecordBatch, feature: Feature, row: usize) -> Option<f64> {
    let column = table.column(column_of(feature));
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        #[expect(
            clippy::cast_precision_loss,
            reason = "sums and orders for people; exact up to 2^53"
        )]
        DataType::Int64 => Some(column.as_primitive::<Int64Type>().value(row) as f64),
        DataType::Float64 => Some(column.as_primitive::<Float64Type>().value(row)),
        _ => None,
    }
}

/// A numeric feature of a row as it is summed up: in whole units that sums do not round, of which [`summands_per_unit`] make one
/// of the feature. `None`: unknown, or no number.
#[must_use]
pub fn summand(table: &RecordBatch, feature: Feature, row: usize) -> Option<f64> {
    let Some(column) = exact_column_of(feature) else {
        return number(table, feature, row);
    };
    let column = table.column(column).as_primitive::<Int64Type>();
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact up to 2^53 ten-thousandths of a minor unit"
    )]
    column.is_valid(row).then(|| column.value(row) as f64)
}

/// How many of the units of [`summand`] make one unit of the feature.
#[must_use]
pub fn summands_per_unit(feature: Feature) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "ten thousand")]
    let units = Mrr::UNITS_PER_MINOR as f64;
    exact_column_of(feature).map_or(1.0, |_| units)
}

/// A feature of a row as people read it; `None`: unknown.
#[must_use]
pub fn value_text(table: &RecordBatch, feature: Feature, row: usize) -> Option<String> {
    let column = table.column(column_of(feature));
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Int64 => Some(column.as_primitive::<Int64Type>().value(row).to_string()),
        DataType::Float64 => Some(format!(
            "{:.4}",
            column.as_primitive::<Float64Type>().value(row)
        )),
        DataType::Timestamp(..) => {
            Some(Instant(column.as_primitive::<TimestampMicrosecondType>().value(row)).to_string())
        },
        _ => text(table, column_of(feature), row).map(str::to_owned),
    }
}
