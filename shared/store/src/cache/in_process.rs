//! The cache of one process.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::ops::compute::Op;
use moka::sync;

use crate::BoxFuture;
use crate::cache::{Cache, Entry};

/// What an entry costs besides its key and bytes.
const OVERHEAD_BYTES: usize = 128;

/// A cache in this process, bounded by the bytes of its keys and entries.
pub struct InProcess {
    entries: sync::Cache<String, Entry>,
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess")
            .field("weighted_size", &self.entries.weighted_size())
            .finish_non_exhaustive()
    }
}

impl InProcess {
    /// A cache of at most about `max_bytes`, whose entries live for `time_to_live` after they were put, shortened by up to
    /// a tenth by their key, so that entries that were put together do not expire together.
    #[must_use]
    pub fn new(max_bytes: u64, time_to_live: Duration) -> Self {
        let entries = sync::Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|key: &String, entry: &Entry| {
                u32::try_from(key.len() + entry.bytes.len() + OVERHEAD_BYTES).unwrap_or(u32::MAX)
            })
            .expire_after(Jittered {
                time_to_live,
                hasher: RandomState::new(),
            })
            .build();
        Self { entries }
    }
}

impl Cache for InProcess {
    fn get<'a>(&'a self, key: &'a str, floor: u64) -> BoxFuture<'a, Option<Entry>> {
        Box::pin(async move {
            self.entries
                .get(key)
                .filter(|entry| entry.position >= floor)
        })
    }

    fn put<'a>(&'a self, entries: &'a [(String, Entry)]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for (key, entry) in entries {
                self.entries
                    .entry_by_ref(key.as_str())
                    .and_compute_with(|present| match present {
                        Some(present) if present.value().position > entry.position => Op::Nop,
                        Some(_) | None => Op::Put(entry.clone()),
                    });
            }
        })
    }

    fn forget<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for key in keys {
                self.entries.invalidate(key.as_str());
            }
        })
    }
}

struct Jittered {
    time_to_live: Duration,
    hasher: RandomState,
}

impl Jittered {
    fn lifetime(&self, key: &str) -> Duration {
        let thousandths = u32::try_from(self.hasher.hash_one(key) % 101).unwrap_or(0);
        self.time_to_live - self.time_to_live / 1_000 * thousandths
    }
}

impl Expiry<String, Entry> for Jittered {
    fn expire_after_create(
        &self,
        key: &String,
        _entry: &Entry,
        _created_at: Instant,
    ) -> Option<Duration> {
        Some(self.lifetime(key))
    }

    fn expire_after_update(
        &self,
        key: &String,
        _entry: &Entry,
        _updated_at: Instant,
        _left: Option<Duration>,
    ) -> Option<Duration> {
        Some(self.lifetime(key))
    }
}

#[cfg(test)]
mod tests;
