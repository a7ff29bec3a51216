use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use sextant_domain::feature::{CATALOGUE, Feature, Type};

/// Sextant's id of the account: fixed-size binary of 16 bytes, big-endian.
pub const UID_COLUMN: usize = 0;
/// The tenant's id of the account.
pub const ID_COLUMN: usize = 1;
/// Display name of the account; empty if none was given.
pub const NAME_COLUMN: usize = 2;
/// Columns before the first feature.
pub const N_ACCOUNT_COLUMNS: usize = 3;
/// Columns that segmenters are shown; behind them stand those that only sums need.
pub const N_SHOWN_COLUMNS: usize = N_ACCOUNT_COLUMNS + CATALOGUE.len();

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![
        Field::new("account.uid", DataType::FixedSizeBinary(16), false),
        Field::new("account.id", DataType::Utf8, false),
        Field::new("account.name", DataType::Utf8, false),
    ];
    fields.extend(
        CATALOGUE
            .iter()
            .map(|definition| Field::new(definition.name, data_type(definition.r#type), true)),
    );
    let exact = CATALOGUE
        .iter()
        .filter(|definition| definition.r#type == Type::Recurring);
    fields.extend(exact.map(|definition| {
        let name = format!("{}.exact", definition.name);
        Field::new(name, DataType::Int64, true)
    }));
    Arc::new(Schema::new(fields))
});

/// The schema of every table.
#[must_use]
pub fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// The column of a feature.
#[must_use]
pub fn column_of(feature: Feature) -> usize {
    N_ACCOUNT_COLUMNS + feature.index()
}

/// The column that holds a feature of recurring revenue exactly, in the unit of [`Mrr`](sextant_domain::mrr::Mrr); `None`: the
/// feature's own column is exact.
#[must_use]
pub fn exact_column_of(feature: Feature) -> Option<usize> {
    let mut exact = CATALOGUE
        .iter()
        .filter(|definition| definition.r#type == Type::Recurring);
    let place = exact.position(|definition| definition.feature == feature)?;
    Some(N_SHOWN_COLUMNS + place)
}

fn data_type(r#type: Type) -> DataType {
    match r#type {
        Type::Integer | Type::Recurring => DataType::Int64,
        Type::Number => DataType::Float64,
        Type::Text => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Type::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}
