//! Backup of a data directory that may be in use, and the way back.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use sextant_domain::position::Head;

use crate::embedded::failure::Failure;
use crate::embedded::feed;
use crate::embedded::{Error, integrity, migrate, private};

/// Written last: a backup without it is not whole.
const MANIFEST: &str = "manifest";
const TITLE: &str = "sextant backup 1";

/// Longest wait for a checkpoint of the process that uses the directory.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Copies the files of a directory from the end of the chain to its beginning, and describes them. Another process may write
/// them meanwhile: SQLite keeps the two apart.
pub(super) fn write(directory: &Path, to: &Path) -> Result<(), Error> {
    private::directory(to)?;
    must_be_empty(to)?;
    let mut manifest = format!("{TITLE}\n");
    for name in migrate::FILE_NAMES.into_iter().rev() {
        let (source, target) = (directory.join(name), to.join(name));
        private::file(&target)?;
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
    let stated: Vec<Stated<'_>> = lines.filter_map(Stated::read).collect();
    for name in migrate::FILE_NAMES {
        let path = from.join(name);
        match stated.iter().find(|file| file.name == name) {
            Some(file) => file.check(&path)?,
            None => return Err(Error::BackupIncomplete { path }),
        }
    }
    private::directory(directory)?;
    must_be_empty(directory)?;
    for name in migrate::FILE_NAMES {
        let target = directory.join(name);
        let failed = |source| Error::directory(&target, source);
        private::file(&target)?;
        fs::copy(from.join(name), &target).map_err(failed)?;
        // A copy has the permissions of what it was copied from.
        private::close(&target).map_err(failed)?;
        sync(&target)?;
    }
    sync(directory)
}

/// What the manifest says of a file.
struct Stated<'m> {
    name: &'m str,
    bytes: u64,
    sha256: &'m str,
}

impl<'m> Stated<'m> {
    fn read(line: &'m str) -> Option<Self> {
        let (name, rest) = line.strip_prefix("file ")?.split_once(' ')?;
        let (bytes, sha256) = rest.split_once(' ')?;
        Some(Self {
            name,
            bytes: bytes.parse().ok()?,
            sha256,
        })
    }

    /// Whether a file is this one, and whole.
    fn check(&self, path: &Path) -> Result<(), Error> {
        let found = fs::metadata(path).ok().map(|found| found.len());
        if found != Some(self.bytes) {
            return Err(Error::BackupIncomplete {
                path: path.to_owned(),
            });
        }
        if integrity::digest(path)? != self.sha256 {
            return Err(Error::BackupChanged {
                path: path.to_owned(),
            });
        }
        integrity::check(path)
    }
}

/// Copies one consistent state of a file in a single step, which writers do not wait for; returns the heads in the copy.
fn copy(source: &Path, target: &Path) -> Result<Vec<Head>, Failure> {
    // Not read-only: what a process that died has left in the log may have to be recovered first.
    let source = Connection::open_with_flags(source, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    source.busy_timeout(BUSY_TIMEOUT)?;
    let mut copy = Connection::open_with_flags(target, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
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
    let sha256 = integrity::digest(path)?;
    manifest.push_str(&format!("file {name} {bytes} {sha256}\n"));
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
    private::options()
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|source| Error::directory(path, source))?;
    sync(path)
}

fn sync(path: &Path) -> Result<(), Error> {
    let failed = |source: io::Error| Error::directory(PathBuf::from(path), source);
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(failed)
}
