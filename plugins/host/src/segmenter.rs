//! A segmenter wherever it runs: in this process, in one of its own, or on a server.

use std::fmt::Write as _;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use crate::{
    Assignments, Call, CallError, ConfigFault, Descriptor, External, ExternalInstance, Instance,
    Plugin, Reason,
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

    /// An instance with a configuration, for batches of a schema. May wait for another process: not for threads of an asynchronous
    /// runtime.
    ///
    /// # Errors
    ///
    /// The configuration is refused, a feature is missing, or the segmenter could not be asked.
    pub fn bind(&self, config_json: &str, schema: &Schema) -> Result<Bound, CallError> {
        match self {
            Self::InProcess(plugin) => {
                let mut instance = Instance::create(plugin, config_json)?;
                instance.bind(schema)?;
                Ok(Bound::InProcess(instance))
            },
            Self::External(external) => {
                let instance = ExternalInstance::create(external, config_json, schema)?;
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
