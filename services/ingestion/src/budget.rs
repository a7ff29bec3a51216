//! How much of all streams together is taken in and not yet stored. A stream that finds no room waits, and flow control holds
//! its client back; what it holds already it stores, which makes room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use sextant_domain::id::TenantId;
use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::Problem;

/// Share of the whole that one tenant's streams may hold.
const TENANT_SHARE: usize = 4;
/// What one stream may hold, in KiB: a client that does not read its answers must not hold its tenant's share.
const MAX_STREAM_KIB: usize = 8_192;
/// Open streams of one tenant: each may hold a message that is on its way, which is not in the budget yet.
const MAX_STREAMS: usize = 100;

/// Room for encoded records, in KiB.
#[derive(Debug)]
pub(crate) struct Budget {
    whole: Arc<Semaphore>,
    tenant_kib: usize,
    tenants: Mutex<HashMap<TenantId, Weak<Share>>>,
}

/// What all streams of a tenant share.
#[derive(Debug)]
struct Share {
    kib: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

/// The room of one stream.
#[derive(Debug)]
pub(crate) struct StreamRoom {
    stream: Arc<Semaphore>,
    tenant: Arc<Share>,
    whole: Arc<Semaphore>,
    max_kib: usize,
    _open: OwnedSemaphorePermit,
}

/// Room that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Taken([OwnedSemaphorePermit; 3]);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let tenant_kib =
            (bytes / 1_024 / TENANT_SHARE).clamp(1, Semaphore::MAX_PERMITS / TENANT_SHARE);
        Self {
            whole: Arc::new(Semaphore::new(tenant_kib * TENANT_SHARE)),
            tenant_kib,
            tenants: Mutex::default(),
        }
    }

    /// The room of a new stream.
    ///
    /// # Errors
    /// OVERLOADED: the tenant has too many open.
    pub(crate) fn stream(&self, tenant: TenantId) -> Result<StreamRoom, Problem> {
        let max_kib = self.tenant_kib.min(MAX_STREAM_KIB);
        let tenant = self.tenant(tenant);
        let open = Arc::clone(&tenant.streams).try_acquire_owned();
        let open = open.map_err(|_none_left| {
            let message = format!(
                "{MAX_STREAMS} streams of this tenant are open; use fewer, each takes many batches at a time"
            );
            Problem::new(ErrorReason::Overloaded, message)
        })?;
        Ok(StreamRoom {
            stream: Arc::new(Semaphore::new(max_kib)),
            tenant,
            whole: Arc::clone(&self.whole),
            max_kib,
            _open: open,
        })
    }

    /// What all streams of a tenant share, for as long as there are some.
    fn tenant(&self, tenant: TenantId) -> Arc<Share> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = tenants.get(&tenant).and_then(Weak::upgrade) {
            return share;
        }
        tenants.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Share {
            kib: Arc::new(Semaphore::new(self.tenant_kib)),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
        });
        tenants.insert(tenant, Arc::downgrade(&share));
        share
    }
}

impl StreamRoom {
    /// Room for `n_bytes` once there is some; a batch that is larger than all room takes all of it. `None` never comes: nobody
    /// closes the semaphores.
    pub(crate) async fn take(&self, n_bytes: usize) -> Option<Taken> {
        let kib = u32::try_from((n_bytes / 1_024).clamp(1, self.max_kib)).ok()?;
        // From the narrowest to the widest: whoever waits for the wider holds nothing of it.
        let take = |room: &Arc<Semaphore>| Arc::clone(room).acquire_many_owned(kib);
        let stream = take(&self.stream).await.ok()?;
        let tenant = take(&self.tenant.kib).await.ok()?;
        let whole = take(&self.whole).await.ok()?;
        Some(Taken([stream, tenant, whole]))
    }
}

impl Taken {
    /// How much it is.
    pub(crate) fn kib(&self) -> usize {
        self.0[0].num_permits()
    }
}
