use tonic::{Request, Response, Status};

use sextant_proto::ingestion::v1::{GetTenantRequest, GetTenantResponse};
use sextant_runtime::auth::Principal;
use sextant_runtime::tenant::tenant_of;

use crate::service::Shared;
use crate::{convert, tenants};

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
        let row = shared
            .find_tenant(named)
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
