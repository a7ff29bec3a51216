//! The PostgreSQL engine and the Redis cache against real servers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod conformance;
mod dedupe;
mod feed;
mod imports;
mod isolation;
mod migrate;
mod outage;
mod redis;
mod segmenters;
mod sql;
mod support;
