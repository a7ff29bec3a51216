//! The key of an installation on one machine: made on first start, kept in a file that only its owner can read.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use sextant_runtime::auth::Key;
use sextant_runtime::lifecycle::BoxError;

/// Name of the file in the data directory.
pub(crate) const FILE_NAME: &str = "local.key";

/// The key of a data directory.
pub(crate) fn read_or_make(data_dir: &Path) -> Result<Key, BoxError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)?;
    let path = data_dir.join(FILE_NAME);
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
    {
        Ok(mut file) => {
            let key = Key::generate()?;
            writeln!(file, "{}", key.expose())?;
            file.sync_all()?;
            Ok(key)
        },
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let text = fs::read_to_string(&path)?;
            let refused = |error| format!("file \"{}\": {error}", path.display());
            Ok(Key::parse(text.trim()).map_err(refused)?)
        },
        Err(error) => Err(error.into()),
    }
}
