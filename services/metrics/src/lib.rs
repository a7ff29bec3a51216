//! Metrics: what accounts are worth and how that changes, in total and by segment, as a pure function of subscriptions and
//! moves between segments.
#![forbid(unsafe_code)]

mod apply;
mod cell;
mod churn;
mod engine;
mod figures;
mod follower;
mod handlers;
mod import_mark;
mod movements;
mod part;
mod revenue;
mod segments;
mod state;
mod waterfall;

pub use part::{Deps, part};
