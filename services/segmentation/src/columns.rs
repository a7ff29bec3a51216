//! Feature columns as segmenters get them: those of scoring, and the account's own segment at the last close.

use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{RecordBatch, UInt32Array};
use arrow_schema::{ArrowError, DataType, Field, Schema};

use sextant_columns::N_SHOWN_COLUMNS;
use sextant_domain::time::{Day, Instant};
use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::Problem;

use crate::evaluate::Evaluation;

/// What columns are about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of<'a> {
    /// Now, for somebody who looks.
    Present,
    /// A close.
    Close(Day),
    /// A close, or a moment within a day, with the facts that the evaluation answers for.
    Evaluation(&'a Evaluation),
}

/// Features of accounts as scoring answers them.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) tables: Vec<RecordBatch>,
    /// When the newest facts became known that can be in them, where they are newer than those asked for.
    pub(crate) known_at: Option<Instant>,
}

/// The segment of the account at the last close, in the segmentation that is being evaluated.
pub(crate) const PREVIOUS_SEGMENT: &str = "self.previous_segment";

/// The schema of the batches that segmenters are shown.
pub(crate) fn input_schema() -> Schema {
    let features = sextant_columns::schema();
    let shown = features.fields().iter().take(N_SHOWN_COLUMNS);
    let mut fields: Vec<Arc<Field>> = shown.map(Arc::clone).collect();
    let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    fields.push(Arc::new(Field::new(PREVIOUS_SEGMENT, text, true)));
    Schema::new(fields)
}

/// A table with the previous segments as its last column.
pub(crate) fn with_previous<'a>(
    table: &RecordBatch,
    previous: impl Iterator<Item = Option<&'a str>>,
) -> Result<RecordBatch, Problem> {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    for segment in previous {
        match segment {
            Some(segment) => drop(builder.append(segment).map_err(refused)?),
            None => builder.append_null(),
        }
    }
    let shown = table.columns().iter().take(N_SHOWN_COLUMNS);
    let mut columns: Vec<_> = shown.map(Arc::clone).collect();
    columns.push(Arc::new(builder.finish()));
    RecordBatch::try_new(Arc::new(input_schema()), columns).map_err(refused)
}

/// Some rows of a table, in the given order.
pub(crate) fn rows(table: &RecordBatch, rows: &[usize]) -> Result<RecordBatch, Problem> {
    if rows.iter().copied().eq(0..table.num_rows()) {
        return Ok(table.clone());
    }
    let indices: UInt32Array = rows.iter().map(|row| u32::try_from(*row).ok()).collect();
    arrow_select::take::take_record_batch(table, &indices).map_err(refused)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "used as a function to map errors"
)]
fn refused(error: ArrowError) -> Problem {
    Problem::new(
        ErrorReason::Internal,
        format!("columns cannot be built: {error}"),
    )
}
