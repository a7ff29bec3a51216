//! By which versions of their segmentations accounts are judged, and where they are being judged by another one.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::Status;

use sextant_domain::id::{ExternalId, Slice, TenantId};
use sextant_proto::common::v1::ErrorReason;
use sextant_store::port;
use sextant_wire::status::Problem;

use crate::engine::Engine;
use crate::evaluate::Which;
use crate::state::{TenantState, Use};
use crate::tenant::Reading;

/// How long a segmentation is waited for whose accounts another process judges, and how often it is looked at.
const LONGEST_HALF: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// What accounts are judged by where nothing else is stored.
const FIRST_VERSION: u32 = 1;

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
            let judged = known.map_or(FIRST_VERSION, |known| known.version);
            if judged != version {
                self.begun.remove(&(slice, number));
            }
            if known.is_some() || self.begun.contains(&(slice, number)) {
                self.judged.insert((slice, number), judged);
            }
        }
    }

    /// Those that were not evaluated over all accounts of a slice yet have been, for there are none. True: others have to know it, by
    /// whom they would be judged is news.
    pub(crate) fn begin_nobody(&mut self, slice: Slice) -> bool {
        let meant = self.meant(slice, Which::Unbegun);
        let meant: Vec<_> = meant
            .map(|(_, one)| ((slice, one.row.number), one.row.version))
            .collect();
        let mut is_news = false;
        for (key, version) in meant {
            self.begun.insert(key);
            self.retried.remove(&key);
            let before = self.judged.insert(key, version);
            is_news |= before.unwrap_or(FIRST_VERSION) != version;
        }
        is_news
    }

    /// True: not all accounts are judged by one version, be it the one that decides now or the one before.
    pub(crate) fn is_mixed(&self, number: u16) -> bool {
        if self.judging(number).is_none() {
            return false;
        }
        let mut versions = BTreeSet::new();
        for (slice, progress) in &self.slices {
            let key = (*slice, number);
            let judged = self.judged.get(&key).copied();
            // One that is behind says so.
            let counts = progress.is_of_accounts() && !self.is_behind(&key);
            // Of a slice that was never evaluated nobody knows yet whether it has accounts.
            let has_accounts = !self.begun.contains(&key) || self.has_accounts(*slice);
            if counts && (judged.is_some() || has_accounts) {
                versions.insert(judged);
            }
        }
        versions.len() > 1 || versions.contains(&None)
    }

    /// The version that decides a segmentation, if its segmenter can be asked. Of one that cannot be it is told why.
    fn judging(&self, number: u16) -> Option<u32> {
        let usable = self.by_number(number).and_then(Use::usable);
        usable.map(|one| one.row.version)
    }

    fn has_accounts(&self, slice: Slice) -> bool {
        let mut ids = self.uids.keys().filter_map(|id| ExternalId::parse(id).ok());
        ids.any(|id| Slice::of_account(&id, self.n_slices) == slice)
    }
}

impl Engine {
    /// The state of a tenant to read, as [`Engine::read`] gives it, for somebody who looks at all accounts of a segmentation: while some
    /// of its slices are judged by something new already and others are not, here or by another process, that is waited for.
    pub(crate) async fn read_all(&self, tenant: TenantId, number: u16) -> Result<Reading, Status> {
        let until = Instant::now() + LONGEST_HALF;
        loop {
            let reading = self.read(tenant).await?;
            if !reading.as_ref().is_some_and(|state| state.is_mixed(number)) {
                return Ok(reading);
            }
            drop(reading);
            if Instant::now() > until {
                let message = "the accounts of the segmentation are being judged anew; try again";
                return Err(Problem::new(ErrorReason::Unavailable, message).into());
            }
            // What another process stores is taken over as it is heard of.
            sleep(LOOK_AGAIN).await;
        }
    }
}
