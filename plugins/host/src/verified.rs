//! A file that passed every check for which none of its code has to run.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::check::{Check, Finding};
use crate::sealed::Sealed;
use crate::{Descriptor, LoadError, elf, read_file, segmenter};

/// Bytes of the largest segmenter.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// A segmenter that nobody can change any more, and what it says of itself. None of its code has run.
#[derive(Debug)]
pub struct Verified {
    path: PathBuf,
    memory: Sealed,
    digest: [u8; 32],
    descriptor: Descriptor,
    descriptor_json: String,
}

impl Verified {
    /// Reads a file once and judges what was read.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names the check that failed, why it exists and how to fix the cause.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let bytes = read(path).map_err(|finding| LoadError::new(path, finding))?;
        Self::new(path, &bytes)
    }

    /// Judges bytes. `path` names them in errors.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn new(path: &Path, bytes: &[u8]) -> Result<Self, LoadError> {
        Self::judged(path, bytes).map_err(|finding| LoadError::new(path, finding))
    }

    fn judged(path: &Path, bytes: &[u8]) -> Result<Self, Finding> {
        let (descriptor_json, descriptor) = elf::verify(bytes)?;
        Ok(Self {
            path: path.to_owned(),
            memory: Sealed::copy_of(bytes)?,
            digest: Sha256::digest(bytes).into(),
            descriptor,
            descriptor_json,
        })
    }

    /// What another process has judged; it says what the descriptor is.
    pub(crate) fn received(memory: Sealed, descriptor_json: String) -> Result<Self, Finding> {
        let descriptor = Descriptor::parse(&descriptor_json)?;
        Ok(Self {
            path: PathBuf::from(&descriptor.id),
            memory,
            digest: [0; 32],
            descriptor,
            descriptor_json,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was judged.
    pub(crate) const fn memory(&self) -> &Sealed {
        &self.memory
    }

    /// SHA-256 of the bytes.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// SHA-256 of the bytes, in lower-case hexadecimal digits.
    pub fn digest_hex(&self) -> String {
        segmenter::hex(&self.digest)
    }

    /// What it reads, what it answers, how it is configured.
    pub const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The descriptor as the author wrote it.
    pub fn descriptor_json(&self) -> &str {
        &self.descriptor_json
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Finding> {
    read_file(path, MAX_FILE_BYTES).map_err(|error| {
        Finding::new(Check::Readable, "the file could not be read").caused_by(error)
    })
}
