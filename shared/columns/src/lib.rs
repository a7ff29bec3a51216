//! Features of accounts as Arrow columns, and their way through a feed.
//!
//! A table has one row per account and, behind the three columns that name it, one column per feature of the catalogue, in
//! catalogue order. Unknown is null.
#![forbid(unsafe_code)]

mod build;
mod ipc;
mod read;
mod schema;

pub use build::{AccountRow, table};
pub use ipc::{Error, decode, encode};
pub use read::{number, text, uids, value_text};
pub use schema::{ID_COLUMN, N_ACCOUNT_COLUMNS, NAME_COLUMN, UID_COLUMN, column_of, schema};
