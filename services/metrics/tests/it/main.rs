//! Metrics through its generated client, over the embedded store, behind scripted feeds of the services before it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod billing;
mod freshness;
mod instants;
mod known_answers;
mod late_data;
mod listing;
mod reload;
mod segments;
mod upstream;
mod world;
