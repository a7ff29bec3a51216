//! What an account says of itself: traits with their history.

use std::sync::Arc;

use crate::time::{Instant, Zone};

/// One named value of a version; absent means unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    /// Holds this value from here on.
    Set(T),
    /// Holds no value from here on.
    Cleared,
}

/// What changed in an account from an instant on. Only traits that features need are kept here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileVersion {
    /// From when it holds.
    pub at: Instant,
    /// When it became known.
    pub known_at: Instant,
    /// When the account came to the tenant.
    pub created_at: Option<Instant>,
    /// Industry as the tenant names it.
    pub industry: Option<Change<Arc<str>>>,
    /// Number of employees.
    pub employee_count: Option<Change<i64>>,
    /// When the contract is to be renewed.
    pub renewal_at: Option<Change<Instant>>,
    /// The zone in which its contract dates are days.
    pub zone: Option<Change<Zone>>,
}

/// All that an account ever said of itself.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// By (at, known_at).
    versions: Vec<ProfileVersion>,
}

/// What an account says of itself at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProfileView<'a> {
    /// When it came to the tenant: as stated, or else when it was first heard of.
    pub created_at: Option<Instant>,
    /// Industry.
    pub industry: Option<&'a Arc<str>>,
    /// Number of employees.
    pub employee_count: Option<i64>,
    /// When the contract is to be renewed.
    pub renewal_at: Option<Instant>,
    /// The zone in which its contract dates are days; none: the tenant's.
    pub zone: Option<&'a Zone>,
}

impl Profile {
    /// Adds a version, in any order.
    pub fn add(&mut self, version: ProfileVersion) {
        let at = self
            .versions
            .partition_point(|other| (other.at, other.known_at) <= (version.at, version.known_at));
        self.versions.insert(at, version);
    }

    /// When the first version began.
    #[must_use]
    pub fn first_at(&self) -> Option<Instant> {
        self.versions.first().map(|version| version.at)
    }

    /// When each version began and became known.
    pub fn times(&self) -> impl Iterator<Item = (Instant, Instant)> {
        let versions = self.versions.iter();
        versions.map(|version| (version.at, version.known_at))
    }

    /// Whether anything was said by `as_of` and known by `known_at`.
    #[must_use]
    pub fn is_known_at(&self, as_of: Instant, known_at: Instant) -> bool {
        self.versions
            .iter()
            .any(|version| version.at <= as_of && version.known_at <= known_at)
    }

    /// What held at `as_of` with the knowledge of `known_at`.
    #[must_use]
    pub fn view(&self, as_of: Instant, known_at: Instant) -> ProfileView<'_> {
        let visible = || {
            self.versions
                .iter()
                .filter(|version| version.at <= as_of && version.known_at <= known_at)
        };
        ProfileView {
            created_at: visible()
                .rev()
                .find_map(|version| version.created_at)
                .or_else(|| visible().next().map(|version| version.at)),
            industry: visible()
                .rev()
                .find_map(|version| version.industry.as_ref())
                .and_then(Change::value),
            employee_count: visible()
                .rev()
                .find_map(|version| version.employee_count.as_ref())
                .and_then(Change::value)
                .copied(),
            renewal_at: visible()
                .rev()
                .find_map(|version| version.renewal_at.as_ref())
                .and_then(Change::value)
                .copied(),
            zone: visible()
                .rev()
                .find_map(|version| version.zone.as_ref())
                .and_then(Change::value),
        }
    }
}

impl<T> Change<T> {
    fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Cleared => None,
        }
    }
}
