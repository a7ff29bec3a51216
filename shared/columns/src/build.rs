use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeBinaryBuilder, Float64Builder, Int64Builder, StringBuilder, StringDictionaryBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::ArrowError;

use sextant_domain::feature::{CATALOGUE, Feature, Row, Type, Value};
use sextant_domain::id::AccountUid;

use crate::schema::schema;

/// One row of a table.
#[derive(Debug, Clone, Copy)]
pub struct AccountRow<'a> {
    /// Sextant's id.
    pub uid: AccountUid,
    /// The tenant's id.
    pub id: &'a str,
    /// Display name.
    pub name: &'a str,
    /// Its features.
    pub features: &'a Row,
}

/// A table of the given rows, in their order.
///
/// # Errors
/// Only if Arrow refuses columns of equal length that follow the schema, or more distinct texts than 32 bits can number.
pub fn table(rows: &[AccountRow<'_>]) -> Result<RecordBatch, ArrowError> {
    let mut uids = FixedSizeBinaryBuilder::with_capacity(rows.len(), 16);
    let mut ids = StringBuilder::new();
    let mut names = StringBuilder::new();
    for row in rows {
        uids.append_value(row.uid.0.to_be_bytes())?;
        ids.append_value(row.id);
        names.append_value(row.name);
    }
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(uids.finish()),
        Arc::new(ids.finish()),
        Arc::new(names.finish()),
    ];
    for definition in &CATALOGUE {
        columns.push(column(definition.feature, definition.r#type, rows)?);
    }
    for definition in &CATALOGUE {
        if definition.r#type == Type::Recurring {
            let values = rows
                .iter()
                .map(|row| row.features.get(definition.feature)?.as_exact());
            columns.push(Arc::new(values.collect::<Int64Array>()));
        }
    }
    RecordBatch::try_new(schema(), columns)
}

fn column(feature: Feature, r#type: Type, rows: &[AccountRow<'_>]) -> Result<ArrayRef, ArrowError> {
    let values = rows.iter().map(|row| row.features.get(feature));
    Ok(match r#type {
        Type::Integer | Type::Recurring => {
            let mut builder = Int64Builder::with_capacity(rows.len());
            values.for_each(|value| builder.append_option(value.and_then(Value::as_integer)));
            Arc::new(builder.finish())
        },
        Type::Number => {
            let mut builder = Float64Builder::with_capacity(rows.len());
            values.for_each(|value| builder.append_option(value.and_then(Value::as_number)));
            Arc::new(builder.finish())
        },
        Type::Text => {
            let mut builder = StringDictionaryBuilder::<Int32Type>::new();
            for value in values {
                match value.and_then(Value::as_text) {
                    Some(text) => drop(builder.append(text)?),
                    None => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        },
        Type::Time => {
            let mut builder = TimestampMicrosecondBuilder::with_capacity(rows.len());
            values.for_each(|value| builder.append_option(microseconds(value)));
            Arc::new(builder.finish().with_timezone("UTC"))
        },
    })
}

fn microseconds(value: Option<&Value>) -> Option<i64> {
    match value {
        Some(Value::Time(at)) => Some(at.0),
        _ => None,
    }
}
