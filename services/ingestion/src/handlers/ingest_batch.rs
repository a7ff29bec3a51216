use std::collections::BTreeSet;

use tonic::{Request, Response, Status};

use sextant_domain::id::{AccountKey, ExternalId};
use sextant_proto::ingestion::v1::{IngestBatchRequest, IngestBatchResponse};
use sextant_store::port::{NewFact, Outcome};
use sextant_wire::status::Problem;

use crate::admission::{self, Arrived, CheckedBatch, Knowledge, Terms};
use crate::commit::commit_one;
use crate::service::Shared;
use crate::tenants::KnownTenant;
use crate::{failure, places, verdicts};

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<IngestBatchRequest>,
) -> Result<Response<IngestBatchResponse>, Status> {
    let tenant = shared.tenant(&request).await?;
    let request = request.into_inner();
    admission::check_size(request.records.len(), shared.deps.limits.max_batch_records)?;
    let terms = Terms::new(
        &tenant,
        Knowledge::of(request.options.as_ref()),
        shared.deps.clock.now(),
    );
    let records = request.records.into_iter().map(Arrived::of);
    let batch = admission::check_apart(records, terms).await?;
    let answer = if request.validate_only {
        foresee(shared, &tenant, batch).await?
    } else {
        store(shared, &tenant, batch).await?
    };
    Ok(Response::new(answer))
}

async fn store(
    shared: &Shared,
    tenant: &KnownTenant,
    batch: CheckedBatch,
) -> Result<IngestBatchResponse, Problem> {
    let (verdicts, position) = commit_one(shared, tenant, batch).await?;
    Ok(IngestBatchResponse { verdicts, position })
}

/// The verdicts as far as they are known without storing anything: a record that was stored before counts as accepted.
async fn foresee(
    shared: &Shared,
    tenant: &KnownTenant,
    mut batch: CheckedBatch,
) -> Result<IngestBatchResponse, Problem> {
    places::resolve(shared, tenant.row.tenant, &mut batch.facts).await?;
    let brought: BTreeSet<ExternalId> = batch.facts.iter().filter_map(NewFact::brings).collect();
    let named = batch.facts.iter().filter_map(|fact| fact.account.as_ref());
    let own = named.filter_map(|key| ExternalId::parse(key.own()?).ok());
    let asked: BTreeSet<ExternalId> = own.filter(|account| !brought.contains(account)).collect();
    let asked: Vec<ExternalId> = asked.into_iter().collect();
    let mut known = BTreeSet::new();
    for ids in asked.chunks(MAX_RESOLVED) {
        let rows = shared
            .deps
            .accounts
            .resolve(tenant.row.tenant, ids)
            .await
            .map_err(failure::of_store)?;
        known.extend(rows.into_iter().map(|row| AccountKey::from(row.id)));
    }
    known.extend(brought.into_iter().map(AccountKey::from));
    let outcome = |fact: &NewFact| match &fact.account {
        Some(account) if !known.contains(account) => Outcome::Held,
        Some(_) | None => Outcome::Accepted,
    };
    let outcomes: Vec<Outcome> = batch.facts.iter().map(outcome).collect();
    let refused = batch
        .refused
        .iter()
        .map(|one| (one.index, verdicts::rejection(&one.kept)))
        .collect();
    Ok(IngestBatchResponse {
        verdicts: verdicts::in_order(refused, &outcomes).collect(),
        position: shared
            .heads
            .position(tenant.row.tenant)
            .encode(tenant.row.tenant),
    })
}

/// Accounts that the port resolves in one call.
const MAX_RESOLVED: usize = 10_000;
