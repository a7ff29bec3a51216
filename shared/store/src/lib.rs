//! Where Sextant keeps things: the ports, the embedded SQLite engine, the in-process cache, and the suites that every
//! engine must pass.
//!
//! A port is a trait over one aggregate. Every port has two engines, the embedded one here and PostgreSQL in
//! `sextant-backends`, under the suites of [`conformance`].

pub mod cache;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod embedded;
mod error;
pub mod known;
pub mod port;
pub mod release;

pub use error::{BoxFuture, Error, Result};
