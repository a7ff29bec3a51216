//! Accounts that this process has met.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sextant_domain::id::{AccountUid, Slice, TenantId};
use sextant_store::port::FactBatch;

/// Accounts that are remembered at most, over all tenants: about 25 MiB.
const MAX_ACCOUNTS: usize = 262_144;

/// What an account is to the tables: its uid and its slice.
pub(super) type Home = (AccountUid, Slice);

/// Where the facts of a batch go, by external id.
pub(super) type Homes<'b> = HashMap<&'b str, Home>;

type Accounts = HashMap<TenantId, HashMap<Box<str>, Home>>;

/// The homes of accounts. An account keeps its home for ever, so what was read once stays true, whichever replica stored it.
///
/// All is forgotten when a connection is opened: the server that answers there may have lost what was committed last.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Generations>);

/// Accounts that were met lately, and those that were met before; these go when the others are many.
#[derive(Debug, Default)]
struct Generations {
    opened: u64,
    n_newer: usize,
    newer: Accounts,
    older: Accounts,
}

impl Known {
    /// The homes of a batch's accounts as far as they are known; `opened` connections were opened until now.
    pub(super) fn homes<'b>(&self, opened: u64, batch: &'b FactBatch) -> Homes<'b> {
        let mut homes = Homes::with_capacity(batch.facts.len());
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !generations.is_of(opened) {
            return homes;
        }
        for id in batch.facts.iter().filter_map(|fact| fact.account.as_ref()) {
            if let Some(home) = generations.get(batch.tenant, id.as_str()) {
                homes.insert(id.as_str(), home);
            }
        }
        homes
    }

    /// Remembers accounts that are stored; `opened` connections were opened before they were read or stored.
    pub(super) fn learn<'i>(
        &self,
        opened: u64,
        tenant: TenantId,
        accounts: impl Iterator<Item = (&'i str, Home)>,
    ) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.is_of(opened) {
            accounts.for_each(|(id, home)| generations.put(tenant, id, home));
        }
    }
}

impl Generations {
    /// False for one who has not heard of the newest connection. Forgets all when one hears of it first.
    fn is_of(&mut self, opened: u64) -> bool {
        if opened > self.opened {
            *self = Self {
                opened,
                ..Self::default()
            };
        }
        opened == self.opened
    }

    fn get(&mut self, tenant: TenantId, id: &str) -> Option<Home> {
        let of = |accounts: &Accounts| accounts.get(&tenant)?.get(id).copied();
        if let Some(home) = of(&self.newer) {
            return Some(home);
        }
        let home = of(&self.older)?;
        self.put(tenant, id, home);
        Some(home)
    }

    fn put(&mut self, tenant: TenantId, id: &str, home: Home) {
        if self.n_newer >= MAX_ACCOUNTS / 2 {
            self.older = std::mem::take(&mut self.newer);
            self.n_newer = 0;
        }
        let accounts = self.newer.entry(tenant).or_default();
        if accounts.insert(id.into(), home).is_none() {
            self.n_newer += 1;
        }
    }
}

#[cfg(test)]
mod tests;
