//! Whether a file is what was written.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use sha2::{Digest as _, Sha256};

use crate::embedded::Error;

/// What SQLite says of a file without a fault.
const WHOLE: &str = "ok";
const CHUNK_BYTES: usize = 64 * 1_024;

/// Checks the structure of a file: every page, every record, every constraint, but not that indexes match their tables.
pub(super) fn check(path: &Path) -> Result<(), Error> {
    let damaged = |found: String| Error::Damaged {
        path: path.to_owned(),
        found,
    };
    let found = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .and_then(|file| file.pragma_query_value(None, "quick_check", |row| row.get(0)))
        .unwrap_or_else(|error: rusqlite::Error| error.to_string());
    if found == WHOLE {
        return Ok(());
    }
    let lines: Vec<&str> = found
        .lines()
        .filter(|line| !line.starts_with("***"))
        .collect();
    Err(damaged(lines.join("; ")))
}

/// SHA-256 of a file in hexadecimal digits.
pub(super) fn digest(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::directory(path, source);
    let mut file = fs::File::open(path).map_err(failed)?;
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK_BYTES]);
    loop {
        let read = file.read(&mut chunk).map_err(failed)?;
        if read == 0 {
            break;
        }
        hash.update(chunk.get(..read).unwrap_or_default());
    }
    let digest = hash.finalize();
    Ok(digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    }))
}
