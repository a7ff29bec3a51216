//! The cache in front of point reads.

mod in_process;

pub use in_process::InProcess;

use bytes::Bytes;

use crate::BoxFuture;

/// A cached answer and the position that it was computed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Number of the newest commit that is in the answer.
    pub position: u64,
    /// The encoded answer, shared with everybody who reads it.
    pub bytes: Bytes,
}

/// A cache of point reads. It may forget anything at any time, and it never fails: whatever goes wrong behind it is a miss.
pub trait Cache: Send + Sync + std::fmt::Debug {
    /// The entry of a key, if there is one at `floor` or above; an older one is a miss, so a stale replica cannot answer.
    fn get<'a>(&'a self, key: &'a str, floor: u64) -> BoxFuture<'a, Option<Entry>>;

    /// Puts entries; an entry never replaces one of a greater position. True: nothing older is left under these keys. False: an
    /// older entry may be left under any of them, and may be answered later.
    fn put<'a>(&'a self, entries: &'a [(String, Entry)]) -> BoxFuture<'a, bool>;
}
