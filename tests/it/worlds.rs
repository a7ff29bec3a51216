//! The whole program as its users meet it: real processes, real engines, and nothing but the command line and the API.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what it has measured"
)]

mod backup;
mod boundaries;
mod files;
mod installation;
mod kill;
mod late;
mod measured;
mod modes;
mod process;
mod records;
mod story;
mod tenants;
mod traces;
mod world;

/// True in a release build, where worlds have the sizes that the product promises; else they are small.
pub(crate) const AS_RELEASED: bool = !cfg!(debug_assertions);
