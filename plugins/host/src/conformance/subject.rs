//! The segmenter that is judged: a new process of it for every test.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;

use crate::external::Purpose;
use crate::{
    Allowance, Assignments, Call, CallError, Deadline, Descriptor, External, ExternalInstance,
    Hosts, LoadError, Trouble, Verified, rows,
};

/// The "now" of all calls: 2026-01-01, in microseconds.
pub(super) const AS_OF_US: i64 = 1_767_225_600_000_000;

/// Bytes that are shown of what a process printed.
const LAST_WORDS_BYTES: usize = 600;
/// Longest time of a call that is not about time.
const LONGEST: Duration = Duration::from_secs(5);

/// What is judged, and what of it is known from loading it once.
#[derive(Debug)]
pub(super) struct Subject {
    hosts: Hosts,
    file: Arc<Verified>,
    allowance: Allowance,
    pub(super) explains: bool,
    pub(super) deterministic: bool,
    pub(super) row_independent: bool,
    pub(super) sandbox_lacks: Vec<String>,
}

impl Subject {
    pub(super) fn new(
        hosts: &Hosts,
        file: &Arc<Verified>,
        allowance: &Allowance,
    ) -> Result<Self, LoadError> {
        let loaded = External::start(hosts, Arc::clone(file), allowance.clone())?;
        Ok(Self {
            hosts: hosts.clone(),
            file: Arc::clone(file),
            allowance: allowance.clone(),
            explains: loaded.explains(),
            deterministic: loaded.is_deterministic(),
            row_independent: loaded.is_row_independent(),
            sandbox_lacks: loaded.sandbox_lacks().to_vec(),
        })
    }

    pub(super) fn descriptor(&self) -> &Descriptor {
        self.file.descriptor()
    }

    /// An instance with this configuration in a new process.
    pub(super) fn fresh(&self, config: &str) -> Result<ExternalInstance, String> {
        instance(&self.started(Purpose::Judge)?, config)
    }

    /// The same in a process that shows batches at an offset and looks at them again afterwards.
    pub(super) fn observed(&self) -> Result<ExternalInstance, String> {
        instance(&self.started(Purpose::Observe)?, "{}")
    }

    fn started(&self, purpose: Purpose) -> Result<External, String> {
        let (file, allowance) = (Arc::clone(&self.file), self.allowance.clone());
        let started = External::start_for(&self.hosts, file, allowance, purpose);
        started.map_err(|refused| refused.told())
    }
}

/// An instance in the process of a segmenter.
pub(super) fn instance(plugin: &External, config: &str) -> Result<ExternalInstance, String> {
    let schema = rows::schema(plugin.descriptor());
    ExternalInstance::create(plugin, config, &schema).map_err(|error| error.to_string())
}

pub(super) fn call(longest: Duration) -> Call<'static> {
    Call {
        tenant: "00000000-0000-7000-8000-000000000000",
        as_of_us: AS_OF_US,
        seed: 7,
        deadline: Some(Deadline::after(longest)),
        cancel: None,
    }
}

/// Answers for all rows, or what was wrong with the first one that has none.
pub(super) fn answers(
    instance: &ExternalInstance,
    rows: &RecordBatch,
) -> Result<Assignments, String> {
    let answers = instance.segment(rows, &call(LONGEST));
    let answers = answers.map_err(|error| match &error {
        CallError::Lost(trouble) => with_last_words(error.to_string(), trouble),
        _ => error.to_string(),
    })?;
    match answers.unanswered.first() {
        None => Ok(answers),
        Some(first) => {
            let n_rows = answers.unanswered.len();
            let (row, trouble) = (first.row, &first.trouble);
            let told = format!("no answer for {n_rows} rows, the first is row {row}: {trouble}");
            Err(with_last_words(told, trouble))
        },
    }
}

/// With the beginning of what a process printed before it ended: its author reads that.
fn with_last_words(told: String, trouble: &Trouble) -> String {
    match trouble {
        Trouble::Crashed(crash) if !crash.printed.is_empty() => {
            let end = crash.printed.floor_char_boundary(LAST_WORDS_BYTES);
            let printed = crash.printed.get(..end).unwrap_or_default();
            format!("{told}; it printed: {printed}")
        },
        _ => told,
    }
}
