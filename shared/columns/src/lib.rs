//! Features of accounts as Arrow columns, their way through a feed, and files of them.
//!
//! A table has one row per account and, behind the three columns that name it, one column per feature of the catalogue, in
//! catalogue order. Unknown is null. What is recurring revenue reads as whole minor units there, as segmenters and people want it;
//! behind all features it stands once more, exactly, for sums.
#![forbid(unsafe_code)]

mod build;
mod export;
mod ipc;
mod read;
mod schema;

pub use build::{AccountRow, table};
pub use export::{Export, encode_shown};
pub use ipc::{Error, decode, encode};
pub use read::{number, summand, summands_per_unit, text, uids, value_text};
pub use schema::{
    ID_COLUMN, N_ACCOUNT_COLUMNS, N_SHOWN_COLUMNS, NAME_COLUMN, UID_COLUMN, column_of,
    exact_column_of, schema,
};
