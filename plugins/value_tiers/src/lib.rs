//! Built-in segmenter `sextant.value_tiers`: strategic, high, medium, low or not paying, by monthly recurring revenue.
//!
//! Tiers come from the account's percentile among the paying accounts of the tenant, or from fixed amounts. Percentile
//! thresholds are the host's: they are frozen within a day, so an account changes tier for its own sake or at the day
//! close, never because another account moved at noon.

mod tiers;

pub use tiers::{Account, Tier, ValueTiers};

sextant_segmenter::export_segmenter!(ValueTiers);
