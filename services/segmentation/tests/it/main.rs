//! Segmentation through its generated client, over the embedded store, behind a scripted scoring and with the built-in
//! segmenters.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod begun;
mod behind;
mod between;
mod caches;
mod corrected;
mod definitions;
mod freshness;
mod gate;
mod installed;
mod late;
mod lists;
mod memberships;
mod paging;
mod panics;
mod proposed;
mod reload;
mod restated;
mod slices;
mod torn;
mod upstream;
mod watching;
mod world;
