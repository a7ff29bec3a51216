//! The key of an installation on one machine: made on first start, kept in a file that only its owner can read.

use std::fs::{self, DirBuilder};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

use sextant_runtime::auth::Key;
use sextant_runtime::lifecycle::BoxError;

/// Name of the file in the data directory.
pub(crate) const FILE_NAME: &str = "local.key";

/// The key of a data directory.
pub(crate) fn read_or_make(data_dir: &Path) -> Result<Key, BoxError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(|error| {
            format!(
                "directory \"{}\" (store.data_dir): {error}",
                data_dir.display()
            )
        })?;
    let path = data_dir.join(FILE_NAME);
    if !path.try_exists()? {
        make(data_dir, &path)?;
    }
    let text = fs::read_to_string(&path)?;
    let refused = |error| format!("file \"{}\": {error}", path.display());
    Ok(Key::parse(text.trim()).map_err(refused)?)
}

/// The file is there with its key, or it is not there. Of several that make it at once one is first, and all use its key.
fn make(data_dir: &Path, path: &Path) -> Result<(), BoxError> {
    let mut file = NamedTempFile::new_in(data_dir)?;
    writeln!(file, "{}", Key::generate()?.expose())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_file) => {
            fs::File::open(data_dir)?.sync_all()?;
            Ok(())
        },
        Err(other) if other.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(other) => Err(other.error.into()),
    }
}
