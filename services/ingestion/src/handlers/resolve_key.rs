use bytes::Bytes;
use tonic::{Request, Response, Status};

use sextant_proto::ingestion::v1::{ResolveKeyRequest, ResolveKeyResponse};

use crate::service::Shared;
use crate::{convert, failure};

/// An unknown key is an answer too, without a key: the caller remembers it for a while, as it does a known one.
pub(crate) async fn handle(
    shared: &Shared,
    request: Request<ResolveKeyRequest>,
) -> Result<Response<ResolveKeyResponse>, Status> {
    let key_id = request.into_inner().key_id;
    let row = shared
        .deps
        .keys
        .by_id(&key_id)
        .await
        .map_err(failure::of_store)?;
    let answer = row.map_or_else(ResolveKeyResponse::default, |row| ResolveKeyResponse {
        key: Some(convert::key(&row)),
        secret_sha256: Bytes::copy_from_slice(&row.secret_sha256),
    });
    Ok(Response::new(answer))
}
