//! What doors answer: how many records of each verdict, and which were not accepted.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde_json::{Value as Json, json};
use tonic::Status;

use sextant_proto::ingestion::v1::{Verdict, VerdictKind};

use crate::admission::{self, Arrived, Knowledge, Terms};
use crate::commit::commit_one;
use crate::service::Shared;
use crate::tenants::KnownTenant;

/// Records that are not accepted are told one by one, the first ones; all of them are listed by ListRejections and ListHeld.
const MAX_TOLD: usize = 100;

/// What arrived at a door: records, and for each the place of the message that it came with.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    pub(crate) records: Vec<Arrived>,
    pub(crate) places: Vec<usize>,
}

impl Arrivals {
    /// Adds the records of the message at a place.
    pub(crate) fn add(&mut self, place: usize, records: Vec<Arrived>) {
        self.places.extend(records.iter().map(|_| place));
        self.records.extend(records);
    }
}

/// Stores what arrived and answers with its verdicts.
///
/// # Errors
/// The store's failure; then nothing of it is stored.
pub(crate) async fn store(
    shared: &Shared,
    tenant: &KnownTenant,
    arrivals: Arrivals,
) -> Result<Response<Bytes>, Status> {
    let now = shared.deps.clock.now();
    let terms = Terms::new(tenant, Knowledge::Now, now);
    let checked = admission::check_apart(arrivals.records.into_iter(), terms).await?;
    let (verdicts, position) = commit_one(shared, tenant, checked).await?;
    let told = told(&verdicts, &arrivals.places, &position);
    Ok(of_json(&told))
}

fn told(verdicts: &[Verdict], places: &[usize], position: &str) -> Json {
    let count = |kind: VerdictKind| verdicts.iter().filter(|one| one.kind() == kind).count();
    let others = verdicts.iter().zip(places);
    let others = others.filter(|(one, _)| one.kind() != VerdictKind::Accepted);
    let not_accepted: Vec<Json> = others
        .take(MAX_TOLD)
        .map(|(one, at)| not_accepted(one, *at))
        .collect();
    json!({
        "success": true,
        "accepted": count(VerdictKind::Accepted),
        "duplicate": count(VerdictKind::Duplicate),
        "conflict": count(VerdictKind::Conflict),
        "held": count(VerdictKind::Held),
        "rejected": count(VerdictKind::Rejected),
        "not_accepted": not_accepted,
        "position": position,
    })
}

fn not_accepted(verdict: &Verdict, message: usize) -> Json {
    let kind = verdict.kind().as_str_name();
    let kind = kind.trim_start_matches("VERDICT_KIND_").to_lowercase();
    match &verdict.rejection {
        None => json!({"message": message, "verdict": kind}),
        Some(why) => json!({
            "message": message,
            "verdict": kind,
            "field": why.field,
            "reason": why.reason,
            "hint": why.hint,
        }),
    }
}

/// A document as an answer.
pub(crate) fn of_json(json: &Json) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(json.to_string()));
    let kind = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}
