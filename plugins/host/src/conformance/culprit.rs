//! The row that brings a segmenter down, holds it up or is one that it cannot judge, so that its author is told which one it is.

use std::mem;
use std::time::Duration;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::DataType;

use crate::conformance::subject::call;
use crate::external::Trouble;
use crate::{Deadline, ExternalInstance};

/// Longest time of one call of the search for a row that crashes it or that it fails with, for one that holds it up, and of all calls.
const ONE: Duration = Duration::from_secs(1);
const ONE_THAT_HANGS: Duration = Duration::from_millis(200);
const ALL: Duration = Duration::from_secs(5);

/// The row of a batch with which the same trouble comes when it is shown alone, with its values; `None`: there is none such, or it was
/// not found in time.
pub(super) fn row(
    instance: &ExternalInstance,
    rows: &RecordBatch,
    trouble: &Trouble,
) -> Option<String> {
    let longest = match trouble {
        Trouble::Crashed(_) | Trouble::Failed(_) => ONE,
        Trouble::Overran => ONE_THAT_HANGS,
        _ => return None,
    };
    let until = Deadline::after(ALL);
    let fails = |start: usize, length: usize| {
        let answers = instance.segment(&rows.slice(start, length), &call(longest));
        answers.is_ok_and(|answers| {
            let first = answers.unanswered.first();
            first.is_some_and(|first| {
                mem::discriminant(&first.trouble) == mem::discriminant(trouble)
            })
        })
    };
    let (mut start, mut length) = (0, rows.num_rows());
    while length > 1 {
        if until.left().is_zero() {
            return None;
        }
        let half = length / 2;
        if fails(start, half) {
            length = half;
        } else {
            (start, length) = (start + half, length - half);
        }
    }
    fails(start, 1).then(|| {
        let fields = rows.schema_ref().fields().iter().zip(rows.columns());
        let values =
            fields.map(|(field, column)| format!("{} = {}", field.name(), cell(column, start)));
        format!(
            "row {start} alone ({})",
            values.collect::<Vec<_>>().join(", ")
        )
    })
}

fn cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "unknown".to_owned();
    }
    match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Timestamp(..) => {
            let at = column.as_primitive::<TimestampMicrosecondType>().value(row);
            format!("{at} us")
        },
        DataType::Dictionary(..) => {
            let keys = column.as_dictionary::<Int32Type>();
            let texts = keys.values().as_string_opt::<i32>();
            let key = keys.key(row).unwrap_or_default();
            format!("{:?}", texts.map_or("", |texts| texts.value(key)))
        },
        DataType::List(_) => {
            let values = column.as_list::<i32>().value(row);
            format!("{} values", values.len())
        },
        _ => {
            let texts = column.as_string_opt::<i32>();
            format!("{:?}", texts.map_or("", |texts| texts.value(row)))
        },
    }
}
