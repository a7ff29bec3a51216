//! The segmenter that is judged: a new process of it for every test, or the server that it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow_array::RecordBatch;

use crate::call::monotonic_ns;
use crate::conformance::culprit;
use crate::conformance::found::Wrong;
use crate::conformance::rows::{Kind, made_up};
use crate::external::{self, Purpose, Usage};
use crate::{
    Allowance, Assignments, Call, CallError, Deadline, Descriptor, External, ExternalInstance,
    Hosts, LoadError, Server, State, Verified, rows,
};

/// The "now" of all calls: 2026-01-01, in microseconds.
pub(super) const AS_OF_US: i64 = 1_767_225_600_000_000;

/// Longest time of a call that is not about time.
const LONGEST: Duration = Duration::from_secs(5);
/// Longest time of a fit to made up rows.
const FIT: Duration = Duration::from_secs(15);
/// Longest time of all tests together.
const JUDGEMENT: Duration = Duration::from_secs(30);
/// Rows of another population than that: few, so that what is learned of them is not the same.
const OTHERS: usize = 30;
/// Rows of a population that is made up.
const POPULATION: usize = 2_000;

/// Where what is judged comes from.
#[derive(Debug)]
enum Origin {
    File(Arc<Verified>),
    Server(Server),
}

/// What is judged, and what of it is known from asking it once.
#[derive(Debug)]
pub(super) struct Subject {
    hosts: Hosts,
    origin: Origin,
    allowance: Allowance,
    descriptor: Descriptor,
    pub(super) explains: bool,
    pub(super) deterministic: bool,
    pub(super) row_independent: bool,
    pub(super) sandbox_lacks: Vec<String>,
    /// What fits to made up rows have left, by configuration.
    states: Mutex<BTreeMap<String, Result<State, Wrong>>>,
    /// When nothing more is tried.
    until: Deadline,
}

impl Subject {
    pub(super) fn new(
        hosts: &Hosts,
        file: &Arc<Verified>,
        allowance: &Allowance,
    ) -> Result<Self, LoadError> {
        Self::of(hosts, Origin::File(Arc::clone(file)), allowance)
    }

    pub(super) fn server(
        hosts: &Hosts,
        server: &Server,
        allowance: &Allowance,
    ) -> Result<Self, LoadError> {
        Self::of(hosts, Origin::Server(server.clone()), allowance)
    }

    fn of(hosts: &Hosts, origin: Origin, allowance: &Allowance) -> Result<Self, LoadError> {
        let asked = started(hosts, &origin, (allowance, Purpose::Judge))?;
        Ok(Self {
            hosts: hosts.clone(),
            origin,
            allowance: allowance.clone(),
            descriptor: asked.descriptor().clone(),
            explains: asked.explains(),
            deterministic: asked.is_deterministic(),
            row_independent: asked.is_row_independent(),
            sandbox_lacks: asked.sandbox_lacks().to_vec(),
            states: Mutex::default(),
            until: Deadline::after(JUDGEMENT),
        })
    }

    pub(super) const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Whether it has a process that can be looked at, and that shows it columns at an offset.
    pub(super) const fn has_process(&self) -> bool {
        matches!(self.origin, Origin::File(_))
    }

    /// Whether it has to be fitted, and answers from the state that this leaves.
    pub(super) const fn fits(&self) -> bool {
        self.has_process() && self.descriptor.state_version.is_some()
    }

    /// An instance with this configuration in a new process.
    pub(super) fn fresh(&self, config: &str) -> Result<ExternalInstance, Wrong> {
        let state = self.state(config)?;
        instance(&self.process()?, (config, state.as_ref()))
    }

    /// What a new process takes once it has loaded the segmenter, and an instance in it.
    pub(super) fn measured(&self, config: &str) -> Result<(Usage, ExternalInstance), Wrong> {
        let state = self.state(config)?;
        let process = self.process()?;
        let usage = process.usage();
        let usage = usage.ok_or("its process cannot be looked at")?;
        Ok((usage, instance(&process, (config, state.as_ref()))?))
    }

    /// The default instance in a process that shows batches at an offset and looks at them again afterwards.
    pub(super) fn observed(&self) -> Result<ExternalInstance, Wrong> {
        let state = self.state("{}")?;
        instance(&self.observing()?, ("{}", state.as_ref()))
    }

    /// The same in a process for which it is another day.
    pub(super) fn later(&self) -> Result<ExternalInstance, Wrong> {
        let state = self.state("{}")?;
        instance(&self.started(Purpose::Later)?, ("{}", state.as_ref()))
    }

    /// A new process.
    pub(super) fn process(&self) -> Result<External, Wrong> {
        self.started(Purpose::Judge)
    }

    /// A new process that shows batches at an offset and looks at them again afterwards.
    pub(super) fn observing(&self) -> Result<External, Wrong> {
        self.started(Purpose::Observe)
    }

    /// Longest time of one call of its code.
    pub(super) const fn longest_call(&self) -> Duration {
        self.allowance.longest_call
    }

    /// The most memory that it may ask for.
    pub(super) fn memory_bytes(&self) -> u64 {
        external::memory_bytes(self.descriptor(), &self.allowance)
    }

    /// Whether there is time for more: somebody waits for what is judged, and others after it.
    pub(super) fn in_time(&self) -> Result<(), Wrong> {
        if self.until.left().is_zero() {
            return Err(Wrong::out_of_time());
        }
        Ok(())
    }

    fn started(&self, purpose: Purpose) -> Result<External, Wrong> {
        self.in_time()?;
        let started = started(&self.hosts, &self.origin, (&self.allowance, purpose));
        started.map_err(|refused| refused.told().into())
    }

    /// What it answers from with a configuration, if it has to be fitted: what a fit to made up rows has left.
    pub(super) fn state(&self, config: &str) -> Result<Option<State>, Wrong> {
        if !self.fits() {
            return Ok(None);
        }
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = states.get(config) {
            return known.clone().map(Some);
        }
        let process = self.process()?;
        let population = population(&process, config);
        let state = population.and_then(|population| fitted(&process, config, &population));
        // They may be long: that of the default configuration and the last one.
        states.retain(|known, _| known == "{}");
        states.insert(config.to_owned(), state.clone());
        state.map(Some)
    }

    /// The same of another population: a part of it.
    pub(super) fn state_of_others(&self, config: &str) -> Result<State, Wrong> {
        let process = self.process()?;
        let population = population(&process, config)?;
        let few: Vec<_> = population
            .iter()
            .take(1)
            .map(|rows| rows.slice(0, OTHERS))
            .collect();
        fitted(&process, config, &few)
    }

    /// What it reads and answers with a configuration.
    pub(super) fn configured(&self, config: &str) -> Result<Arc<Descriptor>, Wrong> {
        Ok(Arc::clone(self.fresh(config)?.descriptor()))
    }

    /// Made up rows of what it reads with a configuration.
    pub(super) fn rows(
        &self,
        config: &str,
        n_rows: usize,
        kind: Kind,
    ) -> Result<RecordBatch, Wrong> {
        let made_up = if self.descriptor.is_dynamic() {
            made_up(&*self.configured(config)?, n_rows, kind)
        } else {
            made_up(&self.descriptor, n_rows, kind)
        };
        Ok(made_up?)
    }

    /// An instance that an example is judged by, and the example's rows.
    pub(super) fn of_example(
        &self,
        example: &crate::Example,
    ) -> Result<(ExternalInstance, RecordBatch), Wrong> {
        let config = example.config.to_string();
        let instance = if self.fits() && !example.fit.is_empty() {
            let process = self.process()?;
            let descriptor = configured(&process, &config)?;
            // Whoever looks at the last batch alone is found out.
            let halves = example.fit.split_at(example.fit.len() / 2);
            let halves = [halves.0, halves.1].map(|half| rows::of_values(&descriptor, half));
            let [first, last] = halves;
            let state = fitted(&process, &config, &[first?, last?])?;
            instance(&process, (&config, Some(&state)))?
        } else {
            self.fresh(&config)?
        };
        let rows = rows::of_values(instance.descriptor(), &example.rows)?;
        Ok((instance, rows))
    }
}

fn started(
    hosts: &Hosts,
    origin: &Origin,
    (allowance, purpose): (&Allowance, Purpose),
) -> Result<External, LoadError> {
    match origin {
        Origin::File(file) => {
            External::start_for(hosts, Arc::clone(file), allowance.clone(), purpose)
        },
        Origin::Server(server) => {
            External::connect_for(hosts, server, allowance.clone(), Purpose::Judge)
        },
    }
}

/// What a segmenter that is not fitted yet reads with a configuration.
pub(super) fn configured(plugin: &External, config: &str) -> Result<Arc<Descriptor>, Wrong> {
    let canonical = plugin.descriptor().config_schema.canonical(config);
    let canonical = canonical.map_err(CallError::Config)?;
    Ok(plugin.configured(&canonical, None)?)
}

/// Made up rows to fit a segmenter to, in two batches.
pub(super) fn population(plugin: &External, config: &str) -> Result<Vec<RecordBatch>, Wrong> {
    let descriptor = configured(plugin, config)?;
    let rows = made_up(&descriptor, POPULATION, Kind::Plain)?;
    let (first, rest) = (POPULATION / 3, POPULATION - POPULATION / 3);
    Ok(vec![rows.slice(0, first), rows.slice(first, rest)])
}

/// What a fit to a population leaves.
pub(super) fn fitted(
    plugin: &External,
    config: &str,
    population: &[RecordBatch],
) -> Result<State, Wrong> {
    Ok(plugin.fit(config, population, &call(FIT))?)
}

/// An instance in the process of a segmenter.
pub(super) fn instance(
    plugin: &External,
    (config, state): (&str, Option<&State>),
) -> Result<ExternalInstance, Wrong> {
    let canonical = plugin.descriptor().config_schema.canonical(config);
    let canonical = canonical.map_err(CallError::Config)?;
    let schema = rows::schema(&*plugin.configured(&canonical, state)?);
    Ok(ExternalInstance::with_state(
        plugin,
        (config, state),
        &schema,
    )?)
}

/// What is found out, and how long that took.
pub(super) fn timed<T>(work: impl FnOnce() -> Result<T, Wrong>) -> Result<(T, Duration), Wrong> {
    let begun_ns = monotonic_ns();
    let found = work()?;
    let took_ns = monotonic_ns().saturating_sub(begun_ns).unsigned_abs();
    Ok((found, Duration::from_nanos(took_ns)))
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
) -> Result<Assignments, Wrong> {
    answers_at(instance, rows, AS_OF_US)
}

/// The same of another moment, in microseconds since 1970.
pub(super) fn answers_at(
    instance: &ExternalInstance,
    rows: &RecordBatch,
    as_of_us: i64,
) -> Result<Assignments, Wrong> {
    let call = Call {
        as_of_us,
        ..call(LONGEST)
    };
    let answers = instance.segment(rows, &call)?;
    let Some(first) = answers.unanswered.first() else {
        return Ok(answers);
    };
    let (n_rows, row, trouble) = (answers.unanswered.len(), first.row, &first.trouble);
    let told = match culprit::row(instance, rows, trouble) {
        Some(culprit) => {
            format!("no answer for {n_rows} rows: when it is shown {culprit}, {trouble}")
        },
        None => format!("no answer for {n_rows} rows, the first is row {row}: {trouble}"),
    };
    Err(Wrong::of_trouble(told, trouble))
}
