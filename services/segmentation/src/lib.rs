//! Segmentation: runs segmenters over features, keeps who is in which segment since when and why, and tells who moved.
#![forbid(unsafe_code)]

mod ask;
mod begin;
mod behind;
mod cached;
mod columns;
mod correct;
mod current;
mod decide;
mod drivers;
mod engine;
mod evaluate;
mod failing;
mod feed;
mod fitting;
mod follower;
mod gates;
mod grounds;
mod handlers;
mod judged;
mod part;
mod registry;
mod revise;
mod segmenters;
mod settle;
mod shadow;
mod state;
mod supervise;
mod tenant;
mod walk;
mod watch;
mod wire;

pub use part::{Deps, part};
pub use registry::Registry;
pub use segmenters::{Isolation, PLATFORM, Replicas, Trust, TrustLevel};
