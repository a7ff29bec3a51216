//! Backup of a data directory that may be in use, and the way back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::embedded::Error;
use crate::embedded::failure::Failure;
use crate::embedded::feed;
use crate::embedded::migrate;
use crate::port::Head;

/// Written last: a backup without it is not whole.
const MANIFEST: &str = "manifest";
const TITLE: &str = "sextant backup 1";

/// Longest wait for a checkpoint of the process that uses the directory.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Copies the files of a directory from the end of the chain to its beginning, and describes them. Another process may write
/// them meanwhile: SQLite keeps the two apart.
pub(super) fn write(directory: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(|source| Error::directory(to, source))?;
    must_be_empty(to)?;
    let mut manifest = format!("{TITLE}\n");
    for name in migrate::FILE_NAMES.into_iter().rev() {
        let (source, target) = (directory.join(name), to.join(name));
        let heads = copy(&source, &target)
            .map_err(|failure| Error::file(&source, failure.explain("backing up")))?;
        describe(&mut manifest, name, &target, &heads)?;
    }
    write_durably(&to.join(MANIFEST), manifest.as_bytes())?;
    sync(to)
}

/// Copies a checked backup into a new directory.
pub(super) fn restore(from: &Path, directory: &Path) -> Result<(), Error> {
    let manifest_path = from.join(MANIFEST);
    let manifest =
        fs::read_to_string(&manifest_path).map_err(|_unreadable| Error::BackupIncomplete {
            path: manifest_path.clone(),
        })?;
    let mut lines = manifest.lines();
    if lines.next() != Some(TITLE) {
        return Err(Error::BackupIncomplete {
            path: manifest_path,
        });
    }
    let sizes: Vec<(&str, u64)> = lines.filter_map(size_of_file).collect();
    for name in migrate::FILE_NAMES {
        let path = from.join(name);
        let stated = sizes
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, bytes)| *bytes);
        if stated.is_none() || fs::metadata(&path).ok().map(|found| found.len()) != stated {
            return Err(Error::BackupIncomplete { path });
        }
    }
    fs::create_dir_all(directory).map_err(|source| Error::directory(directory, source))?;
    must_be_empty(directory)?;
    for name in migrate::FILE_NAMES {
        let target = directory.join(name);
        fs::copy(from.join(name), &target).map_err(|source| Error::directory(&target, source))?;
        sync(&target)?;
    }
    sync(directory)
}

/// Copies one consistent state of a file in a single step, which writers do not wait for; returns the heads in the copy.
fn copy(source: &Path, target: &Path) -> Result<Vec<Head>, Failure> {
    // Not read-only: what a process that died has left in the log may have to be recovered first.
    let source = Connection::open_with_flags(source, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    source.busy_timeout(BUSY_TIMEOUT)?;
    let mut copy = Connection::open_with_flags(
        target,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    )?;
    {
        let backup = Backup::new(&source, &mut copy)?;
        if backup.step(-1)? != StepResult::Done {
            return Err(crate::Error::unavailable(
                "backing up",
                "the copy did not end in one step",
            )
            .into());
        }
    }
    // A copy in rollback mode is one file, complete in itself.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    if copy.table_exists(None, "feed_head")? {
        feed::heads(&copy)
    } else {
        Ok(Vec::new())
    }
}

fn describe(manifest: &mut String, name: &str, path: &Path, heads: &[Head]) -> Result<(), Error> {
    sync(path)?;
    let bytes = fs::metadata(path)
        .map_err(|source| Error::directory(path, source))?
        .len();
    manifest.push_str(&format!("file {name} {bytes}\n"));
    for Head {
        tenant,
        slice,
        sequence,
    } in heads
    {
        manifest.push_str(&format!(
            "head {name} {:032x} {} {sequence}\n",
            tenant.0, slice.0
        ));
    }
    Ok(())
}

fn size_of_file(line: &str) -> Option<(&str, u64)> {
    let (name, bytes) = line.strip_prefix("file ")?.split_once(' ')?;
    Some((name, bytes.parse().ok()?))
}

fn must_be_empty(directory: &Path) -> Result<(), Error> {
    let mut entries =
        fs::read_dir(directory).map_err(|source| Error::directory(directory, source))?;
    if entries.next().is_some() {
        return Err(Error::NotEmpty {
            path: directory.to_owned(),
        });
    }
    Ok(())
}

fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(|source| Error::directory(path, source))?;
    sync(path)
}

fn sync(path: &Path) -> Result<(), Error> {
    let failed = |source: io::Error| Error::directory(PathBuf::from(path), source);
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(failed)
}
