//! The `sextant` program: it puts the services together, and is the command line in front of their API.

/// What the program is under another name: the process of one segmenter.
pub use sextant_plugin_host::process as plugin_host;

pub mod assemble;
pub mod cli;
pub mod client;
pub mod demo;
pub mod doctor;
pub mod error;
pub mod explain;
pub mod generate;
pub mod import;
pub mod installation;
pub mod links;
pub mod output;
pub mod progress;
mod service_key;
#[cfg(test)]
mod testing;
mod view;
