//! What can go wrong inside one unit of work, before it is known what was being done.

use rusqlite::ErrorCode;

use crate::Error;

/// Result of a unit of work.
pub(super) type Work<T> = Result<T, Failure>;

/// Why a unit of work ended early.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite failed.
    Sql(rusqlite::Error),
    /// The port says no.
    Refused(Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Failure {
    /// The error of the port.
    pub(super) fn explain(self, doing: &'static str) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Sql(error) => explain_sql(error, doing),
        }
    }
}

/// The error of a port for an error of SQLite.
pub(super) fn explain_sql(error: rusqlite::Error, doing: &'static str) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full { doing },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Unreadable {
            what: format!("file (while {doing}): {error}"),
        },
        Some(_) => Error::unavailable(doing, error),
        None if is_conversion(&error) => Error::Unreadable {
            what: format!("row (while {doing}): {error}"),
        },
        None => Error::unavailable(doing, error),
    }
}

fn is_conversion(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
    )
}
