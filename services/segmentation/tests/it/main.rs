//! Segmentation through its generated client, over the embedded store, behind a scripted scoring and with the built-in
//! segmenters.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod caches;
mod definitions;
mod freshness;
mod installed;
mod late;
mod lists;
mod memberships;
mod reload;
mod upstream;
mod watching;
mod world;
