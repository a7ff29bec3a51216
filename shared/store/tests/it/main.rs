//! The embedded engine and the in-process cache under the suites, and what only this engine promises.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod child;
mod directory;
mod durability;
mod queries;
mod spikes;
mod suite;
