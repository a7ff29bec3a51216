//! Storing batches that have passed the door.

use sextant_domain::position::Position;
use sextant_proto::ingestion::v1::{Rejection, Verdict};
use sextant_runtime::telemetry::{Label, Metric, trace};
use sextant_store::port::{FactBatch, Outcome};
use sextant_wire::status::Problem;

use crate::admission::{self, CheckedBatch};
use crate::service::Shared;
use crate::tenants::KnownTenant;
use crate::{failure, places, verdicts};

/// What became of several batches that were stored together.
#[derive(Debug)]
pub(crate) struct Stored {
    /// One for each fact, batch after batch.
    pub(crate) outcomes: Vec<Outcome>,
    /// The refused records of each batch, by ascending index.
    pub(crate) refused: Vec<Vec<(u32, Rejection)>>,
    /// All of it is stored at this position, encoded, records that had been stored before included. Empty if that is not known.
    pub(crate) position: String,
}

/// Stores one batch; its verdicts in the order of its records, and the position that covers them, as [`Stored`] has it.
///
/// # Errors
/// The store's failure; then nothing of it is stored.
pub(crate) async fn commit_one(
    shared: &Shared,
    tenant: &KnownTenant,
    batch: CheckedBatch,
) -> Result<(Vec<Verdict>, String), Problem> {
    let stored = commit(shared, tenant, vec![batch]).await?;
    let refused = stored.refused.into_iter().flatten().collect();
    let verdicts = verdicts::in_order(refused, &stored.outcomes).collect();
    Ok((verdicts, stored.position))
}

/// Stores batches of one tenant in one transaction.
///
/// # Errors
/// The store's failure; then nothing of it is stored.
pub(crate) async fn commit(
    shared: &Shared,
    tenant: &KnownTenant,
    batches: Vec<CheckedBatch>,
) -> Result<Stored, Problem> {
    let now = shared.deps.clock.now();
    let mut whole = FactBatch {
        tenant: tenant.row.tenant,
        n_slices: tenant.row.n_slices,
        batch_id: admission::new_uid(now),
        recorded_at: now,
        fixed_clock: tenant.row.fixed_clock,
        facts: Vec::new(),
        sources: Vec::new(),
        rejections: Vec::new(),
        trace: trace::of_this_span(),
    };
    let mut refused = Vec::with_capacity(batches.len());
    for mut batch in batches {
        if whole.facts.is_empty() {
            // The usual case, one batch: nothing is moved.
            whole.facts = std::mem::take(&mut batch.facts);
            whole.sources = std::mem::take(&mut batch.sources);
        } else {
            whole.facts.append(&mut batch.facts);
            whole.sources.append(&mut batch.sources);
        }
        refused.push(
            batch
                .refused
                .iter()
                .map(|one| (one.index, verdicts::rejection(&one.kept)))
                .collect(),
        );
        whole
            .rejections
            .extend(batch.refused.into_iter().map(|one| one.kept));
    }
    places::resolve(shared, whole.tenant, &mut whole.facts).await?;
    let n_rejections = whole.rejections.len();
    let (outcomes, position) = if whole.facts.is_empty() && n_rejections == 0 {
        (Vec::new(), Some(shared.heads.position(whole.tenant)))
    } else {
        store(shared, whole).await?
    };
    count(shared, &outcomes, n_rejections);
    let tenant = tenant.row.tenant;
    Ok(Stored {
        outcomes,
        refused,
        position: position.map_or_else(String::new, |position| position.encode(tenant)),
    })
}

/// The outcomes, and the position that covers them. None: it could not be read, and a position that is too low would be
/// taken for one that covers them.
async fn store(
    shared: &Shared,
    batch: FactBatch,
) -> Result<(Vec<Outcome>, Option<Position>), Problem> {
    let tenant = batch.tenant;
    let committed = shared
        .deps
        .facts
        .commit(batch)
        .await
        .map_err(failure::of_store)?;
    shared.heads.note(tenant, &committed.heads);
    let came_before = |outcome: &Outcome| matches!(outcome, Outcome::Duplicate | Outcome::Conflict);
    // Another replica may have stored the first delivery: its sender waits for a position that covers it.
    if committed.outcomes.iter().any(came_before)
        && let Err(error) = shared.heads.refresh_of(tenant).await
    {
        tracing::warn!(%error, "the position of records that came again cannot be read; it is left out");
        return Ok((committed.outcomes, None));
    }
    Ok((committed.outcomes, Some(shared.heads.position(tenant))))
}

fn count(shared: &Shared, outcomes: &[Outcome], n_rejections: usize) {
    let n_of = |wanted: Outcome| {
        outcomes
            .iter()
            .filter(|outcome| **outcome == wanted)
            .count()
    };
    let counts = [
        (n_of(Outcome::Accepted), "accepted"),
        (n_of(Outcome::Duplicate), "duplicate"),
        (n_of(Outcome::Conflict), "conflict"),
        (n_of(Outcome::Held), "held"),
        (n_rejections, "rejected"),
    ];
    for (count, verdict) in counts {
        if let Ok(count @ 1..) = u32::try_from(count) {
            shared.deps.meters.record(
                Metric::IngestRecords,
                count.into(),
                &[Label::Outcome(verdict)],
            );
        }
    }
}
