use prost::Message;
use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_domain::store;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{RevokeKeyRequest, RevokeKeyResponse};
use sextant_runtime::auth::KeyId;
use sextant_store::port::{KeyRow, Once};
use sextant_wire::request;
use sextant_wire::status::Problem;

use crate::service::Shared;
use crate::{convert, failure, keys};

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<RevokeKeyRequest>,
) -> Result<Response<RevokeKeyResponse>, Status> {
    let owner = keys::owner(shared, &request).await?;
    let request = request.into_inner();
    let asked = (&request, request.request_id.as_str());
    let once = request::read(owner, "RevokeKey", asked, shared.deps.clock.now())?;
    let answer = revoke(shared, owner, &request.key_id, once).await?;
    Ok(Response::new(answer))
}

async fn revoke(
    shared: &Shared,
    owner: Option<TenantId>,
    key_id: &str,
    request: store::Request,
) -> Result<RevokeKeyResponse, Problem> {
    let unknown = || {
        Problem::field(
            ErrorReason::KeyUnknown,
            "key_id",
            "names no key that yours may revoke; list them to see their ids",
        )
    };
    let parsed = KeyId::parse(key_id).ok_or_else(unknown)?;
    let answer = |row: &KeyRow| {
        let key = Some(convert::key(row));
        RevokeKeyResponse { key }.encode_to_vec()
    };
    let stored = shared
        .deps
        .keys
        .revoke(owner, key_id, Once::new(request, answer))
        .await
        .map_err(failure::of_store)?;
    shared.deps.authenticator.forget(parsed);
    request::answer(&stored.ok_or_else(unknown)?)
}
