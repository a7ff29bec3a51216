//! What Sextant knows about accounts, money, time and models: pure types and formulas.
//!
//! Architecture Invariant: nothing here reads a clock, a file, a socket, the environment or a random source.
#![forbid(unsafe_code)]

pub mod bgnbd;
pub mod clv;
mod exact;
pub mod fact;
pub mod feature;
pub mod gamma_gamma;
pub mod history;
pub mod id;
pub mod money;
pub mod mrr;
pub mod optimize;
pub mod place;
pub mod position;
pub mod profile;
pub mod purchase;
pub mod quantile;
pub mod retention;
pub mod rfm;
pub mod source;
pub mod special;
pub mod store;
pub mod subscription;
pub mod time;
