//! What properties of an event say of the use of the product.

use serde_json::{Map, Value as Json};

use sextant_proto::ingestion::v1 as pb;

/// Takes `feature_key`, `quantity` and `duration_ms` out of the properties, where they are what an event has a place for; else they
/// stay among its data.
pub(super) fn use_of(event: &mut pb::EventFact, properties: &mut Map<String, Json>) {
    if let Some(Json::String(key)) = properties.get("feature_key") {
        event.feature_key.clone_from(key);
        properties.shift_remove("feature_key");
    }
    let whole = |name: &str| properties.get(name).and_then(Json::as_u64);
    let quantity = whole("quantity").and_then(|count| u32::try_from(count).ok());
    let duration = whole("duration_ms").and_then(|length| i64::try_from(length).ok());
    if let Some(quantity) = quantity {
        event.quantity = quantity;
        properties.shift_remove("quantity");
    }
    if let Some(duration) = duration {
        event.duration_ms = duration;
        properties.shift_remove("duration_ms");
    }
}
