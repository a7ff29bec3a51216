//! What a fit leaves: the bytes from which a segmenter answers.

use std::fmt;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::segmenter::hex;

/// Bytes of the largest state.
pub const MAX_STATE_BYTES: usize = 256 << 20;

/// The bytes that a segmenter has learned, known by their digest. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct State {
    bytes: Bytes,
    digest: [u8; 32],
}

impl State {
    /// A state of these bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let digest = Sha256::digest(&bytes).into();
        Self { bytes, digest }
    }

    /// The bytes, which mean something to the segmenter alone.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// SHA-256 of the bytes.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The same, in lower-case hexadecimal digits.
    pub fn digest_hex(&self) -> String {
        hex(&self.digest)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "State({} bytes, {})",
            self.bytes.len(),
            self.digest_hex()
        )
    }
}
