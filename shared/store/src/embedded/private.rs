//! Who may read a data directory and a backup: their owner alone.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::embedded::Error;
use crate::embedded::directory::LOCK_FILE;
use crate::embedded::migrate::FILE_NAMES;

/// What group and others may do.
const OTHERS: u32 = 0o077;
/// What SQLite puts beside a file; it gets the file's permissions.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];
/// Files of ours that are no data: the manifest of a backup, the key of the installation.
const OTHER_FILES: [&str; 3] = [LOCK_FILE, "manifest", "local.key"];

/// Makes a directory for its owner alone; closes one that exists, and what is ours in it. A directory that holds other
/// things as well is left as it is: it is not ours alone.
pub(super) fn directory(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::directory(path, source);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed)?;
    let mut is_ours_alone = true;
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if is_ours(&entry.file_name()) {
            close(&entry.path()).map_err(failed)?;
        } else {
            is_ours_alone = false;
        }
    }
    if is_ours_alone {
        close(path).map_err(failed)?;
    }
    Ok(())
}

/// Makes an empty file for its owner alone, unless there is one.
pub(super) fn file(path: &Path) -> Result<(), Error> {
    options()
        .create(true)
        .truncate(false)
        .open(path)
        .and_then(|_file| close(path))
        .map_err(|source| Error::directory(path, source))
}

/// How a file is opened for writing that nobody but its owner may read.
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// Takes the permissions of group and others away, if the file is ours to change.
pub(super) fn close(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    match fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

/// What of a data directory group or others may read or enter: the directory itself, and files of ours.
pub(super) fn open_to_others(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut open = Vec::new();
    let mut look = |path: PathBuf| -> io::Result<()> {
        if fs::metadata(&path)?.permissions().mode() & OTHERS != 0 {
            open.push(path);
        }
        Ok(())
    };
    look(path.to_owned())?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if is_ours(&entry.file_name()) {
            look(entry.path())?;
        }
    }
    open.sort();
    Ok(open)
}

fn is_ours(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    OTHER_FILES.contains(&name)
        || FILE_NAMES.iter().any(|file| {
            name.strip_prefix(file)
                .is_some_and(|suffix| SUFFIXES.contains(&suffix))
        })
}
