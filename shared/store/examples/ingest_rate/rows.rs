//! Rows of two stores are compared whatever their order, and whatever each of them held before.

use sextant_domain::id::PayloadHash;

/// What makes records the same, in the tables of either engine.
pub(crate) const IDENTITIES: &str = "SELECT hour, hash, payload FROM dedupe";
/// What facts say, in the tables of either engine. Batch, ordinal, uid and the moment of knowing are the affair of each store.
pub(crate) const FACTS: &str = "SELECT occurred_at, kind, historical, record FROM fact";

/// How many rows there are, and the sum of their hashes (modulo 2^128).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rows {
    n_identities: usize,
    n_facts: usize,
    sum: u128,
}

impl Rows {
    /// Adds a row of [`IDENTITIES`].
    pub(crate) fn add_identity(&mut self, hour: i32, hash: [u8; 16], payload: [u8; 16]) {
        self.n_identities += 1;
        self.add(&[b"identity", &hour.to_be_bytes(), &hash, &payload]);
    }

    /// Adds a row of [`FACTS`]: its three numbers and its record.
    pub(crate) fn add_fact(&mut self, numbers: [i64; 3], record: &[u8]) {
        self.n_facts += 1;
        let [occurred_at, kind, historical] = numbers.map(i64::to_be_bytes);
        self.add(&[b"fact", &occurred_at, &kind, &historical, record]);
    }

    fn add(&mut self, row: &[&[u8]]) {
        let hash = PayloadHash::of(&row.concat());
        self.sum = self.sum.wrapping_add(hash.0);
    }

    /// The rows that came after those that were there `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            n_identities: self.n_identities - earlier.n_identities,
            n_facts: self.n_facts - earlier.n_facts,
            sum: self.sum.wrapping_sub(earlier.sum),
        }
    }
}
