//! The key by which services in processes of their own know each other.

use std::fmt;

use sextant_runtime::auth::Key;
use sextant_runtime::config::Loaded;
use sextant_runtime::lifecycle::BoxError;

use crate::installation::Role;

/// Its place in the configuration.
const NAME: &str = "auth.service_key";
/// What a shell makes a new one of.
pub(crate) const RECIPE: &str = "sx_$(openssl rand -hex 8)_$(openssl rand -hex 32)";

/// The key, and who gave it.
#[derive(Debug)]
pub(crate) struct ServiceKey {
    pub(crate) key: Key,
    origin: String,
}

impl ServiceKey {
    /// The configured key, if there is one.
    ///
    /// # Errors
    /// What is configured is no key.
    pub(crate) fn configured(loaded: &Loaded) -> Result<Option<Self>, BoxError> {
        let Some(secret) = &loaded.config.auth.service_key else {
            return Ok(None);
        };
        let entry = loaded.entries.iter().find(|entry| entry.key == NAME);
        let origin = entry.map_or_else(String::new, |entry| entry.origin.to_string());
        match Key::parse(secret.expose()) {
            Ok(key) => Ok(Some(Self { key, origin })),
            Err(error) => Err(format!("{NAME} ({origin}): {error}").into()),
        }
    }

    /// The key of a process of this role. Services in processes of their own have to be given one.
    ///
    /// # Errors
    /// There is none, or what is configured is no key.
    pub(crate) fn of(loaded: &Loaded, role: Role) -> Result<Self, BoxError> {
        match (Self::configured(loaded)?, role) {
            (Some(key), _) => Ok(key),
            (None, Role::All) => Ok(Self {
                key: Key::generate()?,
                origin: "made at the start".to_owned(),
            }),
            (None, Role::Ingestion | Role::Scoring | Role::Segmentation | Role::Metrics) => Err(format!(
                "{NAME} is missing: a service in a process of its own is known to the others by it; make one with \
                 `echo {RECIPE}` and give the same one to every process \
                 (SEXTANT_AUTH__SERVICE_KEY, a file, or --set)"
            )
            .into()),
        }
    }
}

impl fmt::Display for ServiceKey {
    /// Which key it is and where it is from, without its secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME} sx_{}_… ({})", self.key.id(), self.origin)
    }
}
