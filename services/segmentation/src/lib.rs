//! Segmentation: runs segmenters over features, keeps who is in which segment since when and why, and tells who moved.
#![forbid(unsafe_code)]

mod begin;
mod behind;
mod cached;
mod columns;
mod correct;
mod current;
mod decide;
mod engine;
mod evaluate;
mod feed;
mod follower;
mod grounds;
mod handlers;
mod part;
mod registry;
mod settle;
mod state;
mod walk;
mod watch;
mod wire;

pub use part::{Deps, part};
pub use registry::Registry;
