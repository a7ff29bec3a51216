//! What every Sextant process needs around its services: configuration, the clock, tasks and their end, telemetry, API keys,
//! the stack of layers in front of each service, and links between services that are the same in-process and remote.
#![forbid(unsafe_code)]

pub mod auth;
mod blocking;
mod body;
pub mod clock;
pub mod config;
pub mod deadline;
pub mod follow;
pub mod heads;
pub mod kept;
pub mod lifecycle;
pub mod link;
pub mod progress;
pub mod server;
pub mod telemetry;
pub mod tenant;

pub use blocking::blocking;
