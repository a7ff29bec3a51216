//! The schemas of the four files and how an older file becomes a newer one.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::embedded::{Error, sql};

const VERSION: &str = "user_version";

/// The schema of one file: step n leads from version n − 1 to n. A released step is never changed.
#[derive(Debug)]
pub(super) struct Schema {
    /// Name of the file.
    pub(super) file_name: &'static str,
    steps: &'static [&'static str],
}

pub(super) const INGESTION: Schema = Schema {
    file_name: "ingestion.db",
    steps: &[
        sql!("migrations/ingestion/0001_initial"),
        sql!("migrations/ingestion/0002_import"),
        sql!("migrations/ingestion/0003_sequence"),
        sql!("migrations/ingestion/0004_releasing"),
        sql!("migrations/ingestion/0005_places"),
        sql!("migrations/ingestion/0006_corrections"),
        sql!("migrations/ingestion/0007_hierarchy"),
        sql!("migrations/ingestion/0008_sources"),
        sql!("migrations/ingestion/0009_events"),
    ],
};
pub(super) const SCORING: Schema = Schema {
    file_name: "scoring.db",
    steps: &[sql!("migrations/scoring/0001_initial")],
};
pub(super) const SEGMENTATION: Schema = Schema {
    file_name: "segmentation.db",
    steps: &[
        sql!("migrations/segmentation/0001_initial"),
        sql!("migrations/segmentation/0002_behind"),
        sql!("migrations/segmentation/0003_trouble"),
        sql!("migrations/segmentation/0004_catalogue"),
    ],
};
pub(super) const METRICS: Schema = Schema {
    file_name: "metrics.db",
    steps: &[
        sql!("migrations/metrics/0001_initial"),
        sql!("migrations/metrics/0002_behind"),
    ],
};

/// The files of a data directory.
pub(super) const FILE_NAMES: [&str; 4] = [
    INGESTION.file_name,
    SCORING.file_name,
    SEGMENTATION.file_name,
    METRICS.file_name,
];

/// Brings a file to the newest version, all steps in one transaction, and gives the versions before (0: it was new) and now.
pub(super) fn migrate(
    connection: &mut Connection,
    schema: &Schema,
    path: &Path,
) -> Result<(u32, u32), Error> {
    let failed = |source: rusqlite::Error| Error::file(path, source);
    let supported = u32::try_from(schema.steps.len()).unwrap_or(u32::MAX);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let found: u32 = transaction
        .pragma_query_value(None, VERSION, |row| row.get(0))
        .map_err(failed)?;
    if found > supported {
        return Err(Error::Newer {
            path: path.to_owned(),
            found,
            supported,
        });
    }
    for step in schema
        .steps
        .iter()
        .skip(usize::try_from(found).unwrap_or(usize::MAX))
    {
        transaction.execute_batch(step).map_err(failed)?;
    }
    transaction
        .pragma_update(None, VERSION, supported)
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok((found, supported))
}
