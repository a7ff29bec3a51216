//! Built-in segmenter `sextant.rfm`: named groups from the recency, frequency and monetary scores of an account.
//!
//! The scores 1 to 5 (5 best) are population features of the host; this crate only maps them to segments. The maps `ten` and
//! `eleven` go by recency and frequency, `r_package` by all three.
//!
//! Borders have a margin: an account that has crossed one stays in the segment of the last day close while less than 2 % of
//! the accounts lie between it and the border. Its reasons then say as what a score is kept: *recency 3 of 5, kept as 4
//! within 2 % of the border*. Fixed thresholds, of tenants with fewer than 50 accounts, have no margin.

mod map;
mod rfm;

pub use map::{Map, Segment};
pub use rfm::{Account, Rfm};

sextant_segmenter::export_segmenter!(Rfm);
