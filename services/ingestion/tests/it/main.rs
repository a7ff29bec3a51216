//! The service through its generated clients.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::unused_result_ok,
    reason = "helpers of tests fail as tests do, their tasks end with the test, and nobody may listen any more"
)]

mod access;
mod accounts;
mod bad;
mod billed;
mod cloudevents;
mod corrections;
mod door;
mod feed;
mod hierarchy;
mod http;
mod isolation;
mod links;
mod places;
mod records;
mod repeats;
mod replicas;
mod segment;
mod sources;
mod stream;
mod stripe;
mod tenants;
mod timeline;
mod world;
