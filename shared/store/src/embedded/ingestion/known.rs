//! The accounts that the writer has seen lately.

use std::collections::HashMap;

use sextant_domain::id::{AccountUid, ExternalId, Slice, TenantId};

/// Accounts of one generation; two are kept, about 25 MiB when both are full.
const MAX_GENERATION: usize = 131_072;

/// Where the facts of an account go. It never changes once the account is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) uid: AccountUid,
    pub(super) slice: Slice,
}

type Generation = HashMap<TenantId, HashMap<ExternalId, Home>>;

/// A bounded map of external ids in two generations: a full one pushes the older one out, and what is asked for moves to
/// the recent one, so accounts in use stay.
#[derive(Debug, Default)]
pub(super) struct KnownAccounts {
    recent: Generation,
    older: Generation,
    n_recent: usize,
}

impl KnownAccounts {
    pub(super) fn find(&mut self, tenant: TenantId, id: &ExternalId) -> Option<Home> {
        if let Some(home) = self
            .recent
            .get(&tenant)
            .and_then(|accounts| accounts.get(id))
        {
            return Some(*home);
        }
        let (id, home) = self.older.get_mut(&tenant)?.remove_entry(id)?;
        self.insert(tenant, id, home);
        Some(home)
    }

    pub(super) fn insert(&mut self, tenant: TenantId, id: ExternalId, home: Home) {
        if self.n_recent >= MAX_GENERATION {
            self.older = std::mem::take(&mut self.recent);
            self.n_recent = 0;
        }
        if self
            .recent
            .entry(tenant)
            .or_default()
            .insert(id, home)
            .is_none()
        {
            self.n_recent += 1;
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
