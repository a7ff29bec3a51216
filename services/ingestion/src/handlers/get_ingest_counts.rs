use tonic::{Request, Response, Status};

use sextant_proto::ingestion::v1::{GetIngestCountsRequest, GetIngestCountsResponse, SourceCounts};
use sextant_store::port::SourceCount;
use sextant_wire::time::timestamp;

use crate::failure;
use crate::service::Shared;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<GetIngestCountsRequest>,
) -> Result<Response<GetIngestCountsResponse>, Status> {
    let tenant = shared.tenant(&request).await?.row.tenant;
    let counts = shared
        .deps
        .intake
        .counts(tenant)
        .await
        .map_err(failure::of_store)?;
    Ok(Response::new(GetIngestCountsResponse {
        sources: counts.into_iter().map(shown).collect(),
    }))
}

fn shown(count: SourceCount) -> SourceCounts {
    SourceCounts {
        source: count.source,
        accepted: count.accepted,
        duplicate: count.duplicate,
        conflict: count.conflict,
        held: count.held,
        rejected: count.rejected,
        last_received_at: Some(timestamp(count.last_received_at)),
    }
}
