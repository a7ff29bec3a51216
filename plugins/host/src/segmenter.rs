//! A segmenter wherever it runs: in this process, in one of its own, or on a server.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use crate::{
    Assignments, Call, CallError, ConfigFault, Descriptor, External, ExternalInstance, Instance,
    Plugin, Reason, State,
};

/// A segmenter that can be asked. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Segmenter {
    /// In this process.
    InProcess(Plugin),
    /// In a process of its own, or on a server.
    External(External),
}

impl From<Plugin> for Segmenter {
    fn from(plugin: Plugin) -> Self {
        Self::InProcess(plugin)
    }
}

impl From<External> for Segmenter {
    fn from(external: External) -> Self {
        Self::External(external)
    }
}

impl Segmenter {
    /// What it reads, what it answers, how it is configured.
    pub fn descriptor(&self) -> &Descriptor {
        match self {
            Self::InProcess(plugin) => plugin.descriptor(),
            Self::External(external) => external.descriptor(),
        }
    }

    /// SHA-256 of its file, or of what a server says of itself, in lower-case hexadecimal digits.
    pub fn digest_hex(&self) -> String {
        let digest = match self {
            Self::InProcess(plugin) => plugin.digest(),
            Self::External(external) => external.digest(),
        };
        hex(digest)
    }

    /// Whether it can give reasons.
    pub fn explains(&self) -> bool {
        match self {
            Self::InProcess(plugin) => plugin.explains(),
            Self::External(external) => external.explains(),
        }
    }

    /// Checks a configuration and returns its canonical text with every default filled in. The segmenter itself may still refuse what
    /// a schema cannot say, in [`bind`](Self::bind).
    ///
    /// # Errors
    ///
    /// Every value that breaks a rule, by JSON pointer.
    pub fn canonical_config(&self, config_json: &str) -> Result<String, Vec<ConfigFault>> {
        self.descriptor().config_schema.canonical(config_json)
    }

    /// Whether it has to be fitted, and answers from the state that this leaves.
    pub fn fits(&self) -> bool {
        match self {
            Self::InProcess(plugin) => plugin.fits(),
            Self::External(external) => external.fits(),
        }
    }

    /// What it reads and answers with a configuration; of one that has to be fitted and is not, its segments may be missing. May wait
    /// for another process: not for threads of an asynchronous runtime.
    ///
    /// # Errors
    ///
    /// The configuration is refused, or the segmenter could not be asked.
    pub fn configured(
        &self,
        config_json: &str,
        state: Option<&State>,
    ) -> Result<Arc<Descriptor>, CallError> {
        let config = self.canonical_config(config_json);
        let config = config.map_err(CallError::Config)?;
        match self {
            Self::InProcess(plugin) => {
                let instance = Instance::with_state(plugin, &config, state)?;
                Ok(Arc::clone(instance.descriptor()))
            },
            Self::External(external) => external.configured(&config, state),
        }
    }

    /// Fits it to a population: see [`External::fit`]. One that shares this process is not fitted.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn fit(
        &self,
        config_json: &str,
        population: &[RecordBatch],
        call: &Call<'_>,
    ) -> Result<State, CallError> {
        match self {
            Self::InProcess(_) => Err(CallError::FitUnsupported),
            Self::External(external) => external.fit(config_json, population, call),
        }
    }

    /// An instance with a configuration, for batches of a schema; of a segmenter that has to be fitted with what a fit has left. May
    /// wait for another process: not for threads of an asynchronous runtime.
    ///
    /// # Errors
    ///
    /// The configuration is refused, a feature is missing, or the segmenter could not be asked.
    pub fn bind(
        &self,
        config_json: &str,
        state: Option<&State>,
        schema: &Schema,
    ) -> Result<Bound, CallError> {
        match self {
            Self::InProcess(plugin) => {
                let mut instance = Instance::with_state(plugin, config_json, state)?;
                instance.bind(schema)?;
                Ok(Bound::InProcess(instance))
            },
            Self::External(external) => {
                let setup = (config_json, state);
                let instance = ExternalInstance::with_state(external, setup, schema)?;
                Ok(Bound::External(instance))
            },
        }
    }
}

/// A configured segmenter that is bound to columns.
#[derive(Debug)]
pub enum Bound {
    /// In this process.
    InProcess(Instance),
    /// In a process of its own, or on a server.
    External(ExternalInstance),
}

impl Bound {
    /// The canonical configuration.
    pub fn config(&self) -> &str {
        match self {
            Self::InProcess(instance) => instance.config(),
            Self::External(instance) => instance.config(),
        }
    }

    /// What it reads and answers with its configuration.
    pub const fn descriptor(&self) -> &Arc<Descriptor> {
        match self {
            Self::InProcess(instance) => instance.descriptor(),
            Self::External(instance) => instance.descriptor(),
        }
    }

    /// Judges every row of a batch. May wait for another process: not for threads of an asynchronous runtime.
    ///
    /// # Errors
    ///
    /// What fails for every row.
    pub fn segment(&self, batch: &RecordBatch, call: &Call<'_>) -> Result<Assignments, CallError> {
        match self {
            Self::InProcess(instance) => instance.segment(batch, call),
            Self::External(instance) => instance.segment(batch, call),
        }
    }

    /// The strongest `top_k` reasons for every row of a batch, strongest first.
    ///
    /// # Errors
    ///
    /// As [`segment`](Self::segment).
    pub fn explain(
        &self,
        batch: &RecordBatch,
        call: &Call<'_>,
        top_k: u32,
    ) -> Result<Vec<Vec<Reason>>, CallError> {
        match self {
            Self::InProcess(instance) => instance.explain(batch, call, top_k),
            Self::External(instance) => instance.explain(batch, call, top_k),
        }
    }

    /// True: it cannot be asked again, and has to be made anew.
    pub fn is_poisoned(&self) -> bool {
        match self {
            Self::InProcess(instance) => instance.is_poisoned(),
            // Its process makes it anew.
            Self::External(_) => false,
        }
    }
}

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = String::with_capacity(2 * bytes.len());
    bytes.iter().fold(digits, |mut text, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
