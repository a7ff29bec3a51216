use std::collections::BTreeMap;

use tonic::{Request, Response, Status};

use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{
    Correction, ReplayRejectionsRequest, ReplayRejectionsResponse, ReplayedRejection, Verdict,
    VerdictKind,
};
use sextant_store::port::{RejectionKey, RejectionRow};
use sextant_wire::record;
use sextant_wire::status::Problem;

use crate::admission::{self, Arrived, Knowledge, Terms};
use crate::commit::commit_one;
use crate::failure;
use crate::service::Shared;

/// Corrections of one call.
const MAX_CORRECTIONS: usize = 1_000;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<ReplayRejectionsRequest>,
) -> Result<Response<ReplayRejectionsResponse>, Status> {
    let tenant = shared.tenant(&request).await?;
    let corrections = request.into_inner().corrections;
    let ordinals = ordinals(&corrections)?;
    let intake = &shared.deps.intake;
    let listed = intake.rejections_by(tenant.row.tenant, &ordinals).await;
    let listed: BTreeMap<u64, RejectionRow> = listed
        .map_err(failure::of_store)?
        .into_iter()
        .map(|row| (row.ordinal, row))
        .collect();
    let mut sent = Vec::new();
    let mut records = Vec::new();
    for (ordinal, correction) in ordinals.iter().zip(&corrections) {
        if let Some(row) = listed.get(ordinal) {
            sent.push(row);
            records.push(match &correction.record {
                Some(corrected) => corrected.clone(),
                None => record::decode(&row.record)?,
            });
        }
    }
    let terms = Terms::new(&tenant, Knowledge::Now, shared.deps.clock.now());
    let arrived = records.into_iter().map(Arrived::of);
    let batch = admission::check_apart(arrived, terms).await?;
    // Where it is refused anew, it stays listed as it is, or it is listed anew.
    let refused: BTreeMap<u32, RejectionKey> = batch
        .refused
        .iter()
        .map(|one| (one.index, one.kept.key))
        .collect();
    let (verdicts, position) = commit_one(shared, &tenant, batch).await?;
    let done: Vec<u64> = sent
        .iter()
        .zip(&verdicts)
        .filter(|(row, verdict)| is_done(row, verdict, &refused))
        .map(|(row, _)| row.ordinal)
        .collect();
    let removed = intake.remove_rejections(tenant.row.tenant, &done).await;
    removed.map_err(failure::of_store)?;
    let mut verdicts: BTreeMap<u64, Verdict> =
        sent.iter().map(|row| row.ordinal).zip(verdicts).collect();
    let replayed = ordinals
        .iter()
        .zip(corrections)
        .map(|(ordinal, correction)| ReplayedRejection {
            rejection_id: correction.rejection_id,
            verdict: verdicts.remove(ordinal),
        });
    Ok(Response::new(ReplayRejectionsResponse {
        replayed: replayed.collect(),
        position,
    }))
}

/// The numbers of the refusals, each once.
fn ordinals(corrections: &[Correction]) -> Result<Vec<u64>, Problem> {
    if corrections.len() > MAX_CORRECTIONS {
        let message = format!(
            "has {} entries, at most {MAX_CORRECTIONS} are allowed; send them in several calls",
            corrections.len()
        );
        return Err(Problem::field(
            ErrorReason::BatchTooLarge,
            "corrections",
            message,
        ));
    }
    let mut ordinals = Vec::with_capacity(corrections.len());
    for (at, correction) in corrections.iter().enumerate() {
        let wrong = |message: &str| {
            let field = format!("corrections[{at}].rejection_id");
            Problem::field(ErrorReason::FieldInvalid, field, message)
        };
        let ordinal = correction.rejection_id.parse();
        let ordinal =
            ordinal.map_err(|_no_number| wrong("must be one that ListRejections names"))?;
        if ordinals.contains(&ordinal) {
            return Err(wrong("is there twice"));
        }
        ordinals.push(ordinal);
    }
    Ok(ordinals)
}

/// Whether a refusal is over: the record is stored or waits, or it is listed anew for another reason.
fn is_done(row: &RejectionRow, verdict: &Verdict, refused: &BTreeMap<u32, RejectionKey>) -> bool {
    match verdict.kind() {
        VerdictKind::Accepted | VerdictKind::Duplicate | VerdictKind::Held => true,
        VerdictKind::Rejected => {
            let before = record::decode(&row.record).ok().map(|record| {
                RejectionKey::of(&record.source, &record.id, &row.record, &row.reason)
            });
            refused.get(&verdict.index) != before.as_ref()
        },
        VerdictKind::Conflict | VerdictKind::Unspecified => false,
    }
}
