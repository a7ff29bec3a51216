//! Rows that bring a segmenter down, so that each does so once and not in every batch.

use std::collections::HashMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use sha2::{Digest as _, Sha256};

use crate::external::Trouble;

/// Rows that are remembered; more than that, and all are forgotten and found again.
const MOST: usize = 10_000;

/// What a row is made of, and for which configuration.
type Row = [u8; 32];

/// Rows that are not shown any more, until they or the configuration change.
#[derive(Debug, Default)]
pub(crate) struct Poison {
    rows: HashMap<Row, Trouble>,
}

impl Poison {
    /// Remembers a row of a batch.
    pub(crate) fn remember(
        &mut self,
        instance: &[u8],
        batch: &RecordBatch,
        row: usize,
        trouble: Trouble,
    ) {
        if self.rows.len() >= MOST {
            self.rows.clear();
        }
        self.rows.insert(hash(instance, batch, row), trouble);
    }

    /// The rows of a batch that are remembered. Costs nothing while none are.
    pub(crate) fn among(&self, instance: &[u8], batch: &RecordBatch) -> Vec<(usize, Trouble)> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let rows = 0..batch.num_rows();
        let known = rows.filter_map(|row| {
            let trouble = self.rows.get(&hash(instance, batch, row))?;
            Some((row, trouble.clone()))
        });
        known.collect()
    }

    pub(crate) fn forget(&mut self) {
        self.rows.clear();
    }
}

fn hash(instance: &[u8], batch: &RecordBatch, row: usize) -> Row {
    let mut hash = Sha256::new_with_prefix(instance);
    for column in batch.columns() {
        feed(&mut hash, column, row);
    }
    hash.finalize().into()
}

/// Every value behind its length, so that no two rows are made of the same bytes.
fn feed(hash: &mut Sha256, column: &ArrayRef, row: usize) {
    let mut value = |bytes: &[u8]| {
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    if column.is_null(row) {
        return value(&[]);
    }
    match column.data_type() {
        DataType::Float64 => {
            let number = column.as_primitive::<Float64Type>().value(row);
            value(&number.to_bits().to_le_bytes());
        },
        DataType::Int64 => {
            value(&column.as_primitive::<Int64Type>().value(row).to_le_bytes());
        },
        DataType::Timestamp(..) => {
            let at = column.as_primitive::<TimestampMicrosecondType>().value(row);
            value(&at.to_le_bytes());
        },
        DataType::Boolean => value(&[u8::from(column.as_boolean().value(row)) + 1]),
        DataType::Dictionary(..) => {
            let keys = column.as_dictionary::<Int32Type>();
            let key = keys.key(row).unwrap_or_default();
            let text = keys.values().as_string_opt::<i32>();
            value(text.map_or("", |texts| texts.value(key)).as_bytes());
        },
        // Segmenters are shown no other types.
        _ => value(
            column
                .as_string_opt::<i32>()
                .map_or("", |texts| texts.value(row))
                .as_bytes(),
        ),
    }
}
