use tonic::{Request, Response, Status};

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Position;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{StartImportRequest, StartImportResponse};
use sextant_store::port::Import;
use sextant_wire::status::Problem;

use crate::failure;
use crate::requests::{self, Repeat};
use crate::service::Shared;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<StartImportRequest>,
) -> Result<Response<StartImportResponse>, Status> {
    let tenant = shared.tenant(&request).await?.row.tenant;
    let request = request.into_inner();
    let id = requests::id(&request.request_id)?;
    let change = async {
        let heads = mark(shared, tenant, Import::Started).await?;
        let message = "an import is open; complete it before opening another";
        let heads = heads.ok_or_else(|| Problem::new(ErrorReason::ImportState, message))?;
        Ok(StartImportResponse {
            position: Position::new(heads).encode(tenant),
        })
    };
    let answer = shared
        .requests
        .once(Some(tenant), id, &request, Repeat::SameAnswer, change)
        .await?;
    Ok(Response::new(answer))
}

/// Opens or completes an import; `None` when it is in that state already.
pub(super) async fn mark(
    shared: &Shared,
    tenant: TenantId,
    mark: Import,
) -> Result<Option<Vec<(Slice, u64)>>, Problem> {
    let now = shared.deps.clock.now();
    let marked = shared.deps.tenants.mark_import(tenant, mark, now).await;
    shared.tenants.forget(tenant);
    let heads = marked.map_err(failure::of_store)?;
    if let Some(heads) = &heads {
        shared.heads.note(tenant, heads);
    }
    Ok(heads)
}
