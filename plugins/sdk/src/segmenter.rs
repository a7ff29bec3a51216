//! The trait that an author implements, and the context of a call.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};

use sextant_segmenter_abi::SegCall;

use crate::{Answer, Config, ConfigError, Extra, Features, Reasons};

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

    /// Builds the model. The configuration is valid under the descriptor's `config_schema` and has every default
    /// filled in, so refuse only what the schema cannot say.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the JSON pointer of the value that does not fit.
    fn create(config: &Config) -> Result<Self, ConfigError>;

    /// Judges one row.
    fn assign(&self, call: &Call<'_>, rows: &Self::Rows<'_>, row: usize) -> Answer;

    /// Says why [`assign`](Self::assign) answers what it answers for this row, in words for a person who looks after
    /// the account. The SDK orders the reasons and keeps the strongest.
    fn explain(&self, call: &Call<'_>, rows: &Self::Rows<'_>, row: usize, reasons: &mut Reasons);
}

/// Context of one call: the only source of time and randomness of a model.
#[derive(Debug)]
pub struct Call<'a> {
    as_of_unix_us: i64,
    seed: u64,
    tenant: &'a str,
    cancel: Option<&'a AtomicU32>,
}

impl<'a> Call<'a> {
    /// Reads the host's record.
    ///
    /// # Safety
    ///
    /// The record's pointers are NULL or valid for `'a`; the tenant is NUL-terminated.
    #[expect(unsafe_code, reason = "reads the host's record")]
    pub(crate) unsafe fn open(record: &'a SegCall) -> Self {
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
        }
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
