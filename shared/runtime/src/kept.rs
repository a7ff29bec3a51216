//! The tenants that a service has in memory: taken up when somebody asks for them, dropped when nobody has for a while, or when
//! there are too many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;

use crate::clock::Clock;

/// Tenants in memory at most, besides those in use.
const MAX_KEPT: usize = 64;
/// How often idle tenants are looked for at least, and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

/// One cell for each tenant in memory. A cell that somebody holds, or reads or writes, is in use, and stays.
#[derive(Debug)]
pub struct Kept<C> {
    clock: Clock,
    idle: Duration,
    max_kept: usize,
    tenants: Mutex<Tenants<C>>,
}

#[derive(Debug)]
struct Tenants<C> {
    cells: HashMap<TenantId, Cell<C>>,
    n_asked: u64,
}

#[derive(Debug)]
struct Cell<C> {
    cell: Arc<C>,
    /// When somebody asked for it last, and how many times anybody had asked for anything by then.
    asked: (Instant, u64),
}

impl<C> Cell<C> {
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.cell) > 1
    }
}

impl<C: Default> Kept<C> {
    /// Nothing is in memory yet. A tenant that nobody asks for is dropped after `idle`.
    #[must_use]
    pub fn new(clock: Clock, idle: Duration) -> Self {
        Self {
            clock,
            idle,
            max_kept: MAX_KEPT,
            tenants: Mutex::new(Tenants {
                cells: HashMap::new(),
                n_asked: 0,
            }),
        }
    }

    /// The cell of a tenant that somebody asks for.
    pub fn asked(&self, tenant: TenantId) -> Arc<C> {
        let now = self.clock.now();
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.n_asked += 1;
        let asked = (now, tenants.n_asked);
        let known = tenants.cells.entry(tenant).or_insert_with(|| Cell {
            cell: Arc::default(),
            asked,
        });
        known.asked = asked;
        let cell = Arc::clone(&known.cell);
        self.make_room(&mut tenants);
        cell
    }

    /// The cell of a tenant whose feed has grown: that alone is no reason to keep it.
    pub fn fed(&self, tenant: TenantId) -> Arc<C> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tenants.cells.entry(tenant).or_insert_with(|| Cell {
            cell: Arc::default(),
            asked: (Instant(i64::MIN), 0),
        });
        let cell = Arc::clone(&known.cell);
        self.make_room(&mut tenants);
        cell
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

    fn make_room(&self, tenants: &mut Tenants<C>) {
        while tenants.cells.len() > self.max_kept {
            let idle = tenants.cells.iter().filter(|(_, cell)| !cell.is_in_use());
            let oldest = idle.min_by_key(|(tenant, cell)| (cell.asked, **tenant));
            let Some(oldest) = oldest.map(|(tenant, _)| *tenant) else {
                break;
            };
            tenants.cells.remove(&oldest);
        }
    }

    /// Takes out the tenants that nobody has asked for in a while.
    fn take_idle(&self) -> Vec<Arc<C>> {
        let idle_us = i64::try_from(self.idle.as_micros()).unwrap_or(i64::MAX);
        let since = self.clock.now().plus_us(idle_us.saturating_neg());
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = |_: &TenantId, cell: &mut Cell<C>| cell.asked.0 <= since && !cell.is_in_use();
        let taken = tenants.cells.extract_if(is_idle);
        taken.map(|(_, cell)| cell.cell).collect()
    }
}

impl<C: Default + Send + Sync + 'static> Kept<C> {
    /// Drops idle tenants until `stop`.
    pub async fn drop_idle(&self, stop: CancellationToken) {
        let wait = self.idle.clamp(LOOK.0, LOOK.1);
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
