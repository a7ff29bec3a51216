//! The identity of a row that has no id of its own: SHA-256 of what it says, and its occurrence number within the file.
//!
//! Identical rows are real (two equal purchases on one day), so the second one is another record; a renamed file is not new.
//! What a row says does not depend on the order of columns, on quoting or on blanks around values.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

/// Counts how often each row was seen in one file.
#[derive(Debug, Default)]
pub(crate) struct RowIds {
    seen: HashMap<[u8; 32], u64>,
}

/// The identity of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowId {
    digest: [u8; 32],
    occurrence: u64,
}

impl RowIds {
    /// The identity of the next row that says this, as pairs of name and value in a fixed order.
    pub(crate) fn next<'r>(
        &mut self,
        kind: &str,
        says: impl Iterator<Item = (&'r str, &'r str)>,
    ) -> RowId {
        let mut hash = Sha256::new();
        add(&mut hash, kind);
        for (name, value) in says {
            add(&mut hash, name);
            add(&mut hash, value);
        }
        let digest = hash.finalize().into();
        let occurrence = self.seen.entry(digest).or_insert(0);
        *occurrence += 1;
        RowId {
            digest,
            occurrence: *occurrence,
        }
    }
}

/// Adds a text with its length before it, so that no two lists of texts are the same bytes.
fn add(hash: &mut Sha256, text: &str) {
    hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(text);
}

impl RowId {
    /// The id of the record: 64 hexadecimal digits and the occurrence number.
    pub(crate) fn record_id(&self) -> String {
        format!("{}-{}", hex(&self.digest), self.occurrence)
    }

    /// A shorter id that is unique among the things of one account: 12 hexadecimal digits and the occurrence number.
    pub(crate) fn short(&self) -> String {
        let (front, _) = self.digest.split_at(6);
        format!("{}-{}", hex(front), self.occurrence)
    }
}

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            if write!(text, "{byte:02x}").is_err() {
                text.clear();
            }
            text
        })
}

#[cfg(test)]
mod tests;
