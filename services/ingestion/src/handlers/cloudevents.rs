use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde_json::Value as Json;
use tonic::Status;

use sextant_runtime::server::Knock;

use crate::admission;
use crate::doors::answer::{self, Arrivals};
use crate::doors::{cloudevents, request};
use crate::service::Shared;

/// Takes one event, or a list of them.
pub(crate) async fn handle(shared: Arc<Shared>, knock: Knock) -> Result<Response<Bytes>, Status> {
    let is_binary = cloudevents::is_binary(knock.headers());
    let event = if is_binary {
        cloudevents::of_headers(knock.headers(), knock.body())?
    } else {
        request::json(knock.body())?
    };
    let request = request::of(knock);
    let tenant = shared.tenant(&request).await?;
    let events = match &event {
        Json::Array(events) => events.as_slice(),
        _ => std::slice::from_ref(&event),
    };
    admission::check_size(events.len(), shared.deps.limits.max_batch_records)?;
    let mut arrivals = Arrivals::default();
    for (place, event) in events.iter().enumerate() {
        arrivals.add(place, vec![cloudevents::record(event)]);
    }
    answer::store(&shared, &tenant, arrivals).await
}
