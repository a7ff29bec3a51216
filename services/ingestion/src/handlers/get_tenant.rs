use tonic::{Request, Response, Status};
use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_proto::ingestion::v1::{GetTenantRequest, GetTenantResponse};
use sextant_runtime::auth::Principal;
use sextant_runtime::tenant::tenant_of;
use sextant_store::port::TenantRow;
use sextant_wire::status::Problem;

use crate::service::Shared;
use crate::{convert, failure, tenants};

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<GetTenantRequest>,
) -> Result<Response<GetTenantResponse>, Status> {
    let named = &request.get_ref().tenant;
    let own = Principal::of(&request).and_then(|principal| principal.tenant);
    let row = if named.is_empty() {
        shared
            .tenants
            .fresh(tenant_of(&request)?)
            .await?
            .row
            .clone()
    } else {
        let row = find(shared, named.clone())
            .await?
            .ok_or_else(tenants::unknown)?;
        if own.is_some_and(|own| own != row.tenant) {
            return Err(tenants::unknown().into());
        }
        row
    };
    Ok(Response::new(GetTenantResponse {
        tenant: Some(convert::tenant(&row)),
    }))
}

async fn find(shared: &Shared, named: String) -> Result<Option<TenantRow>, Problem> {
    let tenants = &shared.deps.tenants;
    let found = match Uuid::try_parse(&named) {
        Ok(id) => tenants.by_id(TenantId(id.as_u128())).await,
        Err(_a_name) => tenants.by_name(&named).await,
    };
    found.map_err(failure::of_store)
}
