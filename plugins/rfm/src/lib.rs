//! Built-in segmenter `sextant.rfm`: named groups from the recency, frequency and monetary scores of an account.
//!
//! The scores 1 to 5 (5 best) are population features of the host; this crate only maps them to segments.

mod map;
mod rfm;

pub use map::{Map, Segment};
pub use rfm::{Account, Rfm};

sextant_segmenter::export_segmenter!(Rfm);
