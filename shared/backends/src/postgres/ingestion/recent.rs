//! Entries of the feed that this process has just stored.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use sextant_domain::id::{Slice, TenantId};
use sextant_store::port::{FactEntry, StoredFact};

/// Memory that entries may take, over all tenants, in bytes.
const MAX_BYTES: usize = 32 << 20;

type Feed = (TenantId, Slice);

/// The newest entries, so that those who follow closely are not sent to the tables, each of them for every fact. An entry
/// never changes; one that another replica has stored leaves a gap, and what is behind a gap is read from the tables.
///
/// All is forgotten when a connection is opened: the server that answers there may have lost what was committed last.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    opened: u64,
    feeds: HashMap<Feed, BTreeMap<u64, Arc<FactEntry>>>,
    /// All of them, in the order in which they came.
    order: VecDeque<(Feed, u64)>,
    n_bytes: usize,
}

impl Recent {
    /// Remembers entries that are committed; `opened` connections were opened before their transaction began.
    pub(super) fn remember(
        &self,
        opened: u64,
        tenant: TenantId,
        entries: impl Iterator<Item = (Slice, FactEntry)>,
    ) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.is_of(opened) {
            entries.for_each(|(slice, entry)| recent.put((tenant, slice), entry, MAX_BYTES));
        }
    }

    /// The entries right behind `after`, up to the one whose records pass `max_bytes`; none if the first is not remembered.
    /// `opened` connections were opened until now.
    pub(super) fn read(
        &self,
        opened: u64,
        feed: Feed,
        after: u64,
        (max_entries, max_bytes): (usize, usize),
    ) -> Vec<FactEntry> {
        let run = {
            let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !recent.is_of(opened) {
                return Vec::new();
            }
            recent.run(feed, after, (max_entries, max_bytes))
        };
        run.iter().map(|entry| FactEntry::clone(entry)).collect()
    }
}

impl Entries {
    /// False for one who has not heard of the newest connection. Forgets all when one hears of it first.
    fn is_of(&mut self, opened: u64) -> bool {
        if opened > self.opened {
            *self = Self {
                opened,
                ..Self::default()
            };
        }
        opened == self.opened
    }

    fn put(&mut self, feed: Feed, entry: FactEntry, max_bytes: usize) {
        self.n_bytes += size_of_entry(&entry);
        self.order.push_back((feed, entry.sequence));
        let entries = self.feeds.entry(feed).or_default();
        entries.insert(entry.sequence, Arc::new(entry));
        while self.n_bytes > max_bytes
            && let Some((feed, sequence)) = self.order.pop_front()
        {
            self.forget(feed, sequence);
        }
    }

    fn forget(&mut self, feed: Feed, sequence: u64) {
        let Some(entries) = self.feeds.get_mut(&feed) else {
            return;
        };
        if let Some(entry) = entries.remove(&sequence) {
            self.n_bytes -= size_of_entry(&entry);
        }
        if entries.is_empty() {
            self.feeds.remove(&feed);
        }
    }

    fn run(
        &self,
        feed: Feed,
        after: u64,
        (max_entries, max_bytes): (usize, usize),
    ) -> Vec<Arc<FactEntry>> {
        let (mut run, mut n_bytes) = (Vec::new(), 0);
        let Some(entries) = self.feeds.get(&feed) else {
            return run;
        };
        let behind = entries.range(after.saturating_add(1)..).take(max_entries);
        for ((sequence, entry), expected) in behind.zip(after.saturating_add(1)..) {
            if *sequence != expected || n_bytes > max_bytes {
                break;
            }
            n_bytes += entry
                .facts
                .iter()
                .map(|fact| fact.record.len())
                .sum::<usize>();
            run.push(Arc::clone(entry));
        }
        run
    }
}

/// Memory that an entry takes, in bytes.
fn size_of_entry(entry: &FactEntry) -> usize {
    let facts = entry.facts.iter();
    let facts = facts.map(|fact| size_of::<StoredFact>() + fact.record.len());
    size_of::<FactEntry>() + facts.sum::<usize>()
}

#[cfg(test)]
mod tests;
