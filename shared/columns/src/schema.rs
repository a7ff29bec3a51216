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

fn data_type(r#type: Type) -> DataType {
    match r#type {
        Type::Integer => DataType::Int64,
        Type::Number => DataType::Float64,
        Type::Text => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Type::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}
