use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{RevokeKeyRequest, RevokeKeyResponse};
use sextant_runtime::auth::KeyId;
use sextant_wire::status::Problem;

use crate::requests::{self, Repeat};
use crate::service::Shared;
use crate::{convert, failure, keys};

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<RevokeKeyRequest>,
) -> Result<Response<RevokeKeyResponse>, Status> {
    let owner = keys::owner(shared, &request).await?;
    let request = request.into_inner();
    let id = requests::id(&request.request_id)?;
    let change = async { Ok(revoke(shared, owner, &request.key_id).await?) };
    let answer = shared
        .requests
        .once(owner, id, &request, Repeat::SameAnswer, change)
        .await?;
    Ok(Response::new(answer))
}

async fn revoke(
    shared: &Shared,
    owner: Option<TenantId>,
    key_id: &str,
) -> Result<RevokeKeyResponse, Problem> {
    let unknown = || {
        Problem::field(
            ErrorReason::FieldInvalid,
            "key_id",
            "names no key that yours may revoke",
        )
    };
    let parsed = KeyId::parse(key_id).ok_or_else(unknown)?;
    let now = shared.deps.clock.now();
    let row = shared
        .deps
        .keys
        .revoke(owner, key_id, now)
        .await
        .map_err(failure::of_store)?;
    shared.deps.authenticator.forget(parsed);
    Ok(RevokeKeyResponse {
        key: Some(convert::key(&row.ok_or_else(unknown)?)),
    })
}
