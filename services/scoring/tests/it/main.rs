//! Scoring through its generated clients, over the embedded store, behind a scripted feed of ingestion.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod columns;
mod compat;
mod crowd;
mod export;
mod facts;
mod failing;
mod freshness;
mod guarded;
mod history;
mod late_data;
mod marks;
mod reload;
mod restated;
mod rivals;
mod slices;
mod ties;
mod upstream;
mod world;
