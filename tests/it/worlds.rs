//! The whole program as its users meet it: real processes, real engines, and nothing but the command line and the API.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod files;
mod kill;
mod late;
mod modes;
mod process;
mod records;
mod rejects;
mod tenants;
mod traces;
mod world;
