//! Bytes in anonymous memory that nobody can change any more, so that what was judged is what is loaded.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};

use crate::check::{Check, Finding};

/// Nothing may be written, cut off, appended, or unsealed.
const SEALS: SealFlags = SealFlags::WRITE
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);

/// Sealed memory.
#[derive(Debug)]
pub(crate) struct Sealed(OwnedFd);

impl Sealed {
    pub(crate) fn copy_of(bytes: &[u8]) -> Result<Self, Finding> {
        let what = "the bytes could not be copied to sealed memory";
        let failed = |error| Finding::new(Check::Sealed, what).caused_by(error);
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Kernels before 6.3 do not know the flag that asks for executable memory, and do not need it.
        let memory = memfd_create("segmenter", flags | MemfdFlags::EXEC)
            .or_else(|_error| memfd_create("segmenter", flags));
        let mut file = File::from(memory.map_err(|error| failed(error.into()))?);
        file.write_all(bytes).map_err(failed)?;
        fcntl_add_seals(&file, SEALS).map_err(|error| failed(error.into()))?;
        Ok(Self(file.into()))
    }

    /// Memory from another process, if it is sealed.
    pub(crate) fn received(memory: OwnedFd) -> Result<Self, Finding> {
        match fcntl_get_seals(&memory) {
            Ok(seals) if seals.contains(SEALS) => Ok(Self(memory)),
            Ok(_) => Err(Finding::new(Check::Sealed, "the memory is not sealed")),
            Err(error) => {
                Err(Finding::new(Check::Sealed, "it is no sealed memory").caused_by(error))
            },
        }
    }

    /// The same memory under another descriptor.
    pub(crate) fn again(&self) -> Result<Self, Finding> {
        let again = self.0.try_clone();
        let what = "its descriptor could not be duplicated";
        again
            .map(Self)
            .map_err(|error| Finding::new(Check::Sealed, what).caused_by(error))
    }

    /// Where this process finds it while it keeps the descriptor open.
    pub(crate) fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
    }

    pub(crate) fn into_inner(self) -> OwnedFd {
        self.0
    }
}

impl AsFd for Sealed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
