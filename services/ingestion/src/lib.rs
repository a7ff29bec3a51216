//! Ingestion: records in, every one with a verdict of its own; accounts, tenants and keys; and the feed of stored facts that
//! the other services follow.
#![forbid(unsafe_code)]

mod admission;
mod budget;
mod commit;
mod convert;
mod doors;
mod failure;
mod filter;
mod fold;
mod handlers;
mod heads;
mod hierarchy;
mod keys;
mod pages;
mod part;
mod places;
mod reading;
mod service;
mod standings;
mod stream;
mod tenants;
mod verdicts;
mod webhooks;

pub use keys::{LinkKeySource, StoreKeySource, ensure_installation_key, installation_key};
pub use part::{DEFAULT_CREDIT_RECORDS, Deps, Limits, part};
