//! Loads segmenters and calls them: verify without running, load, check the table, create, bind, segment, explain.
//!
//! Everything foreign is checked at this border and copied out at once; a caller of this crate sees only owned Rust
//! values and typed errors. Segmenters that the operator trusts are loaded into the process, others into one of their own.

mod assignment;
mod binding;
mod call;
mod check;
mod columns;
mod config;
pub mod conformance;
mod descriptor;
mod elf;
mod explanation;
mod external;
mod file;
mod foreign;
mod instance;
mod library;
mod measured;
mod messages;
mod plugin;
pub mod process;
pub mod rows;
mod sealed;
mod segmenter;
mod services;
mod sink;
mod state;
pub mod trust;
mod verified;

pub use assignment::{Assignments, Missing, Unanswered};
pub use call::{Call, CallError, Deadline, FailureCode, PluginFailure};
pub use check::{Check, LoadError};
pub use config::{ConfigFault, ConfigSchema};
pub use descriptor::{
    AbiVersion, DefaultValue, Descriptor, DescriptorFault, Example, Feature, FeatureType, Limits,
    LocalText, OnMissing, Output, Segment,
};
pub use explanation::Reason;
pub use external::{
    Allowance, Crash, External, ExternalInstance, Failing, Hosts, Server, Trouble, Usage,
    WrittenLine,
};
pub use file::{Unreadable, read_file};
pub use instance::Instance;

pub use plugin::{Plugin, discover, left_alone};
pub use segmenter::{Bound, Segmenter};
pub use sextant_segmenter_abi::{SEG_ABSTAIN as ABSTAIN, SEG_NO_SEGMENT as NO_SEGMENT};
pub use state::{MAX_STATE_BYTES, State};
pub use verified::{MAX_FILE_BYTES, Verified};
