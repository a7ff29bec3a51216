use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_domain::position::Position;
use sextant_domain::store;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{StartImportRequest, StartImportResponse};
use sextant_store::port::{Import, Once, SliceHeads};
use sextant_wire::request;
use sextant_wire::status::Problem;

use crate::failure;
use crate::service::Shared;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<StartImportRequest>,
) -> Result<Response<StartImportResponse>, Status> {
    let tenant = shared.tenant(&request).await?.row.tenant;
    let request = request.into_inner();
    let asked = (&request, request.request_id.as_str());
    let once = request::read(Some(tenant), "StartImport", asked, shared.deps.clock.now())?;
    let position = mark(shared, tenant, Import::Started, once).await?;
    match position {
        Some(position) => Ok(Response::new(StartImportResponse { position })),
        None => Err(is_open(shared, tenant).await?.into()),
    }
}

/// Why no import is opened.
async fn is_open(shared: &Shared, tenant: TenantId) -> Result<Problem, Problem> {
    let opened_at = shared.tenants.fresh(tenant).await?.row.import_opened_at;
    let message = match opened_at {
        Some(at) => format!("an import is open since {at}; it has to be completed first"),
        None => "an import was open and has just been completed; try again".to_owned(),
    };
    Ok(Problem::new(ErrorReason::ImportState, message))
}

/// Opens or completes an import and tells the position of that; `None` when it is in that state already.
pub(super) async fn mark(
    shared: &Shared,
    tenant: TenantId,
    mark: Import,
    request: store::Request,
) -> Result<Option<String>, Problem> {
    let once = Once::new(request, positions(tenant));
    let marked = shared.deps.tenants.mark_import(tenant, mark, once).await;
    shared.tenants.forget(tenant);
    let stored = marked.map_err(failure::of_store)?;
    stored
        .map(|stored| shared.reached(tenant, stored))
        .transpose()
}

/// What the store keeps as the answer to a change that is told in the feeds of a tenant: its position.
pub(super) fn positions(tenant: TenantId) -> impl Fn(&SliceHeads) -> Vec<u8> {
    move |heads| Position::new(heads.clone()).encode(tenant).into_bytes()
}
