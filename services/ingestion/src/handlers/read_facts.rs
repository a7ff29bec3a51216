use prost::Message;
use tonic::{Request, Response, Status};

use sextant_domain::id::{Slice, TenantId};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_store::port::{FactEntry, Import, StoredFact};
use sextant_wire::read::{uid_bytes, uuid};
use sextant_wire::status::Problem;
use sextant_wire::time::timestamp;

use crate::service::Shared;
use crate::{convert, failure};

/// Records that are read for one answer, in bytes; reading stops with the entry that passes it.
const MAX_READ_BYTES: usize = 2 << 20;
/// Entries that one answer holds, in bytes, so that it stays below the 4 MiB that clients take by default. An entry is never
/// cut: a single one that is larger is answered alone.
const MAX_ANSWER_BYTES: usize = (4 << 20) - 4_096;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<pb::ReadFactsRequest>,
) -> Result<Response<pb::ReadFactsResponse>, Status> {
    let request = request.into_inner();
    let tenant = TenantId(uuid(&request.tenant_id, "tenant_id")?);
    let slice = u16::try_from(request.slice).map_err(|_too_great| {
        Problem::field(
            ErrorReason::FieldInvalid,
            "slice",
            format!("{} is no slice", request.slice),
        )
    })?;
    let read = shared
        .deps
        .intake
        .fact_entries(tenant, Slice(slice), request.after_sequence, MAX_READ_BYTES)
        .await;
    let entries = fitting(read.map_err(failure::of_store)?);
    // Read after the entries: a change that they tell of is in it.
    let tenant = shared.tenants.fresh(tenant).await?;
    Ok(Response::new(pb::ReadFactsResponse {
        entries,
        tenant: Some(convert::tenant(&tenant.row)),
    }))
}

fn fitting(entries: Vec<FactEntry>) -> Vec<pb::FeedEntry> {
    let mut fitting = Vec::with_capacity(entries.len());
    let mut n_bytes = 0;
    for entry in entries.into_iter().map(shown) {
        // Its length prefix and tag come on top.
        n_bytes += entry.encoded_len() + 8;
        if n_bytes > MAX_ANSWER_BYTES && !fitting.is_empty() {
            break;
        }
        fitting.push(entry);
    }
    fitting
}

fn shown(entry: FactEntry) -> pb::FeedEntry {
    pb::FeedEntry {
        sequence: entry.sequence,
        recorded_at: Some(timestamp(entry.recorded_at)),
        facts: entry.facts.into_iter().map(fact).collect(),
        import: entry.import.map(import),
        clock: entry.clock.map(timestamp),
        trace: entry.trace.map(Vec::from).unwrap_or_default().into(),
    }
}

fn fact(fact: StoredFact) -> pb::StoredFact {
    pb::StoredFact {
        account_uid: fact.uid.map(uid_bytes).unwrap_or_default(),
        occurred_at: Some(timestamp(fact.occurred_at)),
        known_at: Some(timestamp(fact.known_at)),
        historical: fact.historical,
        record: fact.record.into(),
    }
}

fn import(mark: Import) -> pb::ImportMark {
    match mark {
        Import::Started => pb::ImportMark {
            completed: false,
            history: pb::HistorySchedule::Unspecified.into(),
        },
        Import::Completed(schedule) => pb::ImportMark {
            completed: true,
            history: schedule.into(),
        },
    }
}

#[cfg(test)]
mod tests;
