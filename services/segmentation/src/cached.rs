//! Memberships in caches, and from which commit on these can be believed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use prost::Message as _;

use sextant_domain::id::{Slice, TenantId};
use sextant_store::cache::{Cache, Entry};
use sextant_store::port::{MembershipRow, SegmentationCommit};

use crate::engine::Engine;
use crate::state::TenantState;
use crate::wire::{cache_keys, present};

/// The caches before the store, the nearest first.
///
/// A commit renews the entries that it changes, so an entry of any age is true where every commit since is known to have done so.
/// Where one is not, since another process made it, its process died, or the cache did not take it, no entry from before is
/// believed: that commit is the floor of the slice in this cache. What is read from the store instead is put at the commit that
/// it was read at.
#[derive(Debug)]
pub(crate) struct Caches {
    caches: Vec<Arc<dyn Cache>>,
    slices: RwLock<HashMap<(TenantId, Slice), Commits>>,
}

/// Numbers of commits of a slice; 0: none.
#[derive(Debug, Clone, Default)]
struct Commits {
    /// The newest one that this process knows.
    newest: u64,
    /// For each cache, the one from which on entries are believed.
    floors: Box<[u64]>,
}

impl Caches {
    pub(crate) fn new(caches: Vec<Arc<dyn Cache>>) -> Self {
        Self {
            caches,
            slices: RwLock::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.caches.is_empty()
    }

    /// The newest commit of a slice that this process knows, and the floor in one of the caches.
    fn commits(&self, of: (TenantId, Slice), place: usize) -> (u64, u64) {
        let slices = self.slices.read().unwrap_or_else(PoisonError::into_inner);
        slices.get(&of).map_or((0, 0), |commits| {
            (
                commits.newest,
                commits.floors.get(place).copied().unwrap_or(0),
            )
        })
    }

    /// The newest commit of a slice that this process knows.
    pub(crate) fn newest(&self, of: (TenantId, Slice)) -> u64 {
        self.commits(of, 0).0
    }

    /// What is cached under the key of an account in a slice, if it is true of all that can be read here. Nearer caches learn of it.
    pub(crate) async fn get(&self, of: (TenantId, Slice), key: &str) -> Option<Bytes> {
        for (place, cache) in self.caches.iter().enumerate() {
            let (newest, floor) = self.commits(of, place);
            if let Some(entry) = cache.get(key, floor).await {
                let bytes = entry.bytes.clone();
                if place > 0 {
                    let found = (key.to_owned(), entry);
                    self.put(&self.caches[..place], (of, newest), found).await;
                }
                return Some(bytes);
            }
        }
        None
    }

    /// Puts what was read from the store, where `newest` was the newest known commit before.
    pub(crate) async fn keep(&self, of: (TenantId, Slice), newest: u64, found: (String, Entry)) {
        self.put(&self.caches, (of, newest), found).await;
    }

    /// Puts what was read, unless a commit has become known meanwhile: that has renewed the entry, or it must not be believed.
    async fn put(
        &self,
        caches: &[Arc<dyn Cache>],
        (of, newest): ((TenantId, Slice), u64),
        found: (String, Entry),
    ) {
        if self.newest(of) == newest {
            let found = [found];
            for cache in caches {
                cache.put(&found).await;
            }
        }
    }

    /// Notes where a slice stands, before anybody hears that so much can be read. What is not known yet was perhaps not renewed.
    pub(crate) fn find(&self, of: (TenantId, Slice), commit: u64) {
        self.note(of, commit, &[]);
    }

    /// Renews what a commit of this process has changed, before anybody hears that it can be read.
    pub(crate) async fn renew(&self, of: (TenantId, Slice), commit: u64, renewal: &Renewal) {
        let Renewal::Changed(changed) = renewal else {
            return self.find(of, commit);
        };
        let mut are_renewed = Vec::with_capacity(self.caches.len());
        for cache in &self.caches {
            are_renewed.push(cache.put(changed).await);
        }
        self.note(of, commit, &are_renewed);
    }

    /// Notes a commit, and which caches are known to be renewed.
    fn note(&self, of: (TenantId, Slice), commit: u64, are_renewed: &[bool]) {
        if self.caches.is_empty() {
            return;
        }
        let mut slices = self.slices.write().unwrap_or_else(PoisonError::into_inner);
        let commits = slices.entry(of).or_insert_with(|| Commits {
            newest: 0,
            floors: vec![0; self.caches.len()].into(),
        });
        if commit <= commits.newest {
            return;
        }
        let follows = commits.newest + 1 == commit;
        commits.newest = commit;
        for (place, floor) in commits.floors.iter_mut().enumerate() {
            if !follows || are_renewed.get(place) != Some(&true) {
                *floor = commit;
            }
        }
    }
}

/// What a commit of this process means for the caches.
#[derive(Debug)]
pub(crate) enum Renewal {
    /// These memberships have changed, and no others.
    Changed(Vec<(String, Entry)>),
    /// A day was closed: what of the memberships is provisional has changed.
    Closed,
}

impl Engine {
    /// What a commit that is about to be stored will mean for the caches.
    pub(crate) fn renewal(
        &self,
        state: &TenantState,
        commit: &SegmentationCommit,
        within_day: bool,
    ) -> Renewal {
        if self.caches.is_empty() || !within_day {
            return Renewal::Closed;
        }
        let entry = |row: &MembershipRow| {
            let mut uses = state.uses.iter();
            let one = uses.find(|one| one.row.number == row.segmentation)?;
            let id = &state.names.get(&row.uid)?.id;
            let membership = present(row, commit.closed_on, &state.zone)?;
            let entry = Entry {
                position: commit.version + 1,
                bytes: membership.encode_to_vec().into(),
            };
            Some((cache_keys(commit.tenant, &one.row.key) + id, entry))
        };
        // Of one that changed twice the last row counts.
        let changed = commit.memberships.iter().filter_map(entry);
        let changed: BTreeMap<String, Entry> = changed.collect();
        Renewal::Changed(changed.into_iter().collect())
    }
}
