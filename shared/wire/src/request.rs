//! Requests that change something: what they are known by, and the answers that a store keeps.

use prost::Message;
use uuid::Uuid;

use sextant_domain::id::{PayloadHash, TenantId};
use sextant_domain::store::Request;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;

use crate::status::Problem;

/// What a request is known by: its owner, the name of the rpc, its id, and a hash of all its fields.
///
/// # Errors
/// The id is missing or no UUID.
pub fn read<Q: Message>(
    owner: Option<TenantId>,
    method: &'static str,
    (request, request_id): (&Q, &str),
    at: Instant,
) -> Result<Request, Problem> {
    if request_id.is_empty() {
        return Err(Problem::field(
            ErrorReason::FieldMissing,
            "request_id",
            "must be a new UUID for each change",
        ));
    }
    let id = Uuid::try_parse(request_id).map_err(|_not_a_uuid| {
        Problem::field(ErrorReason::FieldInvalid, "request_id", "must be a UUID")
    })?;
    Ok(Request {
        owner,
        method,
        id: id.as_u128(),
        parameters: PayloadHash::of(&request.encode_to_vec()),
        at,
    })
}

/// An answer as the store keeps it.
///
/// # Errors
/// It is damaged.
pub fn answer<A: Message + Default>(stored: &[u8]) -> Result<A, Problem> {
    A::decode(stored)
        .map_err(|_damaged| Problem::new(ErrorReason::Internal, "the stored answer is unreadable"))
}

#[cfg(test)]
mod tests;
