//! Suites that every engine must pass.
//!
//! An engine implements [`Harness`] (a cache: [`CacheHarness`]) in its tests and says `conformance::suite!(MyHarness)`, which
//! makes one test of each case. A case that an engine cannot pass is named with the reason:
//! `conformance::suite!(MyHarness, except { "name_of_the_case": "why" })`.
#![expect(clippy::unwrap_used, reason = "a case fails by panicking")]

pub mod accounts;
pub mod cache;
mod cases;
pub mod catalogue;
pub mod clocks;
pub mod durability;
pub mod facts;
pub mod feed;
mod harness;
pub mod held;
pub mod imports;
pub mod intake;
pub mod isolation;
pub mod keys;
mod make;
pub mod memberships;
pub mod metrics;
pub mod places;
pub mod releases;
pub mod replica;
pub mod requests;
pub mod revisions;
pub mod scoring;
pub mod segmentations;
pub mod tenants;
pub mod timeline;
pub mod transition_lists;
pub mod transitions;
pub mod writable;

pub use harness::{
    CacheHarness, Excluded, Harness, Ingestion, Metrics, Scoring, Segmentation, run, run_cache,
};

pub use crate::{conformance_cache_suite as cache_suite, conformance_suite as suite};
