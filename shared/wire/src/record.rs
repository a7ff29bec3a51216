//! Records: the check at the door, and reading stored ones back.

mod amount;
mod check;
mod fact;

pub use amount::{MAX_MINOR, MAX_RATE_MICROS};
pub use check::{
    Checked, Door, MAX_BATCH_RECORDS, MAX_RECORD_BYTES, check, check_value, check_value_name,
};
pub use fact::{account_profile, decode, event, event_type, payment, subscription_version};
