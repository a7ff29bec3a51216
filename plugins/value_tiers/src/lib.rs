//! Built-in segmenter `sextant.value_tiers`: strategic, high, medium, low or not paying, by monthly recurring revenue.
//!
//! Tiers come from the account's percentile, the share of the tenant's paying accounts that have less, rounded down to a
//! whole percent, or from fixed amounts. Percentiles are the host's: they are cut at the day close and frozen within the
//! day, so an account changes tier for its own sake or at the close, never because another account moved at noon. No
//! margin holds an account in its tier: from the close on at which it passes a cut, it is in the next one.

mod tiers;

pub use tiers::{Account, Tier, ValueTiers};

sextant_segmenter::export_segmenter!(ValueTiers);
