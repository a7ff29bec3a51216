//! What is shown outside of Sextant: accounts by the tenant's id, and their features.

use std::io::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;

use sextant_domain::time::Instant;

use crate::ipc::Error;
use crate::schema::{ID_COLUMN, N_SHOWN_COLUMNS};

/// The columns before the first feature.
const ACCOUNT: [&str; 2] = ["account_id", "account_name"];

/// The columns of a table that are shown, as an Arrow IPC stream.
///
/// # Errors
/// The table does not follow the schema.
pub fn encode_shown(table: &RecordBatch) -> Result<Vec<u8>, Error> {
    let shown: Vec<usize> = (ID_COLUMN..N_SHOWN_COLUMNS).collect();
    let table = table.project(&shown)?;
    let fields = table.schema();
    let fields = fields.fields().iter().enumerate();
    let fields = fields.map(|(place, field)| match ACCOUNT.get(place) {
        Some(name) => Arc::new(Field::clone(field).with_name(*name)),
        None => Arc::clone(field),
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let table = RecordBatch::try_new(Arc::clone(&schema), table.columns().to_vec())?;
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    writer.write(&table)?;
    Ok(writer.into_inner()?)
}

/// Pages of columns that are shown, as one table by account id.
#[derive(Debug)]
pub struct Export {
    table: RecordBatch,
}

impl Export {
    /// Puts the pages of an answer together. Their columns may be those of a newer catalogue than this program's.
    ///
    /// # Errors
    /// A page is no Arrow IPC stream, they differ in their columns, or the first column is not the accounts' ids.
    pub fn of_pages(pages: &[impl AsRef<[u8]>]) -> Result<Self, Error> {
        let mut batches = Vec::new();
        let mut schema = Arc::new(Schema::empty());
        for page in pages {
            let reader = StreamReader::try_new(page.as_ref(), None)?;
            schema = reader.schema();
            for batch in reader {
                batches.push(batch?);
            }
        }
        let table = concat_batches(&schema, &batches)?;
        let ids = table
            .columns()
            .first()
            .and_then(|ids| ids.as_string_opt::<i32>());
        let Some(ids) = ids.map(|ids| ids.iter().collect::<Vec<_>>()) else {
            return Err(Error::OtherCatalogue);
        };
        let mut order: Vec<u32> = (0..).take(ids.len()).collect();
        order.sort_by_key(|row| usize::try_from(*row).ok().and_then(|row| ids.get(row)));
        Ok(Self {
            table: take_record_batch(&table, &UInt32Array::from(order))?,
        })
    }

    /// How many accounts there are.
    #[must_use]
    pub fn n_accounts(&self) -> usize {
        self.table.num_rows()
    }

    /// The names of the columns.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let schema = self.table.schema();
        let fields = schema.fields().iter();
        fields.map(|field| field.name().clone()).collect()
    }

    /// Writes an Arrow IPC file, which is what others call a Feather file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_arrow(&self, into: impl Write) -> Result<(), Error> {
        let mut writer = FileWriter::try_new(into, &self.table.schema())?;
        writer.write(&self.table)?;
        Ok(writer.finish()?)
    }

    /// A row in text: numbers as short as they can be read back exactly, moments by RFC 3339, nothing where it is unknown.
    ///
    /// # Errors
    /// A column has a type that features do not have.
    pub fn texts(&self, row: usize) -> Result<Vec<String>, Error> {
        let columns = self.table.columns().iter();
        columns.map(|column| text(column, row)).collect()
    }
}

fn text(column: &ArrayRef, row: usize) -> Result<String, Error> {
    if column.is_null(row) {
        return Ok(String::new());
    }
    let other = || {
        let what = format!("a feature of type {}", column.data_type());
        Error::from(ArrowError::NotYetImplemented(what))
    };
    Ok(match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Instant(column.as_primitive::<TimestampMicrosecondType>().value(row)).to_string()
        },
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        _ => {
            let dictionary = column.as_dictionary_opt::<Int32Type>().ok_or_else(other)?;
            let values = dictionary.values().as_string_opt::<i32>();
            let place =
                usize::try_from(dictionary.keys().value(row)).map_err(|_negative| other())?;
            values.ok_or_else(other)?.value(place).to_owned()
        },
    })
}
