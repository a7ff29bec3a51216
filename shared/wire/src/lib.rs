//! Between the domain and the contract: conversions in both directions, and the one place that makes a `tonic::Status`.

pub mod page;
pub mod read;
pub mod record;
pub mod request;
pub mod status;
pub mod tenant;
pub mod time;
