//! Doors for what people already send: each translates another format into records, which then pass the same admission.

pub(crate) mod answer;
pub(crate) mod cloudevents;
mod json;
mod product;
pub(crate) mod request;
pub(crate) mod segment;
pub(crate) mod stripe;
