use tonic::{Request, Response, Status};

use sextant_proto::ingestion::v1::{ListTenantsRequest, ListTenantsResponse};
use sextant_runtime::auth::Principal;
use sextant_store::port::Page;
use sextant_wire::page;
use sextant_wire::status::Problem;

use crate::service::Shared;
use crate::{convert, failure, pages};

/// Page tokens of lists over the whole installation belong to no tenant.
const NO_TENANT: u128 = 0;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<ListTenantsRequest>,
) -> Result<Response<ListTenantsResponse>, Status> {
    let own = Principal::of(&request).and_then(|principal| principal.tenant);
    let request = request.into_inner();
    let Some(own) = own else {
        return Ok(Response::new(all(shared, &request).await?));
    };
    // A tenant's key sees its own tenant, which is one page.
    page::size(request.page_size)?;
    shared
        .deps
        .pager
        .cursor(own.0, &ListTenantsRequest::default(), &request.page_token)?;
    let tenant = shared.tenants.fresh(own).await?;
    Ok(Response::new(ListTenantsResponse {
        tenants: vec![convert::tenant(&tenant.row)],
        next_page_token: String::new(),
    }))
}

async fn all(
    shared: &Shared,
    request: &ListTenantsRequest,
) -> Result<ListTenantsResponse, Problem> {
    let size = page::size(request.page_size)?;
    let bound = ListTenantsRequest::default();
    let after = shared
        .deps
        .pager
        .cursor(NO_TENANT, &bound, &request.page_token)?;
    let mut rows = shared
        .deps
        .tenants
        .list(&Page {
            after,
            limit: size + 1,
        })
        .await
        .map_err(failure::of_store)?;
    let next_page_token = pages::cut(&mut rows, size)
        .map(|last| shared.deps.pager.token(NO_TENANT, &bound, &last.name))
        .unwrap_or_default();
    Ok(ListTenantsResponse {
        tenants: rows.iter().map(convert::tenant).collect(),
        next_page_token,
    })
}
