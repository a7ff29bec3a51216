use tonic::{Request, Response, Status};

use sextant_proto::ingestion::v1::{GetHierarchyRequest, GetHierarchyResponse};
use sextant_wire::read;

use crate::hierarchy;
use crate::reading::Reading;
use crate::service::Shared;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<GetHierarchyRequest>,
) -> Result<Response<GetHierarchyResponse>, Status> {
    let tenant = shared.tenant(&request).await?;
    let request = request.into_inner();
    let id = read::account(request.account.as_ref(), "account")?;
    let reading = Reading::begin(shared, tenant, request.at.as_ref()).await?;
    reading.with_places(shared).await?;
    let found = hierarchy::read(shared, &reading, &id).await?;
    let found = found.ok_or_else(|| read::account_unknown(&id))?;
    Ok(Response::new(GetHierarchyResponse {
        account: Some(found.account),
        ancestors: found.ancestors,
        descendants: found.descendants,
        is_complete: found.is_complete,
        freshness: Some(reading.freshness(Some(found.watermark))),
    }))
}
