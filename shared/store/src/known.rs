//! The accounts that an engine has met lately.

use std::collections::HashMap;

use sextant_domain::id::{AccountUid, Slice, TenantId};

/// Accounts of one generation, over all tenants; two are kept, about 25 MiB when both are full.
const MAX_GENERATION: usize = 131_072;

/// Where the facts of an account go. It never changes once the account is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home {
    /// The account.
    pub uid: AccountUid,
    /// Its slice.
    pub slice: Slice,
}

type Generation = HashMap<TenantId, HashMap<Box<str>, Home>>;

/// A bounded map of external ids in two generations: a full one pushes the older one out, and what is asked for moves to
/// the recent one, so accounts in use stay.
#[derive(Debug, Default)]
pub struct KnownAccounts {
    recent: Generation,
    older: Generation,
    n_recent: usize,
}

impl KnownAccounts {
    /// The home of an account, if it was met.
    pub fn find(&mut self, tenant: TenantId, id: &str) -> Option<Home> {
        let recent = self.recent.get(&tenant);
        if let Some(home) = recent.and_then(|accounts| accounts.get(id)) {
            return Some(*home);
        }
        let (id, home) = self.older.get_mut(&tenant)?.remove_entry(id)?;
        self.insert(tenant, id, home);
        Some(home)
    }

    /// Remembers an account.
    pub fn insert(&mut self, tenant: TenantId, id: impl Into<Box<str>>, home: Home) {
        if self.n_recent >= MAX_GENERATION {
            self.older = std::mem::take(&mut self.recent);
            self.n_recent = 0;
        }
        let accounts = self.recent.entry(tenant).or_default();
        if accounts.insert(id.into(), home).is_none() {
            self.n_recent += 1;
        }
    }

    /// Forgets all accounts.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
