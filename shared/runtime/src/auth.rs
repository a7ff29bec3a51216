//! Who calls, and what they may call. Deny by default: a method without an entry in the table is never served.

mod authenticator;
mod key;
mod layer;
mod methods;
pub(crate) mod validity;

use sextant_domain::id::TenantId;

pub use crate::auth::authenticator::{
    Authenticator, KeyRecord, KeySource, KeySourceUnavailable, Refusal,
};
pub use crate::auth::key::{Key, KeyError, KeyId, SecretDigest};
pub(crate) use crate::auth::layer::Authenticate;
pub use crate::auth::methods::{Access, MethodTable, MethodTableError};

/// One thing that a key may allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Query accounts, scores, memberships and metrics.
    Read,
    /// Send facts.
    Ingest,
    /// Change segmentations, catalogues and policies.
    Define,
    /// Upload segmenters.
    PluginsPublish,
    /// Put an uploaded segmenter to work.
    PluginsActivate,
    /// Manage tenants and keys.
    Admin,
    /// Calls between our own services; never given to a person.
    Service,
}

impl Scope {
    /// All scopes, in the order of their bits.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::Ingest,
        Self::Define,
        Self::PluginsPublish,
        Self::PluginsActivate,
        Self::Admin,
        Self::Service,
    ];

    /// The name on the command line, in answers and in stored keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Ingest => "ingest",
            Self::Define => "define",
            Self::PluginsPublish => "plugins.publish",
            Self::PluginsActivate => "plugins.activate",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of scopes. No scope implies another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u16);

impl Scopes {
    /// Nothing allowed.
    pub const NONE: Self = Self(0);
    /// Everything, calls between services included.
    pub const ALL: Self = Self((1 << Scope::ALL.len()) - 1);

    /// The set with one more scope.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }

    /// Whether the scope is in the set.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The scopes in the set, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Who calls. In the extensions of every request to a method that needs a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// The tenant the key belongs to; `None` = the key is the operator's or a service's, and each request names its tenant.
    pub tenant: Option<TenantId>,
    /// What the key allows.
    pub scopes: Scopes,
    /// The key, for the audit log.
    pub key_id: KeyId,
}

impl Principal {
    /// Who sent this request; `None` for methods open to everybody.
    #[must_use]
    pub fn of<T>(request: &tonic::Request<T>) -> Option<&Self> {
        request.extensions().get()
    }
}

#[cfg(test)]
mod tests;
