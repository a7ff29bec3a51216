//! The tenants as every call needs them, remembered for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sextant_domain::id::TenantId;
use sextant_domain::money::Currency;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_store::port::{TenantRow, Tenants};
use sextant_wire::status::Problem;

use crate::failure;

/// How long a tenant is remembered: the longest that another replica's change of it goes unnoticed here.
const TTL: Duration = Duration::from_secs(2);
/// Tenants remembered; a full book starts anew.
const MAX_TENANTS: usize = 10_000;

/// A tenant, its texts parsed.
#[derive(Debug)]
pub(crate) struct KnownTenant {
    pub(crate) row: TenantRow,
    pub(crate) base_currency: Currency,
}

impl KnownTenant {
    fn parse(row: TenantRow) -> Result<Self, Problem> {
        let base_currency = Currency::parse(&row.base_currency).map_err(|_unknown| {
            Problem::new(ErrorReason::Internal, "stored tenant is unreadable")
        })?;
        Ok(Self { row, base_currency })
    }

    /// The tenant's evaluation clock.
    pub(crate) fn now(&self, real: Instant) -> Instant {
        self.row.fixed_clock.unwrap_or(real)
    }
}

/// Tenants by id, read through from the store.
#[derive(Debug)]
pub(crate) struct TenantBook {
    store: Arc<dyn Tenants>,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    entries: HashMap<TenantId, (Arc<KnownTenant>, tokio::time::Instant)>,
    /// Counts changes, so that a row that was read before one is not remembered after it.
    n_changes: u64,
}

impl TenantBook {
    pub(crate) fn new(store: Arc<dyn Tenants>) -> Self {
        Self {
            store,
            book: Mutex::default(),
        }
    }

    /// A tenant, at most [`TTL`] old.
    ///
    /// # Errors
    /// TENANT_UNKNOWN, or the store's failure.
    pub(crate) async fn get(&self, tenant: TenantId) -> Result<Arc<KnownTenant>, Problem> {
        let now = tokio::time::Instant::now();
        if let Some((known, until)) = self.locked().entries.get(&tenant)
            && now < *until
        {
            return Ok(Arc::clone(known));
        }
        self.fresh(tenant).await
    }

    /// A tenant as it is stored now.
    ///
    /// # Errors
    /// As [`TenantBook::get`].
    pub(crate) async fn fresh(&self, tenant: TenantId) -> Result<Arc<KnownTenant>, Problem> {
        let n_changes = self.locked().n_changes;
        let read_at = tokio::time::Instant::now();
        let row = self.store.by_id(tenant).await.map_err(failure::of_store)?;
        let known = Arc::new(KnownTenant::parse(row.ok_or_else(unknown)?)?);
        let mut book = self.locked();
        if book.n_changes == n_changes {
            if book.entries.len() >= MAX_TENANTS {
                book.entries.clear();
            }
            book.entries
                .insert(tenant, (Arc::clone(&known), read_at + TTL));
        }
        Ok(known)
    }

    /// Reads a tenant anew the next time, for this process has changed it.
    pub(crate) fn forget(&self, tenant: TenantId) {
        let mut book = self.locked();
        book.n_changes += 1;
        book.entries.remove(&tenant);
    }

    fn locked(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// There is no such tenant, or the key does not open it: the answer does not tell which.
pub(crate) fn unknown() -> Problem {
    Problem::new(
        ErrorReason::TenantUnknown,
        "no such tenant, or the key does not open it",
    )
}
