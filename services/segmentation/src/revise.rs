//! What segmentations are decided by: proposing it, letting it decide, going back.

use prost::Message as _;
use tonic::Status;

use sextant_domain::id::TenantId;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::SegmenterAction;
use sextant_runtime::{blocking, follow};
use sextant_store::port::{Activation, Once, Request, RevisionRow, RevisionState, SegmentationRow};
use sextant_wire::request;
use sextant_wire::status::{Problem, store};
use sextant_wire::time;

use crate::engine::Engine;
use crate::fitting::fit_of;
use crate::gates;
use crate::registry;
use crate::segmenters::{Actor, told};
use crate::tenant::{self, Writing};
use crate::wire;

/// Revisions that are looked through for the proposed one and the one before: those of the last year, for most.
const LOOKED_THROUGH: usize = 1_000;

/// Which revision is to decide, and how that is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision {
    pub(crate) segmentation: u16,
    pub(crate) revision: u32,
    pub(crate) action: SegmenterAction,
    pub(crate) gates: Gates,
}

/// Whether gates keep a proposed revision from deciding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gates {
    /// It has to pass them.
    Judged,
    /// What it would change is accepted.
    Accepted,
}

/// What is to be proposed.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) segmenter: pb::Segmenter,
    /// Configuration as JSON; empty: that of the revision that decides.
    pub(crate) config: String,
    pub(crate) note: String,
    pub(crate) by: Actor,
}

impl Engine {
    /// The revisions of a segmentation, newest first.
    pub(crate) async fn revisions(
        &self,
        tenant: TenantId,
        segmentation: u16,
    ) -> Result<Vec<RevisionRow>, Status> {
        let revisions =
            self.segmentations
                .revisions(tenant, segmentation, u32::MAX, LOOKED_THROUGH);
        revisions.await.map_err(store)
    }

    /// Stores a proposed revision, and tells its number. It is asked for the first time here: one whose configuration it refuses is none.
    pub(crate) async fn propose(
        &self,
        tenant: TenantId,
        of: &SegmentationRow,
        proposal: Proposal,
        request: Request,
    ) -> Result<u32, Status> {
        let Proposal {
            segmenter: told,
            config,
            note,
            by,
        } = proposal;
        let as_decided = SegmentationRow {
            segmenter_id: told.segmenter_id.clone(),
            plugin_digest: told.digest.clone(),
            ..of.clone()
        };
        let segmenter = self.segmenters.of(tenant, &as_decided).await?;
        let base_currency = self.view(tenant).await?.base_currency;
        let config = if config.is_empty() {
            registry::taken_over(&segmenter, &of.config)
        } else {
            config
        };
        let config = registry::with_currency(&segmenter, &config, base_currency);
        let config = registry::canonical(&segmenter, config).await;
        let config = config.map_err(|problem| Problem {
            field: problem.field.replace("segmentation.", ""),
            ..problem
        })?;
        let fit_to = (segmenter, config.clone());
        let fit = self.fitted_once(tenant, fit_to, (&request, false)).await?;
        let row = RevisionRow {
            segmentation: of.number,
            revision: 0,
            state: RevisionState::Proposed,
            segmenter_id: told.segmenter_id.clone(),
            segmenter_version: told.version.clone(),
            digest: told.digest.clone(),
            config,
            fit,
            created_at: self.clock.now(),
            created_by: by.0.clone(),
            note: told::shortened(&note),
            shadow: Vec::new(),
        };
        let event = pb::SegmenterEvent {
            segmentation: of.key.clone(),
            ..told::event(SegmenterAction::Proposed, &told, &by, &note)
        };
        let event = told::event_row(&event, Some(tenant), row.created_at);
        let key = of.key.clone();
        let answer = move |row: &RevisionRow| revision_to_wire(&key, row).encode_to_vec();
        let proposed = self
            .segmentations
            .propose(tenant, &row, event, Once::new(request, answer));
        let answer: pb::Revision = request::answer(&proposed.await.map_err(store)?)?;
        Ok(answer.revision)
    }

    /// Lets a revision decide, from now on and for all accounts: they are evaluated before it is answered. `None`: another one was
    /// let decide meanwhile.
    pub(crate) async fn decide(
        &self,
        mut writing: Writing,
        decision: Decision,
        (by, note): (&Actor, &str),
        request: Request,
    ) -> Result<(Writing, Option<pb::Segmentation>), Status> {
        let Decision {
            segmentation,
            revision,
            action,
            gates,
        } = decision;
        let tenant = writing
            .as_ref()
            .map(|state| state.tenant)
            .ok_or_else(tenant::dropped)?;
        drop(writing);
        // It decides from here on: what was told before is of the one before.
        writing = self.level(tenant).await?;
        let state = writing.as_ref().ok_or_else(tenant::dropped)?;
        let Some(one) = state.by_number(segmentation) else {
            return Ok((writing, None));
        };
        let row = one.row.clone();
        let (from_state, leaves) = match action {
            SegmenterAction::RolledBack => (RevisionState::Previous, RevisionState::Retired),
            _ => (RevisionState::Proposed, RevisionState::Previous),
        };
        let Some((decides, judged)) = self.to_decide(tenant, &row, decision).await? else {
            return Ok((writing, None));
        };
        let activation = Activation {
            segmentation,
            from_version: row.version,
            revision,
            from_state,
            judged,
            leaves,
            closed_on: state.closed_on(),
        };
        // Who reads the journal sees what was accepted.
        let accepted = if from_state == RevisionState::Proposed && gates == Gates::Accepted {
            gates::accepted(&row, &decides)
        } else {
            String::new()
        };
        let note = format!("{note}{accepted}");
        let told = pb::Segmenter {
            segmenter_id: decides.segmenter_id.clone(),
            version: decides.segmenter_version.clone(),
            digest: decides.digest.clone(),
            ..pb::Segmenter::default()
        };
        let event = pb::SegmenterEvent {
            segmentation: row.key.clone(),
            revision,
            ..told::event(action, &told, by, &note)
        };
        let event = told::event_row(&event, Some(tenant), self.clock.now());
        let version = decides.segmenter_version.clone();
        let answer = move |row: &SegmentationRow| wire::segmentation(row, &version).encode_to_vec();
        // From here on it may be stored, and all accounts are evaluated also when this request is given up.
        self.unbegun.note(tenant);
        let stored =
            self.segmentations
                .activate(tenant, &activation, event, Once::new(request, answer));
        let Some(stored) = stored.await.map_err(store)? else {
            return Ok((writing, None));
        };
        let mut answer: pb::Segmentation = request::answer(&stored)?;
        let mut begun = self.begin(writing).await;
        if begun.as_ref().is_err_and(follow::is_overtaken) {
            begun = self.begin(self.write(tenant).await?).await;
        }
        let begun = begun?;
        // It decides, also where it could not be asked yet: that is told, and made up for.
        answer.failure = begun
            .as_ref()
            .map_or(String::new(), |state| state.why_behind(&row.key));
        Ok((begun, Some(answer)))
    }

    /// Whether a proposed revision can be asked now, whatever it answered when it was evaluated.
    ///
    /// # Errors
    /// Why it cannot.
    pub(crate) async fn can_be_asked(
        &self,
        tenant: TenantId,
        of: &SegmentationRow,
        proposed: &RevisionRow,
    ) -> Result<(), Status> {
        let as_decided = SegmentationRow {
            segmenter_id: proposed.segmenter_id.clone(),
            plugin_digest: proposed.digest.clone(),
            ..of.clone()
        };
        let segmenter = self.segmenters.of(tenant, &as_decided).await?;
        let state = self.learned(tenant, &proposed.fit).await?;
        let config = proposed.config.clone();
        let asking =
            blocking(move || registry::instance(&segmenter, &config, state.as_ref()).map(drop));
        Ok(asking.await?)
    }

    /// A revision that is to decide, and what it was judged by; `None`: there is none. What was judged before may have changed since.
    async fn to_decide(
        &self,
        tenant: TenantId,
        of: &SegmentationRow,
        decision: Decision,
    ) -> Result<Option<(RevisionRow, Option<Vec<u8>>)>, Status> {
        let before = decision.revision.saturating_add(1);
        let revisions = self.segmentations.revisions(tenant, of.number, before, 1);
        let found = revisions.await.map_err(store)?.into_iter().next();
        let Some(found) = found.filter(|one| one.revision == decision.revision) else {
            return Ok(None);
        };
        if self.segmenters.published().contains_key(&found.digest) {
            let as_decided = SegmentationRow {
                segmenter_id: found.segmenter_id.clone(),
                plugin_digest: found.digest.clone(),
                ..of.clone()
            };
            self.segmenters.allows(tenant, &as_decided)?;
        }
        let has_to_pass = found.state == RevisionState::Proposed && decision.gates == Gates::Judged;
        if has_to_pass {
            gates::check(of, &found)?;
        }
        let judged = has_to_pass.then(|| found.shadow.clone());
        Ok(Some((found, judged)))
    }

    /// The definition of a segmentation, as it is stored.
    pub(crate) async fn definition(
        &self,
        tenant: TenantId,
        key: &str,
    ) -> Result<SegmentationRow, Status> {
        // A tenant that is none is refused there.
        self.view(tenant).await?;
        let all = self.segmentations.all(tenant).await.map_err(store)?;
        let keys: Vec<String> = all.iter().map(|row| row.key.clone()).collect();
        let found = all.into_iter().find(|row| row.key == key);
        found.ok_or_else(|| {
            let message = format!(
                "segmentation \"{key}\" is not known; there are: {}",
                keys.join(", ")
            );
            Problem::field(ErrorReason::SegmentationUnknown, "segmentation", message).into()
        })
    }
}

/// A revision as callers see it, but for what it would change.
pub(crate) fn revision_to_wire(segmentation: &str, row: &RevisionRow) -> pb::Revision {
    let state = match row.state {
        RevisionState::Proposed => pb::RevisionState::Proposed,
        RevisionState::Active => pb::RevisionState::Active,
        RevisionState::Previous => pb::RevisionState::Previous,
        RevisionState::Retired => pb::RevisionState::Retired,
    };
    pb::Revision {
        segmentation: segmentation.to_owned(),
        revision: row.revision,
        state: state.into(),
        segmenter_id: row.segmenter_id.clone(),
        segmenter_version: row.segmenter_version.clone(),
        digest: row.digest.clone(),
        config: row.config.clone(),
        created_at: Some(time::timestamp(row.created_at)),
        created_by: row.created_by.clone(),
        note: row.note.clone(),
        diff: None,
        fit: fit_of(&row.fit),
    }
}

/// What a stored revision would change.
pub(crate) fn diff_of(row: &RevisionRow) -> Option<pb::ShadowDiff> {
    let bytes = row.shadow.as_slice();
    (!bytes.is_empty()).then(|| pb::ShadowDiff::decode(bytes).ok())?
}
