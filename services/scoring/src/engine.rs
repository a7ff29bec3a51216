//! What all parts of the service share, and tenants as they are read back from the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, RwLock, watch};
use tonic::Status;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as ingestion;
use sextant_proto::ingestion::v1::feed_service_client::FeedServiceClient;
use sextant_runtime::blocking;
use sextant_runtime::clock::Clock;
use sextant_runtime::follow::{Lag, patient};
use sextant_runtime::heads::Heads;
use sextant_runtime::kept::{Kept, Room};
use sextant_runtime::link::Link;
use sextant_runtime::progress;
use sextant_store::port::{Feed, Replica, Scoring};
use sextant_wire::status::{Problem, store};

use crate::load::TenantRows;
use crate::state::{Settings, TenantState};

/// What one answer of ingestion's feed may hold, and a little more.
const MAX_FEED_MESSAGE_BYTES: usize = 16 << 20;

/// One tenant; `None`: has to be loaded from the store.
pub(crate) type TenantCell = RwLock<Option<TenantState>>;

/// What all parts of the service share.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) scoring: Arc<dyn Scoring>,
    pub(crate) replica: Arc<dyn Replica>,
    pub(crate) feed: Arc<dyn Feed>,
    ingestion: Link,
    pub(crate) clock: Clock,
    pub(crate) heads: Arc<Heads>,
    pub(crate) progress: progress::Progress,
    /// How far ingestion's feed is ahead.
    pub(crate) lag: Arc<Lag>,
    pub(crate) due: Due,
    pub(crate) starts: Arc<Starts>,
    pub(crate) cells: Arc<Kept<TenantCell>>,
}

/// When the next day of each tenant has to be closed.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(crate) tenants: Mutex<BTreeMap<TenantId, i64>>,
    pub(crate) changed: Notify,
}

/// Where each of ingestion's feeds stood when this process first heard of it. Until a tenant's slices are all that far,
/// its days are not closed: models are cut from all accounts or not at all.
#[derive(Debug)]
pub(crate) struct Starts {
    heads: Mutex<BTreeMap<(TenantId, Slice), u64>>,
    heard: watch::Sender<bool>,
}

impl Default for Starts {
    fn default() -> Self {
        Self {
            heads: Mutex::default(),
            heard: watch::Sender::new(false),
        }
    }
}

impl Starts {
    /// Notes the feeds of which nothing was heard before.
    pub(crate) fn note(&self, heads: &[Head]) {
        let mut known = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        for head in heads {
            known
                .entry((head.tenant, head.slice))
                .or_insert(head.sequence);
        }
        self.heard.send_replace(true);
    }

    /// Waits until ingestion has told of its feeds.
    pub(crate) async fn heard(&self) {
        // The sender lives as long as this value, so waiting cannot fail.
        let mut heard = self.heard.subscribe();
        drop(heard.wait_for(|heard| *heard).await);
    }

    /// True: facts that were there at the start are not all taken in yet.
    pub(crate) fn are_ahead_of(&self, state: &TenantState) -> bool {
        let known = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        state.slices.iter().any(|(slice, progress)| {
            let start = known.get(&(state.tenant, *slice)).copied().unwrap_or(0);
            progress.cursor < start
        })
    }
}

impl Due {
    /// The tenant has to be looked at at `at_us`, microseconds since 1970; `None`: not any more.
    pub(crate) fn set(&self, tenant: TenantId, at_us: Option<i64>) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        match at_us {
            Some(at_us) => drop(tenants.insert(tenant, at_us)),
            None => drop(tenants.remove(&tenant)),
        }
        self.changed.notify_one();
    }

    /// The tenant has to be looked at at `at_us` at the latest, microseconds since 1970.
    pub(crate) fn set_no_later(&self, tenant: TenantId, at_us: i64) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let due = tenants.entry(tenant).or_insert(at_us);
        *due = at_us.min(*due);
        self.changed.notify_one();
    }

    /// The earliest tenant.
    pub(crate) fn next(&self) -> Option<(i64, TenantId)> {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants
            .iter()
            .map(|(tenant, at_us)| (*at_us, *tenant))
            .min()
    }
}

impl Engine {
    pub(crate) fn new(
        scoring: Arc<dyn Scoring>,
        replica: Arc<dyn Replica>,
        feed: Arc<dyn Feed>,
        ingestion: Link,
        clock: Clock,
        room: Room,
    ) -> Self {
        let cells = Arc::new(Kept::new(clock.clone(), room));
        let lag = Arc::new(Lag::unheard(clock.now()));
        Self {
            scoring,
            replica,
            feed,
            ingestion,
            clock,
            heads: Arc::default(),
            progress: progress::Progress::default(),
            lag,
            due: Due::default(),
            starts: Arc::default(),
            cells,
        }
    }

    /// Tells of what this and other processes have committed until now.
    pub(crate) async fn find_heads(&self) -> sextant_store::Result<()> {
        self.heads.publish(self.feed.heads().await?);
        Ok(())
    }

    /// A client of ingestion's feed.
    pub(crate) fn facts(&self) -> FeedServiceClient<Link> {
        FeedServiceClient::new(self.ingestion.clone())
            .max_decoding_message_size(MAX_FEED_MESSAGE_BYTES)
    }

    /// A tenant's settings as ingestion knows them: a read behind the end of the feed brings nothing else.
    async fn settings(&self, tenant: TenantId) -> Result<Settings, Status> {
        let request = ingestion::ReadFactsRequest {
            tenant_id: tenant.0.to_be_bytes().to_vec().into(),
            slice: 0,
            after_sequence: i64::MAX.unsigned_abs(),
        };
        let answer = self
            .facts()
            .read_facts(patient(request))
            .await?
            .into_inner();
        let tenant = answer
            .tenant
            .ok_or_else(|| Problem::new(ErrorReason::TenantUnknown, "tenant is not known"))?;
        Ok(Settings::from_wire(&tenant)?)
    }

    /// Reads a tenant back from the store.
    pub(crate) async fn load(&self, tenant: TenantId) -> Result<TenantState, Status> {
        let settings = self.settings(tenant).await?;
        let (scoring, replica) = (self.scoring.as_ref(), self.replica.as_ref());
        let rows = TenantRows::read(scoring, replica, tenant, settings.n_slices).await;
        let rows = rows.map_err(store)?;
        let state = blocking(move || TenantState::from_rows(tenant, settings, rows)).await?;
        for (slice, progress) in &state.slices {
            self.note_stored(tenant, *slice, progress.cursor, &progress.state);
        }
        self.cells.holds(tenant, state.size());
        Ok(state)
    }

    /// Runs `read` on a tenant's state, loading it first if it has to be. Heavy work goes off the executor.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        tenant: TenantId,
        read: impl FnOnce(&TenantState) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Status> {
        let cell = self.cells.asked(tenant);
        let state = {
            let held = Arc::clone(&cell).read_owned().await;
            if held.is_some() {
                held
            } else {
                drop(held);
                let mut writing = cell.write_owned().await;
                if writing.is_none() {
                    *writing = Some(self.load(tenant).await?);
                }
                writing.downgrade()
            }
        };
        let answer = blocking(move || match state.as_ref() {
            Some(state) => read(state),
            None => Err(Problem::new(
                ErrorReason::Unavailable,
                "the tenant is being loaded again; try again",
            )),
        })
        .await?;
        Ok(answer)
    }
}
