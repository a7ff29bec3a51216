use std::fmt;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;

use crate::schema::schema;

/// A stream of columns that cannot be read.
#[derive(Debug)]
pub enum Error {
    /// Not an Arrow IPC stream, or a broken one.
    Arrow(ArrowError),
    /// The columns are not those of this version's catalogue.
    OtherCatalogue,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrow(_) => write!(f, "columns are no readable Arrow stream"),
            Self::OtherCatalogue => {
                write!(f, "columns are of another version of the feature catalogue")
            },
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Arrow(error) => Some(error),
            Self::OtherCatalogue => None,
        }
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

/// A table as an Arrow IPC stream.
///
/// # Errors
/// The table does not follow the schema.
pub fn encode(table: &RecordBatch) -> Result<Vec<u8>, Error> {
    let mut writer = StreamWriter::try_new(Vec::new(), &schema())?;
    writer.write(table)?;
    Ok(writer.into_inner()?)
}

/// Reads a stream back.
///
/// # Errors
/// Broken, or with other columns than this version's catalogue.
pub fn decode(bytes: &[u8]) -> Result<Vec<RecordBatch>, Error> {
    let reader = StreamReader::try_new(bytes, None)?;
    if reader.schema() != schema() {
        return Err(Error::OtherCatalogue);
    }
    reader.map(|batch| batch.map_err(Error::from)).collect()
}
