//! Which scope each method needs.

use std::collections::BTreeMap;
use std::fmt;

use crate::auth::Scope;
use crate::server::method_of;

/// What a method asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: health checks.
    Public,
    /// A key, whatever its scopes.
    AnyScope,
    /// A key with this scope.
    Scope(Scope),
    /// The same of an answer that may last: it ends soon after the key is taken back or expires.
    Stream(Scope),
}

/// Method path (`/package.Service/Method`, or the first two segments of a door's) → what it asks of its caller.
#[derive(Debug, Clone, Default)]
pub struct MethodTable {
    entries: BTreeMap<&'static str, Access>,
}

/// Why a service does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MethodTableError {
    /// Methods that are served but have no entry: nobody decided who may call them.
    Undecided(Vec<String>),
    /// Entries for methods that are not served: renamed or misspelled.
    NotServed(Vec<String>),
}

impl fmt::Display for MethodTableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecided(methods) => write!(
                f,
                "methods without a required scope: {}; add them to the method table",
                methods.join(", ")
            ),
            Self::NotServed(methods) => write!(
                f,
                "method table names methods that are not served: {}",
                methods.join(", ")
            ),
        }
    }
}

impl std::error::Error for MethodTableError {}

impl MethodTable {
    /// A table of entries; the last of two equal paths wins.
    #[must_use]
    pub fn new(entries: &[(&'static str, Access)]) -> Self {
        Self {
            entries: entries.iter().copied().collect(),
        }
    }

    /// What a method asks of its caller; `None` = it is not served.
    #[must_use]
    pub fn access(&self, path: &str) -> Option<Access> {
        self.entries.get(method_of(path)).copied()
    }

    /// The services of its methods, each once.
    pub(crate) fn services(&self) -> Vec<&'static str> {
        let mut services: Vec<&'static str> = self
            .entries
            .keys()
            .filter_map(|path| path.split('/').nth(1))
            .collect();
        // Paths are in order, so those of a service are side by side.
        services.dedup();
        services
    }

    /// The path as a metric label: the table's own text, `_OTHER` for anything else, so that callers cannot invent labels.
    #[must_use]
    pub fn label(&self, path: &str) -> &'static str {
        self.entries
            .get_key_value(method_of(path))
            .map_or("_OTHER", |(known, _)| known.trim_start_matches('/'))
    }

    /// Proves that the table and the service descriptors name the same methods.
    ///
    /// # Errors
    /// A served method without an entry, or an entry without a served method.
    pub fn check<M: AsRef<str>>(
        &self,
        served: impl IntoIterator<Item = M>,
    ) -> Result<(), MethodTableError> {
        let mut missing = Vec::new();
        let mut unused = self.entries.clone();
        for method in served {
            let path = method.as_ref();
            if self.entries.contains_key(path) {
                unused.remove(path);
            } else {
                missing.push(path.to_owned());
            }
        }
        if !missing.is_empty() {
            return Err(MethodTableError::Undecided(missing));
        }
        if !unused.is_empty() {
            return Err(MethodTableError::NotServed(
                unused.into_keys().map(ToOwned::to_owned).collect(),
            ));
        }
        Ok(())
    }
}
