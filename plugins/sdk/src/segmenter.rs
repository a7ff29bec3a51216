//! The trait that an author implements, and the context of a call.

use std::error::Error;
use std::ffi::CStr;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use sextant_segmenter_abi::{SegCall, SegHost};

use crate::host::Host;
use crate::{Answer, Config, ConfigError, Extra, Features, Output, Reasons, SegmentSpec, Wanted};

/// A model that judges accounts row by row.
///
/// An answer may depend on the configuration, the row and the [`Call`], and on nothing else: not on other rows, not on
/// earlier calls, not on the wall clock. The SDK announces exactly that to the host (deterministic, row-independent,
/// thread-safe), which is what makes splitting of batches, replays and audits possible.
pub trait Segmenter: Sized + Send + Sync + 'static {
    /// The columns that the model reads, declared with [`features!`](crate::features).
    type Rows<'a>: Features<'a>;

    /// The descriptor: a JSON document of at most 64 KiB, usually `include_str!("../descriptor.json")`.
    const DESCRIPTOR: &'static str;

    /// Columns of the answer beside the segment.
    const EXTRAS: &'static [Extra] = &[];

    /// What [`assign`](Self::assign) answers; the descriptor's `output` says the same.
    const OUTPUT: Output = Output::Single;

    /// Whether configurations ask for features; the descriptor's `dynamic_features` says the same.
    const DYNAMIC_FEATURES: bool = false;

    /// Whether configurations have segments of their own; the descriptor's `dynamic_segments` says the same.
    const DYNAMIC_SEGMENTS: bool = false;

    /// Builds the model. The configuration is valid under the descriptor's `config_schema` and has every default
    /// filled in, so refuse only what the schema cannot say.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the JSON pointer of the value that does not fit.
    fn create(config: &Config) -> Result<Self, ConfigError>;

    /// The features that this configuration needs beside those of the descriptor. Asked only with
    /// [`DYNAMIC_FEATURES`](Self::DYNAMIC_FEATURES); depends on the configuration alone.
    fn features(&self) -> Vec<Wanted> {
        Vec::new()
    }

    /// The segments of this configuration, and of what was learned; the order gives the positions of answers. Asked only with
    /// [`DYNAMIC_SEGMENTS`](Self::DYNAMIC_SEGMENTS).
    fn segments(&self) -> Vec<SegmentSpec> {
        Vec::new()
    }

    /// False: it has to be fitted first, and is not asked.
    fn is_fitted(&self) -> bool {
        true
    }

    /// Judges one row.
    fn assign(&self, call: &Call<'_>, rows: &Self::Rows<'_>, row: usize) -> Answer;

    /// Says why [`assign`](Self::assign) answers what it answers for this row, in words for a person who looks after
    /// the account. The SDK orders the reasons and keeps the strongest.
    fn explain(&self, call: &Call<'_>, rows: &Self::Rows<'_>, row: usize, reasons: &mut Reasons);
}

/// A model that learns from a population before it answers. What it has learned, its state, is stored, and answers are given from
/// it alone: in other processes than the one that has learned, and long afterwards.
///
/// The same configuration, moment, seed and rows must leave the same state.
pub trait Fit: Segmenter {
    /// What it gathers during a pass over the population.
    type Learning: Send + 'static;

    /// Begins to learn, from so many rows; those count that lack a feature and are not shown.
    fn begin(&self, call: &Call<'_>, rows: u64) -> Self::Learning;

    /// Looks at one row.
    fn learn(
        &self,
        learning: &mut Self::Learning,
        call: &Call<'_>,
        rows: &Self::Rows<'_>,
        row: usize,
    );

    /// Ends a pass. From [`Pass::Done`] on, the segmenter is fitted.
    ///
    /// # Errors
    ///
    /// [`FitError`]: the population is not one to learn from.
    fn end(
        &mut self,
        learning: Self::Learning,
        call: &Call<'_>,
    ) -> Result<Pass<Self::Learning>, FitError>;

    /// What it has learned as bytes, at most 256 MiB; `None` before it is fitted.
    fn save(&self) -> Option<Vec<u8>>;

    /// Takes up what another one has learned. The bytes may be anybody's: no length or number in them may be trusted, and what is
    /// loaded has to be saved as the same bytes.
    ///
    /// # Errors
    ///
    /// [`StateError`]: they are not its own, or damaged.
    fn load(&mut self, state: &[u8]) -> Result<(), StateError>;
}

/// What follows a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass<L> {
    /// The same rows in the same order once more, at most 32 times in all.
    Again(L),
    /// It is fitted.
    Done,
}

/// A population that a model cannot learn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FitError(pub String);

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for FitError {}

/// Bytes that are no state of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateError(pub String);

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for StateError {}

/// Context of one call: the only source of time and randomness of a model.
#[derive(Debug)]
pub struct Call<'a> {
    as_of_unix_us: i64,
    seed: u64,
    tenant: &'a str,
    cancel: Option<&'a AtomicU32>,
    host: Host<'a>,
}

impl<'a> Call<'a> {
    /// Reads the host's records.
    ///
    /// # Safety
    ///
    /// The record's pointers are NULL or valid for `'a`, and so is `host`; the tenant is NUL-terminated.
    #[expect(unsafe_code, reason = "reads the host's record")]
    pub(crate) unsafe fn open(record: &'a SegCall, host: *const SegHost) -> Self {
        let tenant = if record.tenant.is_null() {
            ""
        } else {
            // SAFETY: not NULL, and NUL-terminated by the promise of the caller.
            unsafe { CStr::from_ptr(record.tenant) }
                .to_str()
                .unwrap_or_default()
        };
        // SAFETY: NULL or valid for `'a` by the promise of the caller; the host writes it atomically.
        let cancel = unsafe { record.cancel.as_ref() };
        Self {
            as_of_unix_us: record.as_of_unix_us,
            seed: record.seed,
            tenant,
            cancel,
            // SAFETY: NULL or valid for `'a` by the promise of the caller.
            host: Host::new(unsafe { host.as_ref() }),
        }
    }

    /// Where to log and to measure. What is written there changes no answer.
    pub const fn host(&self) -> Host<'a> {
        self.host
    }

    /// The "now" of the model, in microseconds since 1970-01-01 UTC.
    pub const fn as_of_unix_us(&self) -> i64 {
        self.as_of_unix_us
    }

    /// Seed for a model that needs randomness.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The tenant whose accounts are judged.
    pub const fn tenant(&self) -> &'a str {
        self.tenant
    }

    /// True once the host wants the call to stop. The SDK looks between rows; only a slow row needs to look itself.
    pub fn cancelled(&self) -> bool {
        self.cancel
            .is_some_and(|flag| flag.load(Ordering::Relaxed) != 0)
    }
}
