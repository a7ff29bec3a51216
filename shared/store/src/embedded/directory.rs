//! The lock of a data directory.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::embedded::{Error, private};

/// Name of the lock file.
pub(super) const LOCK_FILE: &str = "lock";

/// Held while a process has the directory open. The operating system frees it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    pub(super) fn take(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(LOCK_FILE);
        let failed = |source| Error::directory(&path, source);
        let mut file = private::options()
            .read(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {},
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let read = file.read_to_string(&mut holder);
                let process = read.ok().and_then(|_length| holder.trim().parse().ok());
                return Err(Error::InUse {
                    path: directory.to_owned(),
                    process,
                });
            },
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}
