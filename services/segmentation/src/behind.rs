//! Segmentations whose segmenters failed or were missing: they were left behind, for the others to go on, and take in on their
//! own what they have missed. What they find of the past is known since then.

use tonic::Status;

use sextant_domain::id::Slice;
use sextant_domain::position::Position;

use crate::columns::Columns;
use crate::engine::Engine;
use crate::evaluate::Which;
use crate::follower::{Ready, runs};
use crate::state::TenantState;
use crate::tenant::Writing;

impl Engine {
    /// Takes in some of what a segmentation has missed in a slice: closes and corrections. When nothing is left, it has still to
    /// be evaluated over all accounts, as one that has not begun. Where its segmenter fails again, it stays where it is.
    pub(crate) async fn make_up(
        &self,
        mut writing: Writing,
        slice: Slice,
        number: u16,
    ) -> Result<Writing, Status> {
        let Some(state) = writing.as_ref() else {
            return Ok(writing);
        };
        let (tenant, key) = (state.tenant, (slice, number));
        let reached = state.slices.get(&slice).map_or(0, |known| known.cursor);
        let mut cursor = state
            .behind
            .get(&key)
            .map_or(reached, |behind| behind.cursor);
        let mut entries = Vec::new();
        if cursor < reached {
            entries = self.evaluations(tenant, slice, cursor).await?.evaluations;
            entries.retain(|entry| entry.sequence <= reached);
        }
        let is_end = entries.last().is_none_or(|last| last.sequence == reached);
        for run in runs(entries) {
            let Some(ready) = self.ready((tenant, slice), Some(run), true).await? else {
                continue;
            };
            let end = ready.evaluation.cursor;
            writing = self.take_in_missed(writing, ready, number).await?;
            let behind = writing.as_ref().and_then(|state| state.behind.get(&key));
            cursor = behind.map_or(end, |behind| behind.cursor);
            if cursor < end {
                return Ok(writing);
            }
        }
        if !is_end {
            return Ok(writing);
        }
        let has_made_up = |state: &mut TenantState| state.has_made_up(key);
        Ok(writing.changed(has_made_up).await)
    }

    /// Takes in a close, or the corrections of changes within a day, for one segmentation.
    async fn take_in_missed(
        &self,
        mut writing: Writing,
        ready: Ready,
        number: u16,
    ) -> Result<Writing, Status> {
        let which = Which::Behind(number);
        let Ready {
            mut evaluation,
            late,
            features,
            ..
        } = ready;
        let is_close = evaluation.closed_on.is_some();
        if let Some(tenant) = writing.as_ref().map(|state| state.tenant) {
            let now = self.now(tenant, &Position::default()).await?;
            evaluation.known_at = evaluation.known_at.max(now);
            let (corrected, corrections) = self.correct(writing, &evaluation, late, which).await?;
            writing = corrected;
            let columns = if is_close {
                self.features(tenant, &evaluation, features).await?
            } else {
                Columns::default()
            };
            writing = self
                .evaluate(writing, evaluation, corrections, (columns, which))
                .await?;
        }
        Ok(writing)
    }
}
