//! The context of a call, and what can go wrong in one.

use std::error::Error;
use std::ffi::{CStr, c_char};
use std::fmt;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use arrow_schema::ArrowError;
use rustix::time::{ClockId, clock_gettime};

use sextant_segmenter_abi::{
    SEG_E_CANCELLED, SEG_E_DEADLINE, SEG_E_INVALID_CONFIG, SEG_E_INVALID_INPUT, SEG_E_NOT_FITTED,
    SEG_E_PANIC, SEG_E_RESOURCE, SEG_E_STATE, SEG_E_UNSUPPORTED, SEG_ERROR_RETRYABLE, SegError,
    SegStatus,
};

use crate::{ConfigFault, Trouble};

/// Context of one call: the only source of time and randomness of a segmenter.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The tenant whose accounts are judged.
    pub tenant: &'a str,
    /// The "now" of the model, in microseconds since 1970-01-01 UTC.
    pub as_of_us: i64,
    /// Seed of the model's randomness.
    pub seed: u64,
    /// When the answer is of no use any more.
    pub deadline: Option<Deadline>,
    /// The caller stores 1 when the call should stop: on cancellation, and at the deadline. A segmenter in this process
    /// cannot be stopped otherwise.
    pub cancel: Option<&'a AtomicU32>,
}

/// An instant of the machine's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    pub(crate) mono_ns: i64,
}

impl Deadline {
    /// The instant that is `left` from now.
    pub fn after(left: Duration) -> Self {
        let left = i64::try_from(left.as_nanos()).unwrap_or(i64::MAX);
        Self {
            mono_ns: monotonic_ns().saturating_add(left),
        }
    }

    /// The time until then; zero once it has come.
    pub(crate) fn left(self) -> Duration {
        let left = self.mono_ns.saturating_sub(monotonic_ns());
        Duration::from_nanos(u64::try_from(left).unwrap_or(0))
    }
}

/// The machine's monotonic clock, in nanoseconds.
pub(crate) fn monotonic_ns() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(now.tv_nsec)
}

/// A call that gave no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    /// The configuration breaks rules of the descriptor's schema.
    Config(Vec<ConfigFault>),
    /// The tenant id contains a NUL byte.
    TenantInvalid,
    /// `segment` or `explain` was called before `bind`.
    NotBound,
    /// A required feature is not among the columns.
    FeatureUnknown {
        /// The feature.
        feature: String,
    },
    /// The column of a feature has another type than the descriptor says.
    FeatureType {
        /// The feature.
        feature: String,
        /// Type in the descriptor.
        declared: String,
        /// Type of the column.
        found: String,
    },
    /// A batch does not have the columns that were bound.
    BatchChanged {
        /// The feature whose column is not where it was.
        feature: String,
    },
    /// A row lacks a feature without which the segmenter wants no answer at all (`on_missing: fail`).
    ValueMissing {
        /// The feature.
        feature: String,
        /// The row of the batch.
        row: usize,
    },
    /// The segmenter gives no reasons.
    ExplainUnsupported,
    /// The segmenter is not one that is fitted.
    FitUnsupported,
    /// The segmenter's process does not have the state that it is to answer from.
    StateUnknown,
    /// The segmenter returned an error.
    Plugin(PluginFailure),
    /// An earlier call panicked; make a new instance.
    Poisoned,
    /// The segmenter's process was lost, or its server did not answer.
    Lost(Trouble),
    /// The segmenter's server says something else of itself than when it was registered.
    DescriptorChanged,
    /// The segmenter says something else of a configuration than before.
    ConfigurationChanged,
    /// The segmenter's answer breaks the contract.
    Output {
        /// What is wrong with it.
        what: String,
    },
    /// The input could not be prepared.
    Arrow(ArrowError),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(faults) => {
                f.write_str("the configuration breaks rules of the segmenter")?;
                faults.iter().try_for_each(|fault| write!(f, "; {fault}"))
            },
            Self::TenantInvalid => f.write_str("the tenant id contains a NUL byte"),
            Self::NotBound => f.write_str("the instance has no columns yet; call bind first"),
            Self::FeatureUnknown { feature } => {
                write!(
                    f,
                    "the segmenter requires feature \"{feature}\", which is not among the columns"
                )
            },
            Self::FeatureType {
                feature,
                declared,
                found,
            } => {
                write!(
                    f,
                    "feature \"{feature}\" has type {found}, the segmenter declares {declared}"
                )
            },
            Self::BatchChanged { feature } => {
                write!(
                    f,
                    "the batch has another column where \"{feature}\" was; bind again"
                )
            },
            Self::ValueMissing { feature, row } => {
                write!(
                    f,
                    "row {row} has no value for \"{feature}\", and the segmenter says on_missing fail"
                )
            },
            Self::ExplainUnsupported => f.write_str("the segmenter gives no reasons"),
            Self::FitUnsupported => f.write_str("the segmenter is not one that is fitted"),
            Self::StateUnknown => f.write_str("the state of the segmenter is not there"),
            Self::Plugin(failure) => write!(f, "the segmenter failed: {failure}"),
            Self::Poisoned => {
                f.write_str("an earlier call of this instance panicked; make a new instance")
            },
            Self::Lost(trouble) => write!(f, "the segmenter could not be asked: {trouble}"),
            Self::DescriptorChanged => f.write_str(
                "the segmenter's server says something else of itself than when it was registered: let it serve that again, or count its version up and register it",
            ),
            Self::ConfigurationChanged => f.write_str(
                "the segmenter reads other features or has other segments with this configuration than before; publish it as another version",
            ),
            Self::Output { what } => {
                write!(f, "the segmenter's answer breaks the contract: {what}")
            },
            Self::Arrow(_) => f.write_str("the input could not be prepared"),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Arrow(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ArrowError> for CallError {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

impl CallError {
    /// The kind of failure in one word, for counting.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Config(_) => "config",
            Self::TenantInvalid => "tenant_invalid",
            Self::NotBound => "not_bound",
            Self::FeatureUnknown { .. } => "feature_unknown",
            Self::FeatureType { .. } => "feature_type",
            Self::BatchChanged { .. } => "batch_changed",
            Self::ValueMissing { .. } => "value_missing",
            Self::ExplainUnsupported => "explain_unsupported",
            Self::FitUnsupported => "fit_unsupported",
            Self::StateUnknown => "state_unknown",
            Self::Plugin(failure) if failure.code.poisons() => "broken",
            Self::Plugin(_) => "refused",
            Self::Poisoned => "poisoned",
            Self::Lost(trouble) => trouble.kind(),
            Self::DescriptorChanged => "descriptor_changed",
            Self::ConfigurationChanged => "configuration_changed",
            Self::Output { .. } => "output",
            Self::Arrow(_) => "arrow",
        }
    }

    pub(crate) fn output(what: impl Into<String>) -> Self {
        Self::Output { what: what.into() }
    }
}

/// What kind of failure a segmenter reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureCode {
    /// The configuration is valid JSON with useless values.
    InvalidConfig,
    /// The batch or its schema is not what the segmenter expects.
    InvalidInput,
    /// The model needs a state and has none.
    NotFitted,
    /// The cancel flag was raised.
    Cancelled,
    /// The deadline passed.
    Deadline,
    /// Out of memory, or over a limit.
    Resource,
    /// The segmenter does not do this.
    Unsupported,
    /// The state is not the segmenter's, or too old.
    State,
    /// A panic or exception was caught; the instance is poisoned.
    Panic,
    /// Anything else; the instance is poisoned.
    Internal,
}

impl FailureCode {
    const fn from_status(status: SegStatus) -> Self {
        match status {
            SEG_E_INVALID_CONFIG => Self::InvalidConfig,
            SEG_E_INVALID_INPUT => Self::InvalidInput,
            SEG_E_NOT_FITTED => Self::NotFitted,
            SEG_E_CANCELLED => Self::Cancelled,
            SEG_E_DEADLINE => Self::Deadline,
            SEG_E_RESOURCE => Self::Resource,
            SEG_E_UNSUPPORTED => Self::Unsupported,
            SEG_E_STATE => Self::State,
            SEG_E_PANIC => Self::Panic,
            _ => Self::Internal,
        }
    }

    /// Whether the instance may not be called again.
    pub const fn poisons(self) -> bool {
        matches!(self, Self::Panic | Self::Internal)
    }
}

/// An error that a segmenter reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFailure {
    /// Kind.
    pub code: FailureCode,
    /// Feature, or JSON pointer into the configuration; empty if neither.
    pub field: String,
    /// First bad row of the batch as the segmenter saw it, where rows with missing features are left out.
    pub row: Option<usize>,
    /// What happened, in the segmenter's words.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
}

impl fmt::Display for PluginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.code)?;
        if !self.field.is_empty() {
            write!(f, ", field \"{}\"", self.field)?;
        }
        if let Some(row) = self.row {
            write!(f, ", row {row}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl PluginFailure {
    pub(crate) fn from_record(status: SegStatus, record: &SegError) -> Self {
        Self {
            code: FailureCode::from_status(status),
            field: text(&record.field),
            row: usize::try_from(record.row).ok(),
            message: text(&record.message),
            retryable: record.flags & SEG_ERROR_RETRYABLE != 0,
        }
    }
}

/// The text up to the first NUL, or all of it if the plugin forgot the NUL.
fn text(buffer: &[c_char]) -> String {
    let bytes: Vec<u8> = buffer
        .iter()
        .map(|c| u8::from_ne_bytes(c.to_ne_bytes()))
        .collect();
    let text = CStr::from_bytes_until_nul(&bytes).map_or(bytes.as_slice(), CStr::to_bytes);
    String::from_utf8_lossy(text).into_owned()
}
