//! The runtime through its public interface: links of both kinds, the layers in front of a part, drain, following, and traces.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside of test functions"
)]

mod probe;
mod world;

mod admin;
mod auth;
mod deadlines;
mod drain;
mod failures;
mod follow;
mod shed;
mod traces;
