//! A file that passed every check for which none of its code has to run.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::check::{Check, Finding};
use crate::{Descriptor, LoadError, elf};

/// Largest file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// The bytes of a segmenter and what they say of themselves. None of its code has run.
#[derive(Debug)]
pub struct Verified {
    path: PathBuf,
    bytes: Vec<u8>,
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
        Self::new(path, bytes)
    }

    /// Judges bytes. `path` names them in errors.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn new(path: &Path, bytes: Vec<u8>) -> Result<Self, LoadError> {
        let judged = elf::verify(&bytes).map_err(|finding| LoadError::new(path, finding));
        let (descriptor_json, descriptor) = judged?;
        let digest = Sha256::digest(&bytes).into();
        Ok(Self {
            path: path.to_owned(),
            bytes,
            digest,
            descriptor,
            descriptor_json,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was read.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the bytes.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// SHA-256 of the bytes, in lower-case hexadecimal digits.
    pub fn digest_hex(&self) -> String {
        let digits = String::with_capacity(64);
        self.digest.iter().fold(digits, |mut text, byte| {
            // Writing to a string cannot fail.
            let _infallible = write!(text, "{byte:02x}");
            text
        })
    }

    /// What it reads, what it answers, how it is configured.
    pub const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The descriptor as the author wrote it.
    pub fn descriptor_json(&self) -> &str {
        &self.descriptor_json
    }

    /// Gives the memory of the bytes back, for those that have been loaded.
    pub(crate) fn forget_bytes(&mut self) {
        self.bytes = Vec::new();
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Finding> {
    let failed = |error: io::Error| {
        Finding::new(Check::Readable, "the file could not be read").caused_by(error)
    };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > MAX_BYTES {
        return Err(Finding::new(
            Check::Readable,
            format!("the file has {size} bytes; at most {MAX_BYTES} are read"),
        ));
    }
    fs::read(path).map_err(failed)
}
