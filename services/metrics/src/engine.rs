//! What all parts of the service share: the store, the links, the tenants in memory, and how far they are.

use std::sync::Arc;

use tonic::Status;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{Slice, TenantId};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as ingestion;
use sextant_proto::ingestion::v1::feed_service_client::FeedServiceClient as FactsClient;
use sextant_proto::segmentation::v1::feed_service_client::FeedServiceClient as MovesClient;
use sextant_runtime::blocking;
use sextant_runtime::clock::Clock;
use sextant_runtime::follow::{Lag, patient};
use sextant_runtime::kept::Kept;
use sextant_runtime::link::Link;
use sextant_runtime::progress;
use sextant_store::Error;
use sextant_store::port::{
    AccountFactRow, Metrics, MoveRow, MovesProgress, Replica, ReplicaAccount,
};
use sextant_wire::status::{Problem, store};

use crate::apply::Batch;
use crate::cell::TenantCell;
use crate::import_mark;
use crate::part::Deps;
use crate::state::{Progress, Settings, TenantState};

/// What one answer of a feed may hold, and a little more.
const MAX_FEED_MESSAGE_BYTES: usize = 16 << 20;

/// What all parts of the service share.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) metrics: Arc<dyn Metrics>,
    pub(crate) replica: Arc<dyn Replica>,
    ingestion: Link,
    segmentation: Link,
    pub(crate) clock: Clock,
    pub(crate) cells: Arc<Kept<TenantCell>>,
    pub(crate) facts: Feed,
    pub(crate) moves: Feed,
    /// Segmentation's answers behind the facts that are stored here, in numbers of ingestion's feed.
    pub(crate) evaluation: Lag,
}

/// One of the two feeds that are followed.
#[derive(Debug)]
pub(crate) struct Feed {
    /// Newest ingestion entries whose results can be read.
    pub(crate) progress: progress::Progress,
    /// How far the feed is ahead, in its own numbers.
    pub(crate) lag: Arc<Lag>,
}

impl Feed {
    fn unheard(clock: &Clock) -> Self {
        Self {
            progress: progress::Progress::default(),
            lag: Arc::new(Lag::unheard(clock.now())),
        }
    }
}

/// What is stored of one slice.
struct SliceRows {
    slice: Slice,
    progress: Progress,
    accounts: Vec<ReplicaAccount>,
    facts: Vec<AccountFactRow>,
    moves: Vec<MoveRow>,
}

impl Engine {
    pub(crate) fn new(deps: Deps) -> Self {
        Self {
            facts: Feed::unheard(&deps.clock),
            moves: Feed::unheard(&deps.clock),
            metrics: deps.metrics,
            replica: deps.replica,
            ingestion: deps.ingestion,
            segmentation: deps.segmentation,
            cells: Arc::new(Kept::new(deps.clock.clone(), deps.room)),
            clock: deps.clock,
            evaluation: Lag::default(),
        }
    }

    /// A client of ingestion's feed.
    pub(crate) fn facts_client(&self) -> FactsClient<Link> {
        FactsClient::new(self.ingestion.clone()).max_decoding_message_size(MAX_FEED_MESSAGE_BYTES)
    }

    /// A client of segmentation's feed.
    pub(crate) fn moves_client(&self) -> MovesClient<Link> {
        MovesClient::new(self.segmentation.clone())
            .max_decoding_message_size(MAX_FEED_MESSAGE_BYTES)
    }

    /// A tenant as it is now, loaded from the store if it has to be.
    pub(crate) async fn state(&self, tenant: TenantId) -> Result<Arc<TenantState>, Status> {
        let cell = self.cells.asked(tenant);
        if let Some(state) = cell.state() {
            return Ok(state);
        }
        let _turn = cell.turn.lock().await;
        if let Some(state) = cell.state() {
            return Ok(state);
        }
        let state = Arc::new(self.load(tenant).await?);
        for (slice, progress) in &state.slices {
            self.facts_stored(tenant, *slice, progress.cursor);
            self.moves_stored(tenant, *slice, &progress.moves);
        }
        cell.put(Arc::clone(&state));
        self.cells.holds(tenant, state.size());
        Ok(state)
    }

    /// Stores a batch, and takes it over into memory if the tenant is loaded. Where another process was faster nothing
    /// happens: the stored cursor tells where to go on.
    pub(crate) async fn take_in(&self, batch: Batch) -> Result<(), Status> {
        let tenant = batch.span().tenant;
        let cell = self.cells.fed(tenant);
        let _turn = cell.turn.lock().await;
        match self.metrics.commit(batch.commit()?).await {
            Ok(()) => {},
            Err(Error::Fenced) => return Ok(()),
            Err(error) => return Err(store(error)),
        }
        if let Some(state) = cell.take() {
            let taken_over =
                blocking(move || Ok::<_, Problem>(Arc::unwrap_or_clone(state).take_over(batch)))
                    .await?;
            if let Some(state) = taken_over {
                self.cells.holds(tenant, state.size());
                cell.put(Arc::new(state));
            }
        }
        Ok(())
    }

    /// Notes how much of ingestion's feed is stored and can be read.
    pub(crate) fn facts_stored(&self, tenant: TenantId, slice: Slice, cursor: u64) {
        self.evaluation
            .grown(tenant, slice, cursor, self.clock.now());
        self.facts.lag.taken_in(tenant, slice, cursor);
        self.facts.progress.reach(tenant, slice, cursor);
    }

    /// Notes how much of segmentation's feed is stored and can be read.
    pub(crate) fn moves_stored(&self, tenant: TenantId, slice: Slice, stored: &MovesProgress) {
        let facts_sequence = stored.facts_sequence;
        self.evaluation.taken_in(tenant, slice, facts_sequence);
        self.moves.lag.taken_in(tenant, slice, stored.cursor);
        self.moves.progress.reach(tenant, slice, facts_sequence);
    }

    /// Drops a tenant from memory that is behind what is stored, because another process has stored it.
    pub(crate) async fn drop_behind(
        &self,
        tenant: TenantId,
        is_behind: impl Fn(&TenantState) -> bool + Send,
    ) {
        let Some(cell) = self.cells.known(tenant) else {
            return;
        };
        if cell.state().is_some_and(|state| is_behind(&state)) {
            let _turn = cell.turn.lock().await;
            if cell.state().is_some_and(|state| is_behind(&state)) {
                drop(cell.take());
            }
        }
    }

    /// A tenant's settings as ingestion knows them: a read behind the end of the feed brings nothing else.
    async fn settings(&self, tenant: TenantId) -> Result<Settings, Status> {
        let request = ingestion::ReadFactsRequest {
            tenant_id: tenant.0.to_be_bytes().to_vec().into(),
            slice: 0,
            after_sequence: i64::MAX.unsigned_abs(),
        };
        let answer = self
            .facts_client()
            .read_facts(patient(request))
            .await?
            .into_inner();
        let tenant = answer.tenant.ok_or_else(|| {
            Problem::new(
                ErrorReason::TenantUnknown,
                "no such tenant, or the key does not open it",
            )
        })?;
        Ok(Settings::from_wire(&tenant)?)
    }

    async fn load(&self, tenant: TenantId) -> Result<TenantState, Status> {
        let settings = self.settings(tenant).await?;
        let mut rows = Vec::new();
        for number in 0..settings.n_slices {
            rows.push(
                self.read_slice(tenant, Slice(number))
                    .await
                    .map_err(store)?,
            );
        }
        blocking(move || {
            let mut state = TenantState::empty(tenant, settings);
            rows.into_iter().for_each(|rows| state.load(rows));
            Ok(state)
        })
        .await
    }

    /// Cursors first: what another process stores meanwhile may then be read too early, but is never missed.
    async fn read_slice(&self, tenant: TenantId, slice: Slice) -> Result<SliceRows, Error> {
        let cursor = self.replica.cursor(tenant, slice).await?;
        let moves_progress = self.metrics.moves_progress(tenant, slice).await?;
        Ok(SliceRows {
            slice,
            progress: Progress {
                cursor,
                importing: false,
                moves: moves_progress,
            },
            accounts: self.replica.accounts(tenant, slice).await?,
            facts: self.replica.facts(tenant, slice).await?,
            moves: self.metrics.moves(tenant, slice).await?,
        })
    }
}

impl TenantState {
    fn load(&mut self, rows: SliceRows) {
        let mut progress = rows.progress;
        for account in rows.accounts {
            match import_mark::read(&account) {
                Some(importing) => progress.importing = importing,
                None => self.name(account.uid, &account.id),
            }
        }
        self.slices.insert(rows.slice, progress);
        for fact in rows.facts {
            if fact.kind == FactKind::Subscription {
                self.subscribe(fact);
            }
        }
        for row in &rows.moves {
            self.move_account(row);
        }
    }
}
