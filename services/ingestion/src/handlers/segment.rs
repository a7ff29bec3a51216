use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde_json::Value as Json;
use tonic::Status;

use sextant_proto::common::v1::ErrorReason;
use sextant_runtime::server::Knock;
use sextant_wire::status::Problem;

use crate::admission;
use crate::doors::answer::{self, Arrivals};
use crate::doors::request;
use crate::doors::segment::{self, Delivery};
use crate::service::Shared;

/// The source of what comes through this door.
const SOURCE: &str = "segment";

/// Takes a batch of messages (`kind` is none), or one message of a kind.
pub(crate) async fn handle(
    shared: Arc<Shared>,
    kind: Option<&'static str>,
    knock: Knock,
) -> Result<Response<Bytes>, Status> {
    let request = request::of(knock);
    let tenant = shared.tenant(&request).await?;
    let body = request::json(request.get_ref())?;
    let messages = match kind {
        Some(_) => std::slice::from_ref(&body),
        None => batch(&body)?,
    };
    admission::check_size(messages.len(), shared.deps.limits.max_batch_records)?;
    let of_batch = |name: &str| body.get(name).filter(|_| kind.is_none());
    let delivery = Delivery {
        source: SOURCE,
        kind,
        sent_at: of_batch("sentAt"),
        context: of_batch("context"),
    };
    let mut arrivals = Arrivals::default();
    for (place, message) in messages.iter().enumerate() {
        arrivals.add(place, segment::records(message, delivery));
    }
    answer::store(&shared, &tenant, arrivals).await
}

fn batch(body: &Json) -> Result<&[Json], Problem> {
    let batch = body.get("batch").and_then(Json::as_array);
    batch.map(Vec::as_slice).ok_or_else(|| {
        let message = "must be a list of messages, in an object: {\"batch\": [...]}";
        Problem::field(ErrorReason::FieldMissing, "batch", message)
    })
}
