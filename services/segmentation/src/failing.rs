//! What fails too often, and for whom: a segmentation leaves a segmenter that fails with its configuration, and a segmenter leaves
//! where it fails with all.

use std::collections::BTreeSet;

use tonic::Status;

use sextant_plugin_host::Failing;
use sextant_store::port::{RevisionState, UseRow};
use sextant_wire::status::store;

use crate::engine::Engine;
use crate::fitting::fit_of;
use crate::supervise::{Back, revision_before};

impl Engine {
    /// Segmenters that may not be asked any more, anywhere, with what each has done. One that fails with configurations is not among
    /// them while a segmentation of any tenant has another one, whether that is in memory here or not.
    pub(crate) async fn fallen(&self) -> Result<Vec<(String, String)>, Status> {
        let mut fallen = self.segmenters.fallen();
        let mut failed = self.segmenters.failed_here();
        failed.retain(|(digest, _)| fallen.iter().all(|(known, _)| known != digest));
        if failed.is_empty() {
            return Ok(fallen);
        }
        let uses = self.segmenters.catalogue.uses().await.map_err(store)?;
        for (digest, why) in failed {
            if self.fails_everywhere(&digest, &uses).await? {
                fallen.push((digest, why));
            }
        }
        Ok(fallen)
    }

    /// Whether a version has failed too often here with the configuration of every segmentation that it decides or is proposed for. What
    /// fails for one tenant alone is left to the others that can be taken back to it.
    async fn fails_everywhere(&self, digest: &str, uses: &[UseRow]) -> Result<bool, Status> {
        let failing = self.segmenters.failing();
        let of_it = || uses.iter().filter(|one| one.digest == digest);
        let is_asked =
            |one: &&UseRow| matches!(one.state, RevisionState::Active | RevisionState::Proposed);
        let mut fails_for = BTreeSet::new();
        for one in of_it().filter(is_asked) {
            let before = one.revision.saturating_add(1);
            let segmentations = &self.segmentations;
            let newest = segmentations.revisions(one.tenant, one.segmentation, before, 1);
            let newest = newest.await.map_err(store)?;
            let fails = newest.iter().any(|row| {
                let mut of_it = failing.iter().filter(|(of, _)| *of == row.digest);
                of_it.any(|(_, failing)| is_of(failing, &row.config, &row.fit))
            });
            if !fails {
                return Ok(false);
            }
            fails_for.insert(one.tenant);
        }
        let is_fallback_of_others =
            |one: &UseRow| one.state == RevisionState::Previous && !fails_for.contains(&one.tenant);
        Ok(fails_for.len() > 1 || !of_it().any(is_fallback_of_others))
    }

    /// Segmentations whose segmenter has failed too often with their configuration go back to their revision before, if they have one.
    /// The segmenter goes on answering with the others.
    pub(crate) async fn leave_failing(&self) -> Result<(), Status> {
        let failing = self.segmenters.failing();
        if failing.is_empty() {
            return Ok(());
        }
        let fallen = self.fallen().await?;
        let uses = self.segmenters.catalogue.uses().await.map_err(store)?;
        let failed = |digest: &str| failing.iter().any(|(of, _)| of == digest);
        let active = |one: &&UseRow| one.state == RevisionState::Active && failed(&one.digest);
        let mut backs = Vec::new();
        for one in uses.iter().filter(active) {
            let Some(before) = revision_before(&uses, one) else {
                continue;
            };
            // Where other code decided before, one that fails as a whole goes into quarantine, and takes its segmentations back.
            let has_fallen = fallen.iter().any(|(digest, _)| *digest == one.digest);
            if before.digest != one.digest && has_fallen {
                continue;
            }
            let rows = self.segmentations.all(one.tenant).await.map_err(store)?;
            let row = rows.iter().find(|row| row.number == one.segmentation);
            let found = failing.iter().find(|(digest, failing)| {
                row.is_some_and(|row| {
                    *digest == row.plugin_digest && is_of(failing, &row.config, &row.fit)
                })
            });
            if let Some((_, failing)) = found {
                let trouble = &failing.trouble;
                backs.push(Back {
                    tenant: one.tenant,
                    segmentation: one.segmentation,
                    revision: before.revision,
                    digest: before.digest.clone(),
                    why: format!(
                        "it has failed too often with its configuration, at last so: {trouble}"
                    ),
                });
            }
        }
        // Those that do not yet are found again.
        let _all_have = self.go_back_all(backs).await;
        Ok(())
    }
}

/// Whether something is decided with a configuration.
fn is_of(failing: &Failing, config: &str, fit: &[u8]) -> bool {
    let digest = fit_of(fit).map(|fit| fit.state_digest);
    config == failing.config && digest == failing.state_digest_hex()
}
