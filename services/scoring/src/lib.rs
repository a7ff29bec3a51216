//! Scoring: features and scores of accounts, kept current with ingestion's feed, and the close of each day.
#![forbid(unsafe_code)]

mod apply;
mod close;
mod columns;
mod engine;
mod feed;
mod follower;
mod handlers;
mod late;
mod load;
mod marks;
mod models;
mod part;
mod restate;
mod scores;
mod state;

pub use part::{Deps, part};
