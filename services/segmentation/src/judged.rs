//! By which versions of their segmentations accounts are judged, and where they are being judged by another one.

use std::collections::BTreeSet;

use sextant_domain::id::{ExternalId, Slice};
use sextant_store::port;

use crate::state::{TenantState, Use};

impl TenantState {
    /// The version of a segmentation by which all its accounts are judged: while they are being judged by the next one, the last.
    pub(crate) fn judged_by(&self, one: &Use) -> u32 {
        let number = one.row.number;
        let slices = self.slices.keys();
        let judged = slices.filter_map(|slice| self.judged.get(&(*slice, number)));
        judged.min().copied().unwrap_or(one.row.version)
    }

    /// By which versions all accounts of a slice are judged, to be stored.
    pub(crate) fn judged_in(&self, slice: Slice) -> Vec<port::Judged> {
        let judged = self.judged.iter().filter(|((of, _), _)| *of == slice);
        judged
            .map(|((_, segmentation), version)| port::Judged {
                segmentation: *segmentation,
                version: *version,
            })
            .collect()
    }

    /// Takes up by which versions accounts were judged: those of another one are evaluated again.
    pub(crate) fn recall_judged(&mut self, slice: Slice, stored: &[port::Judged]) {
        for one in &self.uses {
            let (number, version) = (one.row.number, one.row.version);
            let known = stored.iter().find(|known| known.segmentation == number);
            let judged = known.map_or(1, |known| known.version);
            if judged != version {
                self.begun.remove(&(slice, number));
            }
            if known.is_some() || self.begun.contains(&(slice, number)) {
                self.judged.insert((slice, number), judged);
            }
        }
    }

    /// True: something else decides a segmentation than before, if anything did, and not all accounts are judged by it.
    pub(crate) fn is_judged_anew(&self, number: u16) -> bool {
        let version = self.by_number(number).map(|one| one.row.version);
        self.slices.iter().any(|(slice, progress)| {
            let key = (*slice, number);
            progress.is_of_accounts()
                && !self.begun.contains(&key)
                && !self.behind.contains_key(&key)
                && self.judged.get(&key).copied() != version
        })
    }

    /// True: not all accounts are judged by one version, be it the one that decides now or the one before.
    pub(crate) fn is_mixed(&self, number: u16) -> bool {
        let mut versions = BTreeSet::new();
        for (slice, progress) in &self.slices {
            let key = (*slice, number);
            let judged = self.judged.get(&key).copied();
            // One that is behind says so.
            let counts = progress.is_of_accounts() && !self.behind.contains_key(&key);
            if counts && (judged.is_some() || self.has_accounts(*slice)) {
                versions.insert(judged);
            }
        }
        versions.len() > 1 || versions.contains(&None)
    }

    fn has_accounts(&self, slice: Slice) -> bool {
        let mut ids = self.uids.keys().filter_map(|id| ExternalId::parse(id).ok());
        ids.any(|id| Slice::of_account(&id, self.n_slices) == slice)
    }
}
