//! Accounts that this process has met.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sextant_domain::id::TenantId;
use sextant_store::known::{Home, KnownAccounts};
use sextant_store::port::FactBatch;

/// Where the facts of a batch go, by external id.
pub(super) type Homes<'b> = HashMap<&'b str, Home>;

/// The homes of accounts. An account keeps its home for ever, so what was read once stays true, whichever replica stored it.
///
/// All is forgotten when a connection is opened: the server that answers there may have lost what was committed last.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Met>);

#[derive(Debug, Default)]
struct Met {
    /// Connections that were opened until the accounts were read or stored.
    opened: u64,
    accounts: KnownAccounts,
}

impl Known {
    /// The homes of a batch's accounts as far as they are known; `opened` connections were opened until now.
    pub(super) fn homes<'b>(&self, opened: u64, batch: &'b FactBatch) -> Homes<'b> {
        let mut homes = Homes::with_capacity(batch.facts.len());
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !met.is_of(opened) {
            return homes;
        }
        for id in batch.facts.iter().filter_map(|fact| fact.account.as_ref()) {
            if let Some(home) = met.accounts.find(batch.tenant, id.as_str()) {
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
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if met.is_of(opened) {
            accounts.for_each(|(id, home)| met.accounts.insert(tenant, id, home));
        }
    }
}

impl Met {
    /// False for one who has not heard of the newest connection. Forgets all when one hears of it first.
    fn is_of(&mut self, opened: u64) -> bool {
        if opened > self.opened {
            self.opened = opened;
            self.accounts.clear();
        }
        opened == self.opened
    }
}

#[cfg(test)]
mod tests;
