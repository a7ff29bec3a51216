//! The tenants that a service has in memory: taken up when somebody asks for them, dropped when nobody has for a while, or when
//! they hold too much together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;

use crate::clock::Clock;
use crate::config;

/// What a tenant counts beside what it holds, in facts: its settings, and the models of its closes.
const FACTS_OF_A_TENANT: u64 = 100;
/// How often idle tenants are looked for at least, and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// A tenant that nobody asks for is dropped after this time.
    pub idle: Duration,
    /// Facts of all tenants at most, besides those of the tenants in use. Accounts, memberships and moves count as facts.
    pub facts: u64,
}

impl From<&config::Cache> for Room {
    fn from(config: &config::Cache) -> Self {
        Self {
            idle: Duration::from_secs(config.tenant_idle_s),
            facts: config.tenant_facts,
        }
    }
}

/// One cell for each tenant in memory. A cell that somebody holds, or reads or writes, is in use, and stays.
#[derive(Debug)]
pub struct Kept<C> {
    clock: Clock,
    room: Room,
    tenants: Mutex<Tenants<C>>,
}

#[derive(Debug)]
struct Tenants<C> {
    cells: HashMap<TenantId, Cell<C>>,
    n_asked: u64,
    /// What all of them hold, in facts.
    n_facts: u64,
}

#[derive(Debug)]
struct Cell<C> {
    cell: Arc<C>,
    /// When somebody asked for it last, and how many times anybody had asked for anything by then.
    asked: (Instant, u64),
    /// What the tenant holds, in facts.
    n_facts: u64,
}

impl<C> Cell<C> {
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.cell) > 1
    }
}

impl<C: Default> Tenants<C> {
    /// The cell of a tenant, a new one if it has none.
    fn cell(&mut self, tenant: TenantId) -> &mut Cell<C> {
        let n_facts = &mut self.n_facts;
        self.cells.entry(tenant).or_insert_with(|| {
            *n_facts += FACTS_OF_A_TENANT;
            Cell {
                cell: Arc::default(),
                asked: (Instant(i64::MIN), 0),
                n_facts: FACTS_OF_A_TENANT,
            }
        })
    }

    /// Takes out the tenants that were asked for longest ago, until those that are not in use hold no more than `max_facts`. The
    /// caller frees them once nobody waits for it.
    fn make_room(&mut self, max_facts: u64) -> Vec<Arc<C>> {
        if self.n_facts <= max_facts {
            return Vec::new();
        }
        let idle = || self.cells.iter().filter(|(_, cell)| !cell.is_in_use());
        let mut n_facts: u64 = idle().map(|(_, cell)| cell.n_facts).sum();
        if n_facts <= max_facts {
            return Vec::new();
        }
        let mut oldest: Vec<_> = idle().map(|(tenant, cell)| (cell.asked, *tenant)).collect();
        oldest.sort_unstable();
        let mut dropped = Vec::new();
        for (_, tenant) in oldest {
            if n_facts <= max_facts {
                break;
            }
            if let Some(cell) = self.cells.remove(&tenant) {
                n_facts -= cell.n_facts;
                self.n_facts -= cell.n_facts;
                dropped.push(cell.cell);
            }
        }
        dropped
    }
}

impl<C: Default> Kept<C> {
    /// Nothing is in memory yet.
    #[must_use]
    pub fn new(clock: Clock, room: Room) -> Self {
        Self {
            clock,
            room,
            tenants: Mutex::new(Tenants {
                cells: HashMap::new(),
                n_asked: 0,
                n_facts: 0,
            }),
        }
    }

    /// The cell of a tenant that somebody asks for.
    pub fn asked(&self, tenant: TenantId) -> Arc<C> {
        let now = self.clock.now();
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.n_asked += 1;
        let asked = (now, tenants.n_asked);
        let known = tenants.cell(tenant);
        known.asked = asked;
        let cell = Arc::clone(&known.cell);
        let dropped = tenants.make_room(self.room.facts);
        drop(tenants);
        drop(dropped);
        cell
    }

    /// The cell of a tenant whose feed has grown: that alone is no reason to keep it.
    pub fn fed(&self, tenant: TenantId) -> Arc<C> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = Arc::clone(&tenants.cell(tenant).cell);
        let dropped = tenants.make_room(self.room.facts);
        drop(tenants);
        drop(dropped);
        cell
    }

    /// Notes how much a tenant in memory holds, in facts; whoever loads or changes it knows. About is enough.
    pub fn holds(&self, tenant: TenantId, n_facts: u64) {
        let room = self.room.facts;
        let n_facts = FACTS_OF_A_TENANT.saturating_add(n_facts);
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = tenants.cells.get_mut(&tenant) else {
            return;
        };
        let before = std::mem::replace(&mut known.n_facts, n_facts);
        tenants.n_facts = tenants.n_facts - before + n_facts;
        let dropped = tenants.make_room(room);
        drop(tenants);
        drop(dropped);
        if before <= room && n_facts > room {
            warn!(
                n_facts,
                room,
                "a tenant holds more than cache.tenant_facts and is loaded again whenever another one was asked for; raise it"
            );
        }
    }

    /// The cell of a tenant, if it has one.
    pub fn known(&self, tenant: TenantId) -> Option<Arc<C>> {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tenants.cells.get(&tenant)?;
        Some(Arc::clone(&known.cell))
    }

    /// True: the tenant is in memory, or about to be.
    pub fn has(&self, tenant: TenantId) -> bool {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.cells.contains_key(&tenant)
    }

    /// Takes out the tenants that nobody has asked for in a while.
    fn take_idle(&self) -> Vec<Arc<C>> {
        let idle_us = i64::try_from(self.room.idle.as_micros()).unwrap_or(i64::MAX);
        let since = self.clock.now().plus_us(idle_us.saturating_neg());
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = |_: &TenantId, cell: &mut Cell<C>| cell.asked.0 <= since && !cell.is_in_use();
        let taken: Vec<_> = tenants.cells.extract_if(is_idle).collect();
        tenants.n_facts -= taken.iter().map(|(_, cell)| cell.n_facts).sum::<u64>();
        taken.into_iter().map(|(_, cell)| cell.cell).collect()
    }
}

impl<C: Default + Send + Sync + 'static> Kept<C> {
    /// Drops idle tenants until `stop`.
    pub async fn drop_idle(&self, stop: CancellationToken) {
        let wait = self.room.idle.clamp(LOOK.0, LOOK.1);
        while stop
            .run_until_cancelled(tokio::time::sleep(wait))
            .await
            .is_some()
        {
            let idle = self.take_idle();
            if idle.is_empty() {
                continue;
            }
            // A large tenant takes a while to be freed.
            drop(tokio::task::spawn_blocking(move || drop(idle)).await);
        }
    }
}

#[cfg(test)]
mod tests;
