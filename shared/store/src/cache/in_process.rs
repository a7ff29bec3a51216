//! The cache of one process.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::{self, EntryAction, EntryResult};
use tokio::time::Instant;

use crate::BoxFuture;
use crate::cache::{Cache, Entry};

/// What an entry costs besides its key and bytes.
const OVERHEAD_BYTES: usize = 128;
/// What an entry costs in all, about: how many places are made follows from it.
const TYPICAL_BYTES: u64 = 512;

/// A cache in this process, bounded by the bytes of its keys and entries.
pub struct InProcess {
    entries: sync::Cache<String, Timed, Bytes>,
    time_to_live: Duration,
    hasher: RandomState,
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess")
            .field("bytes", &self.entries.weight())
            .finish_non_exhaustive()
    }
}

/// An entry and when it stops to count.
#[derive(Debug, Clone)]
struct Timed {
    entry: Entry,
    until: Instant,
}

/// What an entry takes of the bytes that the cache may have.
#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<String, Timed> for Bytes {
    fn weight(&self, key: &String, timed: &Timed) -> u64 {
        let n_bytes = key.len() + timed.entry.bytes.len() + OVERHEAD_BYTES;
        u64::try_from(n_bytes).unwrap_or(u64::MAX)
    }
}

impl InProcess {
    /// A cache of at most about `max_bytes`, whose entries live for `time_to_live` after they were put, shortened by up to
    /// a tenth by their key, so that entries that were put together do not expire together. What has expired is a miss, and
    /// goes when its place is needed.
    #[must_use]
    pub fn new(max_bytes: u64, time_to_live: Duration) -> Self {
        let n_entries = usize::try_from(max_bytes / TYPICAL_BYTES).unwrap_or(usize::MAX);
        Self {
            entries: sync::Cache::with_weighter(n_entries, max_bytes, Bytes),
            time_to_live,
            hasher: RandomState::new(),
        }
    }

    fn lifetime(&self, key: &str) -> Duration {
        let thousandths = u32::try_from(self.hasher.hash_one(key) % 101).unwrap_or(0);
        self.time_to_live - self.time_to_live / 1_000 * thousandths
    }

    fn put_one(&self, key: &str, entry: &Entry) {
        let now = Instant::now();
        let replace = |_: &String, present: &mut Timed| {
            if present.entry.position > entry.position && present.until > now {
                EntryAction::Retain(())
            } else {
                // Made anew: an entry that grows in its place drives no other out.
                EntryAction::ReplaceWithGuard
            }
        };
        let place = match self.entries.entry(key, None, replace) {
            EntryResult::Vacant(place) | EntryResult::Replaced(place, _) => place,
            EntryResult::Retained(()) | EntryResult::Removed(..) | EntryResult::Timeout => return,
        };
        let timed = Timed {
            entry: entry.clone(),
            until: now + self.lifetime(key),
        };
        // Refused only if its place was taken away meanwhile.
        drop(place.insert(timed));
    }
}

impl Cache for InProcess {
    fn get<'a>(&'a self, key: &'a str, floor: u64) -> BoxFuture<'a, Option<Entry>> {
        Box::pin(async move {
            let Timed { entry, until } = self.entries.get(key)?;
            (entry.position >= floor && until > Instant::now()).then_some(entry)
        })
    }

    fn put<'a>(&'a self, entries: &'a [(String, Entry)]) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            for (key, entry) in entries {
                self.put_one(key, entry);
            }
            true
        })
    }
}

#[cfg(test)]
mod tests;
