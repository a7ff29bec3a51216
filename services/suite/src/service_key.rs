//! The key by which services in processes of their own know each other.

use std::fmt;

use sextant_runtime::auth::Key;
use sextant_runtime::config::{Loaded, Secret};
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
        let key = configured(loaded, NAME, secret)?;
        let origin = origin(loaded, NAME);
        Ok(Some(Self { key, origin }))
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

/// A key with its place in the configuration.
///
/// # Errors
/// What is configured is no key. The error says where that is from and does not repeat it.
pub(crate) fn configured(loaded: &Loaded, name: &str, secret: &Secret) -> Result<Key, BoxError> {
    let refused = |error| format!("{name} ({}): {error}", origin(loaded, name));
    Ok(Key::parse(secret.expose()).map_err(refused)?)
}

/// Who gave what the configuration has in a place.
fn origin(loaded: &Loaded, name: &str) -> String {
    let entry = loaded.entries.iter().find(|entry| entry.key == name);
    entry.map_or_else(String::new, |entry| entry.origin.to_string())
}

impl fmt::Display for ServiceKey {
    /// Which key it is and where it is from, without its secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME} sx_{}_… ({})", self.key.id(), self.origin)
    }
}
