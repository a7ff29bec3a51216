//! Write a Sextant segmenter in safe Rust: one trait, one macro for the columns, one macro for the shared object.
//!
//! A segmenter maps rows of features to segments. It is compiled to a shared object (`crate-type = ["cdylib", "rlib"]`)
//! whose descriptor, a JSON document, says what it reads, what it answers and how it can be configured. This crate
//! depends on `std` and nothing else; it reads the host's Arrow columns in place.
//!
//! ```
//! use sextant_segmenter::{Answer, Call, Config, ConfigError, Reasons, Segmenter, features};
//!
//! features! {
//!     /// What the model looks at.
//!     pub struct Account {
//!         seats: I64 = "revenue.seats",
//!     }
//! }
//!
//! /// Two groups by the number of seats.
//! pub struct TeamSize {
//!     large_from: i64,
//! }
//!
//! impl Segmenter for TeamSize {
//!     type Rows<'a> = Account<'a>;
//!
//!     const DESCRIPTOR: &'static str = r#"{
//!         "id": "example.team_size", "version": "1.0.0", "abi": "1.0", "title": {"en": "Team size"}, "output": "single",
//!         "requires": [{"feature": "revenue.seats", "type": "int64", "on_missing": "skip_row"}],
//!         "segments": [{"key": "small"}, {"key": "large"}],
//!         "config_schema": {"type": "object", "additionalProperties": false,
//!             "properties": {"large_from": {"type": "integer", "minimum": 1, "default": 50}}},
//!         "examples": [{"config": {}, "rows": [[10], [50], [null]], "expect": ["small", "large", null]}]
//!     }"#;
//!
//!     fn create(config: &Config) -> Result<Self, ConfigError> {
//!         Ok(Self { large_from: config.i64("large_from")? })
//!     }
//!
//!     fn assign(&self, _call: &Call<'_>, rows: &Account<'_>, row: usize) -> Answer {
//!         match rows.seats.get(row) {
//!             None => Answer::ABSTAIN,
//!             Some(seats) => Answer::segment(u16::from(seats >= self.large_from)),
//!         }
//!     }
//!
//!     fn explain(&self, _call: &Call<'_>, rows: &Account<'_>, row: usize, reasons: &mut Reasons) {
//!         if let Some(seats) = rows.seats.get(row) {
//!             reasons.push(&rows.seats, 1.0, format!("{seats} seats; large starts at {}", self.large_from));
//!         }
//!     }
//! }
//!
//! // In the crate of the shared object, once: sextant_segmenter::export_segmenter!(TeamSize);
//! sextant_segmenter::testing::check_examples::<TeamSize>().unwrap();
//! ```

mod answer;
mod column;
mod config;
mod entry;
mod export;
mod host;
mod json;
mod macros;
mod segmenter;
pub mod testing;
mod words;

pub use answer::{Answer, Extra, Output, Reasons, SegmentSpec};
pub use column::{
    AnyColumn, Bool, Choice, Column, ColumnSpec, Columns, Decode, F64, Features, I64, InputError,
    Kind, List, Missing, RawColumn, Text, Timestamp, ValueType, Wanted, WithWanted,
};
pub use config::{Config, ConfigError};
#[doc(hidden)]
pub use entry::{descriptor_bytes, fitted_table, record_panic_locations, table};
pub use host::Host;
pub use segmenter::{Call, Fit, FitError, Pass, Segmenter, StateError};
#[doc(hidden)]
pub use sextant_segmenter_abi as abi;
pub use words::amount;
