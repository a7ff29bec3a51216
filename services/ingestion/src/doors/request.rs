//! What comes to a door, as handlers read it.

use bytes::Bytes;
use serde_json::Value as Json;
use tonic::Request;
use tonic::metadata::MetadataMap;

use sextant_proto::common::v1::ErrorReason;
use sextant_runtime::server::Knock;
use sextant_wire::status::Problem;

/// A request as those of gRPC are: with its headers, and whoever sent it.
pub(crate) fn of(knock: Knock) -> Request<Bytes> {
    let (parts, body) = knock.into_parts();
    let headers = MetadataMap::from_headers(parts.headers);
    Request::from_parts(headers, parts.extensions, body)
}

/// A body that is JSON.
///
/// # Errors
/// MALFORMED says where it is none.
pub(crate) fn json(body: &[u8]) -> Result<Json, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("the body is no JSON: {error}");
        Problem::new(ErrorReason::Malformed, message)
    })
}
